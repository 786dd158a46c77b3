"""The node's users and groups (/etc/passwd, /etc/group) and who owns a path.

The sandbox cannot give files to other users, so `chown` is recorded in the model's "owners".
"""

import os

import model

Owners = dict[str, list[int]]


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
    """Return the recorded owner of a path, as the file system has it."""
    return owners.get(resolved(path))


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
