"""The node's users and groups (/etc/passwd, /etc/group) and who owns a path.

The sandbox cannot give files to other users, so `chown` is recorded in the model's "owners":
path → [uid, gid, inode, time of the last write]. The inode tells a file from another one that took its name,
both together find a file again that was renamed.
"""

import functools
import os

import model
import quick_json

Owners = dict[str, list[int]]
NOBODY = 65534
"""Who owns, in a guest, what belongs to somebody whom the guest does not know."""
FOREIGN = "/dev/.owners"
"""In a guest: whose the node's folders are that are mounted in it: [[folder, uid, gid], …], deepest first."""


def table(name: str) -> list[list[str]]:
    """Return the rows of /etc/passwd, /etc/group or /etc/shadow."""
    try:
        with open(model.path(f"/etc/{name}"), encoding="utf-8") as file:
            return [
                line.rstrip("\n").split(":") for line in file if line.strip() and not line.startswith("#")
            ]
    except FileNotFoundError:
        return []


def user(name: str) -> list[str] | None:
    return next((row for row in table("passwd") if row[0] == name), None)


def group(name: str) -> list[str] | None:
    return next((row for row in table("group") if row[0] == name), None)


def name_of(number: int, kind: str) -> str | None:
    """Return the name behind a uid (kind `passwd`) or gid (kind `group`)."""
    return next((row[0] for row in table(kind) if row[2] == str(number)), None)


def groups_of(name: str) -> list[int]:
    row = user(name)
    return ([int(row[3])] if row else []) + [int(g[2]) for g in table("group") if name in g[3].split(",")]


def resolved(path: str) -> str:
    """Return the node's absolute path without links in its folder: the key of a recorded owner."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(folder), name)


def recorded(owners: Owners, path: str) -> list[int] | None:
    """Return the recorded uid and gid of an existing path (as the file system has it), if there are any."""
    facts = os.lstat(path)
    row = owners.get(resolved(path))
    if row is not None and row[2] == facts.st_ino:
        return row[:2]
    mark = [facts.st_ino, facts.st_mtime_ns]
    moved = [old for name, old in owners.items() if old[2:] == mark and not _still(name, facts.st_ino)]
    return moved[0][:2] if moved else foreign(path)


def foreign(path: str) -> list[int] | None:
    """Return uid and gid, as a guest sees them, of what lies in a folder of the node; None for all else."""
    rows = _foreign_folders()
    place = resolved(path) if rows else ""
    return next(([uid, gid] for at, uid, gid in rows if place == at or place.startswith(at + "/")), None)


@functools.cache
def _foreign_folders() -> list[tuple[str, int, int]]:
    if not os.path.exists(FOREIGN):
        return []

    with open(FOREIGN, encoding="utf-8") as file:
        rows: list[tuple[str, int, int]] = quick_json.load(file)
    return rows


def forget() -> None:
    """Know nothing of these folders any more: in another root they are others."""
    _foreign_folders.cache_clear()


def _still(path: str, inode: int) -> bool:
    return os.path.lexists(path) and os.lstat(path).st_ino == inode


def record(owners: Owners, path: str, uid: int, gid: int) -> None:
    """Remember whose a path is; nothing is kept where that is what the file system says anyway."""
    facts = os.lstat(path)
    if [uid, gid] != [facts.st_uid, facts.st_gid]:
        owners[resolved(path)] = [uid, gid, facts.st_ino, facts.st_mtime_ns]
        return
    # Also what was noted under a name it had before.
    for name in [name for name, row in owners.items() if row[2] == facts.st_ino]:
        del owners[name]


def owner(owners: Owners, path: str) -> list[int]:
    """Return uid and gid of an existing path."""
    found = recorded(owners, path)
    if found is not None:
        return found
    facts = os.lstat(path)
    return [facts.st_uid, facts.st_gid]


def allowed(owners: Owners, path: str, name: str, bits: int) -> bool:
    """Say whether a user may do this (4 read, 2 write, 1 enter) by the path's mode and owner."""
    row = user(name)
    uid = int(row[2]) if row else 65534
    mode = os.stat(path).st_mode
    held_by, group_of = owner(owners, os.path.realpath(path))
    if uid == 0:
        return True
    if uid == held_by:
        mode >>= 6
    elif group_of in groups_of(name):
        mode >>= 3
    return mode & bits == bits
