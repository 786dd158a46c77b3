"""/etc/pve/lxc/<vmid>.conf: what Proxmox reads in it, and what it writes.

The description stands on top as `#` lines with `:`, `%` and all but plain ASCII as %XX. Then come the keys
in alphabetical order, then raw `lxc.*` lines in their own order, then `[pve:pending]` and the snapshots.
By hand everything may stand anywhere: a comment is then part of the description, `lxc.key = value` is
read too, and of a key that is there twice the last counts (pve-container 5.2, seen on 8.4).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from . import property_string

FOLDER = "/etc/pve/lxc"


def question(folder: str) -> str:
    """Return shell that prints every conf under a header with its name, byte for byte, with one process.

    A file that goes away meanwhile is no error; one that is there and cannot be read is.
    """
    return (
        f'cd {folder} && set -- *.conf && if test "$*" != "*.conf"; then tail -v -c +1 -- "$@" 2>/dev/null '
        '|| for f in "$@"; do test ! -e "$f" || cat "$f" >/dev/null || exit 2; done; fi'
    )


QUESTION = question(FOLDER)

_BLANKS = " \t\r\f\v"
_HEADER = re.compile(r"(?:\A|\n)==> ([^\n]*) <==\n")
_NAME = re.compile(r"([1-9][0-9]{2,8})\.conf")

_PENDING = re.compile(r"\[pve:pending\]\s*", re.ASCII | re.IGNORECASE)
_SNAPSHOT = re.compile(r"\[([a-z][a-z0-9_-]+)\]\s*", re.ASCII | re.IGNORECASE)
_RAW = re.compile(r"(lxc\.[a-z0-9_.-]+)(?::|\s*=)\s*(.*?)\s*", re.ASCII)
_DESCRIPTION = re.compile(r"description:\s*(.*\S)\s*", re.ASCII)
_SNAPSTATE = re.compile(r"snapstate:\s*(prepare|delete)\s*$", re.ASCII)
_KEY = re.compile(r"([a-z][a-z_]*[0-9]*):\s*(.+?)\s*", re.ASCII)

BOOLEANS = frozenset({"console", "debug", "onboot", "protection", "template", "unprivileged"})
INTEGERS = frozenset({"cores", "cpuunits", "memory", "swap", "tty", "snaptime"})

_PLAIN = "".join(char for char in map(chr, range(0x20, 0x7F)) if char not in ":%")

_RAW_KEYS = frozenset(
    """
    apparmor.allow_incomplete apparmor.allow_nesting apparmor.profile apparmor.raw arch autodev cap.drop
    cap.keep console.logfile console.path devtty.dir environment environment.hooks environment.runtime group
    hook.autodev hook.clone hook.destroy hook.mount hook.post-stop hook.pre-mount hook.pre-start hook.start
    hook.stop hook.version idmap include init.cmd init.cwd kmsg log.file log.level mount.auto mount.entry
    mount.fstab pty.max rootfs.mount seccomp.notify.cookie seccomp.notify.proxy seccomp.profile
    selinux.context signal.halt signal.reboot signal.stop start.auto start.delay start.order
    sysctl.fs.mqueue sysctl.kernel.msgmax sysctl.kernel.msgmnb sysctl.kernel.msgmni sysctl.kernel.sem
    sysctl.kernel.shm_rmid_forced sysctl.kernel.shmall sysctl.kernel.shmmax sysctl.kernel.shmmni tty.max
    uts.name
    """.split()  # noqa: SIM905
)
_OLD_RAW_KEYS = frozenset(
    """
    aa_allow_incomplete aa_profile console devttydir haltsignal id_map init_cmd logfile loglevel mount
    network.flags network.hwaddr network.ipv4 network.ipv4.gateway network.ipv6 network.ipv6.gateway
    network.link network.mtu network.name network.script.down network.script.up network.type pts
    rebootsignal se_context seccomp stopsignal tty utsname
    """.split()  # noqa: SIM905
)
_RAW_FAMILIES = ("cgroup2.", "prlimit.", "net.")
_OLD_RAW_FAMILIES = ("cgroup.", "limit.")
_KEPT_KEYS = _RAW_KEYS | _OLD_RAW_KEYS
_KEPT_FAMILIES = _RAW_FAMILIES + _OLD_RAW_FAMILIES


class Section(NamedTuple):
    """The container's settings, those that wait for its next start, or those of one snapshot."""

    description: str = ""
    """Decoded; without a line break at the end, which Proxmox does not keep."""
    keys: Mapping[str, str] = {}
    """Every `key: value`, known or not; switches as 0 or 1, whole numbers without leading zeros."""
    raw: tuple[tuple[str, str], ...] = ()
    """The `lxc.*` lines in their order."""
    unread: tuple[str, ...] = ()
    """Lines that Proxmox cannot read. It drops them when it writes the file next."""

    def raw_values(self, key: str) -> tuple[str, ...]:
        """Return the values of all raw lines of a key."""
        return tuple(value for name, value in self.raw if name == key)


class Conf(NamedTuple):
    """A container's conf file."""

    active: Section
    pending: Section
    """What waits for the next start: the keys that will be set, and `delete` with the names of others."""
    snapshots: Mapping[str, Section]

    @property
    def keys(self) -> Mapping[str, str]:
        """The settings the container has now."""
        return self.active.keys

    @property
    def raw(self) -> tuple[tuple[str, str], ...]:
        """The `lxc.*` lines, which count from the next start on."""
        return self.active.raw

    @property
    def description(self) -> str:
        """The container's description."""
        return self.active.description

    @property
    def waiting(self) -> dict[str, str | None]:
        """Key → the value it will have after the next start; None for one that will be gone."""
        found: dict[str, str | None] = dict.fromkeys(deletions(self.pending.keys.get("delete", "")))
        return {**found, **{key: value for key, value in self.pending.keys.items() if key != "delete"}}


def deletions(text: str) -> list[str]:
    """Return the names in the pending `delete` list; a `!` before one (do it by force) is left out."""
    return [name.lstrip("!") for name in re.split(r"[\s,;]+", text) if name]


def digest(text: str) -> str:
    """Return what `--digest` is compared with: the SHA-1 of the file's bytes."""
    return hashlib.sha1(text.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()


@cache
def parse(text: str) -> Conf:
    """Read a conf file's text as Proxmox does."""
    active = lines = _Lines()
    pending = _Lines()
    snapshots: dict[str, _Lines] = {}
    for line in text.split("\n"):
        named = _SNAPSHOT.fullmatch(line)
        if _PENDING.fullmatch(line):
            lines = pending = _Lines()
        elif named:
            lines = snapshots[named[1]] = _Lines()
        elif not _blank(line):
            lines.add(line, waits=lines is pending, snapshot=lines not in (active, pending))
    return Conf(active.section(), pending.section(), {name: snapshots[name].section() for name in snapshots})


class _Lines:
    """The lines of one section, gathered."""

    def __init__(self) -> None:
        self.description = ""
        self.keys: dict[str, str] = {}
        self.raw: list[tuple[str, str]] = []
        self.unread: list[str] = []

    def add(self, line: str, waits: bool, snapshot: bool) -> None:
        """Read one line that is not blank."""
        misplaced = {"description"} if waits else {"description", "delete"}
        if line.startswith("#"):
            self.description += decoded(line[1:]) + "\n"
        elif found := _RAW.fullmatch(line):
            self._add_raw(found[1], found[2], line)
        elif found := _DESCRIPTION.fullmatch(line):
            self.description += decoded(found[1])
        elif found := _SNAPSTATE.search(line):
            # a snapshot that was cut short; outside of snapshots it means nothing
            self.keys.update({"snapstate": found[1]} if snapshot else {})
        elif (found := _KEY.fullmatch(line)) and found[1] not in misplaced:
            self.keys[found[1]] = canonical(found[1], found[2])
        else:
            self.unread.append(line)

    def _add_raw(self, key: str, value: str, line: str) -> None:
        if not _kept(key):
            self.unread.append(line)
        else:
            self.raw.append((key, value))

    def section(self) -> Section:
        description = self.description.rstrip("\n")
        return Section(description, self.keys, tuple(self.raw), tuple(self.unread))


def canonical(key: str, value: str) -> str:
    """Return a setting's value in the spelling Proxmox gives it when it reads it."""
    if key in BOOLEANS:
        return property_string.boolean(value)
    return property_string.integer(value) if key in INTEGERS else value


def _kept(key: str) -> bool:
    name = key.removeprefix("lxc.")
    return name in _KEPT_KEYS or name.startswith(_KEPT_FAMILIES)


def refusal(key: str) -> str:
    """Say why a raw `lxc.*` key cannot be declared: Proxmox drops it, or LXC has forgotten it. Or nothing."""
    name = key.removeprefix("lxc.")
    if name in ("rootfs.path", "rootfs.options"):
        return f"`{key}` belongs to Proxmox: declare `rootfs` instead"
    if name in _OLD_RAW_KEYS or name.startswith(_OLD_RAW_FAMILIES):
        return (
            f"`{key}` is from before LXC 3 or cgroup 2 and has another name today: see lxc.container.conf(5)"
        )
    if name == key or not _kept(key):
        return f"`{key}` is not a raw setting that Proxmox keeps"
    return ""


def decoded(line: str) -> str:
    """Return a line of a description as it was meant."""
    return unquote_to_bytes(line.encode(errors="surrogateescape")).decode(errors="replace")


def encoded(description: str) -> str:
    """Return the lines of a description as they stand in the file, each with its line break."""
    lines = description.rstrip("\n").split("\n") if description.strip("\n") else []
    return "".join(f"#{quote(line, safe=_PLAIN)}\n" for line in lines)


def write(conf: Conf) -> str:
    """Return the file as Proxmox writes it: in its order, without the lines it cannot read."""
    text = _written(conf.active)
    if conf.pending.keys or conf.pending.raw or conf.pending.description:
        text += f"\n[pve:pending]\n{_written(conf.pending)}"
    return text + "".join(f"\n[{name}]\n{_written(conf.snapshots[name])}" for name in sorted(conf.snapshots))


def _written(section: Section) -> str:
    lines = [f"{key}: {section.keys[key]}\n" for key in sorted(section.keys)]
    lines += [f"{key}: {value}\n" for key, value in section.raw]
    return encoded(section.description) + "".join(lines)


def with_raw(text: str, wanted: Mapping[str, Sequence[str]]) -> str:
    """Return a conf file's text with the wanted values for raw keys of the active section, in order.

    Raw lines of these keys are ours: each stays where it is, is rewritten there, or goes; what is more
    comes after the last of its key, or at the section's end. All else is kept byte for byte.
    """
    left = {key: _checked(key, values) for key, values in wanted.items()}
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines) if _begins(line)), len(lines))
    kept: list[list[str]] = [[]]
    places: dict[str, int] = {}
    last = 0
    for line in lines[:end]:
        found = _RAW.fullmatch(line)
        if found and found[1] in left:
            if not left[found[1]]:
                continue
            value = left[found[1]].pop(0)
            kept.append([line if found[2] == value else f"{found[1]}: {value}"])
            places[found[1]] = len(kept) - 1
        else:
            kept.append([line])
        last = last if _blank(line) else len(kept) - 1
    for key, values in left.items():
        kept[places.get(key, last)] += [f"{key}: {value}" for value in values]
    return "\n".join([*(line for group in kept for line in group), *lines[end:]])


def _blank(line: str) -> bool:
    return not line.strip(_BLANKS)


def _begins(line: str) -> bool:
    return bool(_PENDING.fullmatch(line) or _SNAPSHOT.fullmatch(line))


def _checked(key: str, values: Sequence[str]) -> list[str]:
    for value in values:
        found = _RAW.fullmatch(f"{key}: {value}")
        if not found or "\n" in value or found.groups() != (key, value):
            raise ValueError(f"`{key}: {value}` cannot be written as a line of a container's conf file")
    return list(values)


@cache
def split_all(text: str, folder: str = FOLDER) -> Mapping[str, str]:
    """Read the answer to QUESTION into VMID → the text of its conf.

    A file whose name is no VMID of Proxmox's (`60.conf`) is left out. Raises ValueError when a VMID is
    there twice: then a conf holds a line that looks like a header, and nobody can tell whose lines follow.
    """
    parts = _HEADER.split(text)
    if parts[0]:
        raise ValueError(f"the conf files of {folder} were not printed as asked: `{parts[0][:80]}`")
    found: dict[str, str] = {}
    for name, content in zip(parts[1::2], parts[2::2], strict=True):
        vmid = _NAME.fullmatch(name)
        if not vmid:
            continue
        if vmid[1] in found:
            raise ValueError(
                f"{folder}: there are two headers for {name}; look for `==> {name} <==` in the files"
            )
        found[vmid[1]] = content
    return found
