"""Which modules hold the checks: ours, and a site's own, which win."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .. import registry


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
