"""/etc/pve/qemu-server/<vmid>.conf: what Proxmox reads in it, and what it writes.

Like a container's conf: the description stands on top as `#` lines, then the keys in alphabetical order. What
waits for the next start is in `[PENDING]`; `[special:cloudinit]` says with what the cloud-init drive was last
made, where that is not what is set now; then come the snapshots. There are no raw lines; `args` holds
whatever QEMU is to be given besides (qemu-server 8.3, seen on 8.4).
"""

import re
from collections.abc import Mapping
from functools import cache

from . import lxc_conf, qemu_properties
from .lxc_conf import Conf, Section, deletions, digest, encoded

__all__ = ["CLOUDINIT", "FOLDER", "QUESTION", "Conf", "Section", "deletions", "digest", "parse", "split_all"]

FOLDER = "/etc/pve/qemu-server"
QUESTION = lxc_conf.question(FOLDER)
CLOUDINIT = "special:cloudinit"

_PENDING = re.compile(r"\[PENDING\]\s*", re.ASCII | re.IGNORECASE)
_SPECIAL = re.compile(r"\[special:cloudinit\]\s*", re.ASCII | re.IGNORECASE)
_SNAPSHOT = re.compile(r"\[([a-z][a-z0-9_-]+)\]\s*", re.ASCII | re.IGNORECASE)
_DESCRIPTION = re.compile(r"description:\s*(.*\S)\s*", re.ASCII)
_SNAPSTATE = re.compile(r"snapstate:\s*(prepare|delete)\s*$", re.ASCII)
_KEY = re.compile(r"([a-z][a-z_-]*[0-9]*):\s*(.+?)\s*", re.ASCII)


class _Lines:
    """The lines of one section, gathered."""

    def __init__(self) -> None:
        self.description = ""
        self.keys: dict[str, str] = {}
        self.unread: list[str] = []

    def add(self, line: str, waits: bool, snapshot: bool) -> None:
        """Read one line that is not blank."""
        if line.startswith("#"):
            self.description += lxc_conf.decoded(line[1:]) + "\n"
        elif found := _DESCRIPTION.fullmatch(line):
            self.description += lxc_conf.decoded(found[1])
        elif found := _SNAPSTATE.search(line):
            self.keys.update({"snapstate": found[1]} if snapshot else {})
        elif (found := _KEY.fullmatch(line)) and (waits or found[1] != "delete"):
            key = "ide2" if found[1] == "cdrom" else found[1]
            self.keys[key] = qemu_properties.scalar(key, found[2])
        else:
            self.unread.append(line)

    def section(self) -> Section:
        return Section(self.description.rstrip("\n"), self.keys, (), tuple(self.unread))


@cache
def parse(text: str) -> Conf:
    """Read a conf file's text as Proxmox does. What the cloud-init drive holds is no part of it."""
    active = lines = _Lines()
    pending, drive = _Lines(), _Lines()
    snapshots: dict[str, _Lines] = {}
    for line in text.split("\n"):
        if _PENDING.fullmatch(line):
            lines = pending = _Lines()
        elif _SPECIAL.fullmatch(line):
            lines = drive = _Lines()
        elif found := _SNAPSHOT.fullmatch(line):
            lines = snapshots[found[1]] = _Lines()
        elif line.strip():
            lines.add(line, waits=lines is pending, snapshot=lines not in (active, pending, drive))
    return Conf(active.section(), pending.section(), {name: snapshots[name].section() for name in snapshots})


@cache
def unlike_drive(text: str) -> frozenset[str]:
    """Return the settings of which a running machine's cloud-init drive still has another value."""
    found: set[str] = set()
    inside = False
    for line in text.split("\n"):
        if line.startswith("["):
            inside = bool(_SPECIAL.fullmatch(line))
        elif inside and (named := _KEY.fullmatch(line)):
            found |= set(deletions(named[2])) if named[1] == "added" else {named[1]}
    return frozenset(found)


def write(conf: Conf) -> str:
    """Return the text of a conf as Proxmox would write it."""
    parts = [_written(conf.active)]
    if conf.pending.keys:
        parts.append("\n[PENDING]\n" + _written(conf.pending))
    parts += [f"\n[{name}]\n" + _written(conf.snapshots[name]) for name in sorted(conf.snapshots)]
    return "".join(parts)


def _written(section: Section) -> str:
    lines = [f"{key}: {section.keys[key]}\n" for key in sorted(section.keys)]
    return encoded(section.description) + "".join(lines)


def split_all(text: str) -> Mapping[str, str]:
    """Read the answer to QUESTION into VMID → the text of its conf; as for containers."""
    return lxc_conf.split_all(text, FOLDER)
