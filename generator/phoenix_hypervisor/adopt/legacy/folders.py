"""The only part of the import that reads and writes: a folder of JSON files, a folder for the new site."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ...config import load
from ...config.files import read
from ...config.tree import Tree
from ...errors import InputError, PhoenixError, Problem, Where
from .source import File, concealed, sort_of

_HEAD = "configs/site.yaml"
_WHOLE = (
    f'defaults: {{vm_image: {{"*": {{url: "https://localhost/", sha256: "{"0" * 64}", storage: local}}}}}}\n'
)
"""What makes every image whole, for a look alone: it is never written."""


def read_folder(folder: Path) -> list[File]:
    """Return the JSON files of a folder, schemas aside. Raises InputError with all that is unreadable."""
    problems: list[Problem] = []
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise PhoenixError(
            f"cannot read {folder}: {error.strerror}", hint="name the folder of the JSON files"
        ) from error
    trees: dict[str, Tree] = {}
    for path in paths:
        if not path.name.endswith(".schema.json"):
            tree = read(path, path.name, problems)
            if tree is not None:
                trees[path.name] = tree
    if problems:
        raise InputError(problems)
    files = [File(name, sort_of(tree), tree) for name, tree in concealed(trees).items()]
    if not any(file.sort for file in files):
        message = f"no file in {folder} is one of the predecessor's"
        raise PhoenixError(
            message, hint="phoenix_hypervisor_config.json, phoenix_lxc_configs.json and the like"
        )
    return files


def check_free(folder: Path) -> None:
    """Raise PhoenixError when the folder for the site is there and not empty."""
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise PhoenixError(f"cannot look into {folder}: {error.strerror}") from error
    if taken:
        raise PhoenixError(f"{folder} is not empty: nothing was written", hint="name a new folder")


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files, or none: they get their name together."""
    check_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent.resolve()))
    except OSError as error:
        raise PhoenixError(f"cannot write {folder}: {error.strerror}") from error
    try:
        _write(work, files)
        work.chmod(0o755)
        os.rename(work, folder)
    except OSError as error:
        raise PhoenixError(f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def open_questions(files: Mapping[str, str]) -> list[Problem]:
    """Return what `phoenix validate` says of a site that is made of these files.

    An image without its checksum is no image, and nothing is said of a site beyond that. So it is looked at
    a second time as if nothing of its images were missing.
    """
    found = _said_of(files)
    if any(problem.message.startswith("vm_image:") for problem in found):
        found += [one for one in _said_of({**files, _HEAD: files[_HEAD] + _WHOLE}) if one not in found]
    return found


def _said_of(files: Mapping[str, str]) -> list[Problem]:
    with tempfile.TemporaryDirectory() as name:
        _write(Path(name), files)
        try:
            load(Path(name))
        except InputError as error:
            return error.problems
        except PhoenixError as error:
            return [Problem(error.message, Where(_HEAD, 1, 1), error.hint)]
    return []


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
