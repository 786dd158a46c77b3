"""Archives the kernel unpacks into its first file system: the `newc` format of cpio.

https://www.kernel.org/doc/html/latest/driver-api/early-userspace/buffer-format.html. Several of them, one
after the other, are unpacked over each other; plain and compressed ones may be mixed.
"""

import stat
from collections.abc import Mapping
from typing import NamedTuple

END = "TRAILER!!!"


class Entry(NamedTuple):
    """One file: regular, unless `mode` says folder or symbolic link (`content` is its target then)."""

    content: bytes = b""
    mode: int = stat.S_IFREG | 0o644


def folder(mode: int = 0o755) -> Entry:
    """Return the entry of a folder."""
    return Entry(mode=stat.S_IFDIR | mode)


def link(target: str) -> Entry:
    """Return the entry of a symbolic link."""
    return Entry(target.encode(), stat.S_IFLNK | 0o777)


def text(content: str, mode: int = 0o644) -> Entry:
    """Return the entry of a regular file."""
    return Entry(content.encode(), stat.S_IFREG | mode)


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return the archive of entries by their paths; the folders they need are made, all owned by root."""
    whole = dict(entries)
    for path in entries:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            whole.setdefault("/".join(parts[:depth]), folder())
    ordered = sorted(whole.items())
    archive = b"".join(_member(number, path, entry) for number, (path, entry) in enumerate(ordered, 1))
    return _padded(archive + _member(0, END, Entry(mode=0)))


def _member(inode: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, uid, gid, links, time, size, four device numbers, size of the name, checksum
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
