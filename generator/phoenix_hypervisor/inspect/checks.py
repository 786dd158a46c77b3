"""Which modules hold the checks: ours, and a site's own, which win."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .. import registry

PYTEST_FILES = ("test_*.py", "*_test.py")
"""What pytest takes for tests in a folder."""


def check_files(kinds: Collection[str], site_folder: Path) -> list[Path]:
    """Return the modules with the checks of these kinds.

    For each kind that is the site's own verify/test_<kind>.py when it has one, else the packaged one.
    What else the site has in verify/ is added: checks of its own, named as it likes.
    """
    own = {path.name: path for path in sorted((site_folder / "verify").glob("test_*.py"))}
    found = [
        own.get(registry.homes()[kind].verify.name, registry.homes()[kind].verify) for kind in sorted(kinds)
    ]
    ours = {home.verify.name for home in registry.homes().values()}
    return [path for path in found if path.is_file()] + [
        path for name, path in own.items() if name not in ours
    ]


def as_arguments(files: Collection[Path]) -> list[str]:
    """Return pytest's arguments for these modules: their folders, without what else lies there.

    For each file that is named alone, pytest would make nodes for all others beside it.
    """
    folders = dict.fromkeys(path.parent for path in files)
    beside = {path for folder in folders for shape in PYTEST_FILES for path in folder.rglob(shape)}
    return [*map(str, folders), *(f"--ignore={path}" for path in sorted(beside - set(files)))]


def is_check(path: Path) -> bool:
    """Whether a test file is a check: it lies in a verify/ folder."""
    return path.parent.name == "verify"
