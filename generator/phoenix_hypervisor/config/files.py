"""Reading one file of a site, in either of its languages. Problems are collected, none is raised."""

from __future__ import annotations

from pathlib import Path

from ..errors import Problem, Where
from ..secrets import Store
from .tree import Tree
from .yaml_reader import read_yaml


def read(path: Path, shown: str, problems: list[Problem], store: Store | None = None) -> Tree | None:
    """Read one file; `shown` is the name used in places. Returns None when it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        problems.append(Problem(f"cannot read the file: {reason}", Where(shown, 1, 1)))
        return None
    try:
        if path.suffix == ".json":
            from .json_reader import read_json

            return read_json(text, shown, problems)
        return read_yaml(text, shown, problems, store, _files_beside(path))
    except RecursionError:
        problems.append(Problem("the file is nested too deeply", Where(shown, 1, 1)))
        return None


def _files_beside(path: Path) -> Path | None:
    """The site's configs/files/, for a file that lies in configs/."""
    return next((folder / "files" for folder in path.parents[:2] if folder.name == "configs"), None)
