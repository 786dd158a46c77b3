"""Which files a run went by: the commit, where the site is under version control; a digest always."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .. import process

PARTS = ("configs", "inventory", "templates", "verify", "kinds")
SECONDS = 5


def revision(site: Path) -> str:
    """Return `<commit>`, `<commit>+` when files differ from it, or `files <digest>`."""
    commit = _git(site, "rev-parse", "--short=12", "HEAD")
    if commit:
        there = [part for part in PARTS if (site / part).exists()]
        changed = _git(site, "status", "--porcelain", "--", *there)
        return commit if changed == "" else f"{commit}+"
    return f"files {digest(site)}"


def digest(site: Path) -> str:
    """Return a digest of all files that say what there should be."""
    found = hashlib.sha256()
    for part in PARTS:
        for path in sorted((site / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found.update(f"{path.relative_to(site)}\0{content}\n".encode())
    return found.hexdigest()[:12]


def _git(site: Path, *words: str) -> str | None:
    """What git says; None where it is not there or knows nothing of the site."""
    try:
        ended = process.run(["git", "-C", str(site), *words], timeout=SECONDS)
    except process.Broken:
        return None
    return ended.stdout.decode(errors="replace").strip() if ended.status == 0 else None
