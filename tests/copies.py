"""Copies of lab nodes: what the lab notes about files by their inodes is noted anew for the copies."""

import json
import os
from pathlib import Path

MODEL = "var/lib/phoenix-lab/model.json"


def note_owners_anew(origin: Path, copy: Path) -> None:
    """Let a copied node, and the containers on it, know whose the files are; both are root folders of nodes.

    The lab notes whose a file is by path and inode, in a model that each of them has. A copy's files have
    other inodes, and one that was renamed since is found by the inode it has in the original.
    """
    for model in copy.rglob(MODEL.rpartition("/")[2]):
        root = model.parents[3]
        if model == root / MODEL:
            _note(origin / root.relative_to(copy), root)


def _note(origin: Path, copy: Path) -> None:
    model = json.loads((copy / MODEL).read_text())
    owners = model.get("owners", {})
    gone = [path for path in owners if not os.path.lexists(copy / path[1:])]
    there = {path.lstat().st_ino: path for path in origin.rglob("*")} if gone else {}
    for path in gone:
        row = owners.pop(path)
        moved = there.get(row[2])
        if moved is not None:
            owners[f"/{moved.relative_to(origin)}"] = row
    for path, row in owners.items():
        row[2] = (copy / path[1:]).lstat().st_ino
    (copy / MODEL).write_text(json.dumps(model))
