"""Copies of containers' volumes: their files, what rsync says of it, and whose the files are.

The lab notes owners by path and inode number (accounts.py), in a model that lies in the container itself. A
copy has other inode numbers.
"""

import json
import os
import shutil
import stat

import guest_mounts
import guest_owners
import guest_volumes
import model
from guest_conf import Part
from guest_paths import inner

STATISTICS = """
Number of files: {all}
Number of created files: {made}
Number of deleted files: 0
Number of regular files transferred: {reg}
Total file size: {size:,} bytes
Total transferred file size: {size:,} bytes
Literal data: {size:,} bytes
Matched data: 0 bytes
File list size: 0
File list generation time: 0.001 seconds
File list transfer time: 0.000 seconds
Total bytes sent: {sent:,}
Total bytes received: {back:,}

sent {sent:,} bytes  received {back:,} bytes  {speed:,.2f} bytes/sec
total size is {size:,}  speedup is {ratio:.2f}"""


def tree(source: str, target: str, already: int = 1) -> None:
    """Copy all files of a folder into another one; `already` counts the folders that a new volume has."""
    os.makedirs(target, exist_ok=True)
    shutil.copytree(source, target, symlinks=True, ignore=_special, dirs_exist_ok=True)
    guest_owners.like(source, target)
    _tell(target, already)


def _special(folder: str, names: list[str]) -> list[str]:
    """Sockets and pipes are of what runs; nothing does."""
    kinds = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
    return [name for name, mode in kinds.items() if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)]


def _tell(folder: str, already: int) -> None:
    count = {"reg": 0, "dir": 1, "link": 0}
    size = 0
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            facts = os.lstat(os.path.join(at, name))
            kind = "link" if stat.S_ISLNK(facts.st_mode) else "dir" if stat.S_ISDIR(facts.st_mode) else "reg"
            count[kind] += 1
            size += 0 if kind == "dir" else facts.st_size
    sent, back = size + 52 + 24 * (count["reg"] + count["link"]), 19 + 4 * count["reg"]
    made = count | {"dir": max(count["dir"] - already, 0)}
    figures = {
        "all": _figures(count),
        "made": _figures(made),
        "reg": count["reg"],
        "size": size,
        "sent": sent,
    }
    print(STATISTICS.format(**figures, back=back, speed=(sent + back) * 2.0, ratio=size / (sent + back)))


def _figures(count: dict[str, int]) -> str:
    parts = ", ".join(f"{kind}: {number:,}" for kind, number in count.items() if number)
    return f"{sum(count.values()):,}" + (f" ({parts})" if parts else "")


def renew_owners(part: Part) -> None:
    """Let the owners noted in a container be those of the files that are at those paths now."""
    mounts = guest_mounts.every(part)
    renew(
        {
            mount.get("mp", "/").rstrip("/"): model.path(guest_volumes.place(mount["volume"]))
            for mount in mounts.values()
            if guest_mounts.kind(mount) == "volume"
        }
    )


def renew(places: dict[str, str]) -> None:
    """The same, for volumes by where they are mounted in the container; its root is ``."""
    file = inner(places[""], "/var/lib/phoenix-lab/model.json")
    if not os.path.exists(file):
        return
    with open(file, encoding="utf-8") as old:
        state = json.load(old)
    for path, row in state.get("owners", {}).items():
        above = max((at for at in places if path.startswith(at + "/")), key=len)
        real = places[above] + path[len(above) :]
        if os.path.lexists(real):
            facts = os.lstat(real)
            row[2:] = [facts.st_ino, facts.st_mtime_ns]
    with open(file + ".new", "w", encoding="utf-8") as new:
        json.dump(state, new, indent=1, sort_keys=True)
    os.replace(file + ".new", file)
