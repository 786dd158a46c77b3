"""Whose the files of containers are, where users are real: a node with LXC and all of root's rights.

In the lab's sandbox all files are one user's, and nothing here changes anything.
"""

import os

import guest_runtime
from hints import Iterator

Map = list[list[str | int]]
"""Which ids of the container are which of the node: [u or g, inside, outside, how many]."""


def like(source: str, target: str) -> None:
    """Give what was copied from one folder into another the owners it had there."""
    for path in _all(target):
        facts = os.lstat(path)
        before = source + path[len(target) :]
        if os.path.lexists(before):
            owners = os.lstat(before)
            _give(path, facts, owners.st_uid, owners.st_gid)


def shift(folder: str, idmap: Map) -> None:
    """Let the files of a new root, unpacked by the node's root, belong to the container's users."""
    if not idmap or not guest_runtime.real():
        return
    for path in _all(folder):
        facts = os.lstat(path)
        _give(path, facts, outside(idmap, "u", facts.st_uid), outside(idmap, "g", facts.st_gid))


def outside(idmap: Map, sort: str, number: int) -> int:
    """Return a container's uid (`u`) or gid (`g`) as the node knows it."""
    for kind, first, start, count in idmap:
        if kind == sort and int(first) <= number < int(first) + int(count):
            return int(start) + number - int(first)
    return number


def _all(folder: str) -> Iterator[str]:
    yield folder
    for at, folders, files in os.walk(folder):
        yield from (os.path.join(at, name) for name in (*folders, *files))


def _give(path: str, facts: os.stat_result, uid: int, gid: int) -> None:
    if (facts.st_uid, facts.st_gid) == (uid, gid):
        return
    os.lchown(path, uid, gid)
    if os.path.isfile(path) and not os.path.islink(path):
        os.chmod(path, facts.st_mode & 0o7777)  # chown(2) takes set-user-id away
