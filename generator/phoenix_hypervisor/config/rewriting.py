"""Which files of a site `phoenix fmt` looks at, and how one is replaced."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from ..errors import PhoenixError, Problem, UsageError, Where, did_you_mean
from .canonical import FILES, Shape
from .formatting import formatted


class Rewritten(NamedTuple):
    """A file that is to be another."""

    path: Path
    shown: str
    before: str
    after: str


def rewritten(folder: Path, chosen: Sequence[Path], problems: list[Problem]) -> Iterable[Rewritten]:
    """Yield the files that are not as `fmt` would write them; notes those that cannot be read.

    Without any chosen, all of a site's YAML files. Raises UsageError for one that is none of them.
    """
    wanted = {path.resolve(): path for path in chosen}
    there = _there(folder)
    for path, given in wanted.items():
        if path not in there:
            hint = did_you_mean(str(given), [str(_beside(one, folder)) for one in there])
            raise UsageError(
                f"{given} is none of the site's YAML files",
                hint=hint or "they are in configs/ and inventory/, and end with .yaml",
            )
    for path, shape in there.items():
        if wanted and path not in wanted:
            continue
        shown = _beside(path, folder).as_posix()
        try:
            before = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
            problems.append(Problem(f"cannot read the file: {reason}", Where(shown, 1, 1)))
            continue
        after = formatted(before, shown, shape, folder / "configs" / "files", problems)
        if after is not None and after != before:
            yield Rewritten(path, shown, before, after)


def write(file: Rewritten) -> None:
    """Put the new text in the file's place, in one move. Raises PhoenixError; the file is then as it was."""
    new = file.path.with_name(f".{file.path.name}.new")
    try:
        new.write_text(file.after, encoding="utf-8")
        new.chmod(file.path.stat().st_mode)
        os.replace(new, file.path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise PhoenixError(f"cannot write {file.path}: {error.strerror}") from error


def _beside(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _there(folder: Path) -> dict[Path, Shape]:
    """The site's YAML files that are there, with what stands in them."""
    found = {}
    for part in ("configs", "configs/nodes", "configs/guests", "configs/profiles", "inventory"):
        for path in sorted((folder / part).glob("[!.]*.yaml")):
            name = f"{part}/{path.stem}"
            shape = next((shape for pattern, shape in FILES.items() if fnmatchcase(name, pattern)), None)
            if shape is not None and path.is_file():
                found[path.resolve()] = shape
    return found
