"""/etc/pve/lxc/<vmid>.conf: read and rewritten as Proxmox does, with its habits; and its locks.

Comments anywhere become the description, keys are sorted, `lxc.*` keeps its order, lines that are not
understood are warned about and lost, unknown keys are warned about and kept.
"""

import fcntl
import os
import re
import sys
import time
from contextlib import contextmanager

import guest_cluster
import model
from hints import Iterator, TextIO
from storage_rules import NO, YES
from storage_rules import Refused as StorageRefused

FOLDER = "/etc/pve/lxc"
LOCKS = "/run/lock/lxc"
PATIENCE = float(os.environ.get("PHOENIX_LAB_LOCK_SECONDS", "10"))
"""Seconds that Proxmox waits for a guest's lock; nothing can change that on a real node."""
_RAW = re.compile(r"(lxc\.[a-z0-9_\-.]+)(?::|\s*=)\s*(.*?)\s*")
_PAIR = re.compile(r"([a-z][a-z_]*\d*):\s*(.+?)\s*")
_SECTION = re.compile(r"\[([a-zA-Z][a-zA-Z0-9_\-]+)\]\s*")


class Refused(StorageRefused):
    """What pct says no to: all of its message, and its exit status (often a left-over errno)."""

    def __init__(self, text: str, status: int = 255) -> None:
        super().__init__(text)
        self.status = status


class Part:
    """The settings of a section: `key: value` by key, and the `lxc.*` lines in their order."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.raw: list[tuple[str, str]] = []

    def copy_from(self, other: "Part") -> None:
        """Take over another section's settings, and no others."""
        self.values, self.raw = dict(other.values), list(other.raw)


class Conf(Part):
    """A guest's configuration; the description is decoded, and ends in a newline once it was in a file."""

    def __init__(self, vmid: str) -> None:
        super().__init__()
        self.vmid = vmid
        self.pending = Part()
        self.snapshots: dict[str, Part] = {}
        self.digest = ""

    def pending_deletes(self) -> list[str]:
        return [word.lstrip("!") for word in _words(self.pending.values.get("delete", ""))]

    def delete_later(self, key: str) -> None:
        """Put a key on the list of what goes at the next start; what waited to be set is forgotten."""
        self.pending.values.pop(key, None)
        self._spell_deletes({*self.pending_deletes(), key})

    def keep(self, key: str) -> None:
        """Take a key off the list of what goes."""
        self._spell_deletes(set(self.pending_deletes()) - {key})

    def _spell_deletes(self, keys: set[str]) -> None:
        self.pending.values.pop("delete", None)
        if keys:
            self.pending.values["delete"] = ",".join(sorted(keys))


def _words(value: str) -> list[str]:
    return value.replace(",", " ").replace(";", " ").split()


def file_of(vmid: str) -> str:
    """Return the path of a guest's conf, as seen on the node."""
    return f"{FOLDER}/{vmid}.conf"


def node_name() -> str:
    return str(model.read().get("hostname", "localhost"))


def encode_text(text: str) -> str:
    """Escape control characters, `:`, `%` and everything that is not ASCII."""
    return "".join(
        chr(byte) if 0x20 <= byte <= 0x7E and byte not in b"%:" else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


def decode_text(text: str) -> str:
    plain = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda found: bytes([int(found[1], 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return plain.decode("utf-8", "replace")


def checked_type(key: str, value: str) -> str:
    """Return a value of the file as Proxmox keeps it (`yes` → `1`, `0256` → `256`), or refuse it."""
    import guest_formats

    rule = guest_formats.rule_of(key)
    if rule is None:
        raise Refused(f"unknown setting '{key}'")
    if rule.kind == "boolean":
        if value.lower() in YES + NO:
            return "1" if value.lower() in YES else "0"
    elif rule.kind == "integer":
        if value.isdecimal():
            return str(int(value))
    elif rule.kind != "number":
        fault = guest_formats.format_fault(rule, value, "")
        if fault:
            raise Refused(fault)
        return value
    elif re.fullmatch(r"\d+(\.\d+)?", value):
        return value
    raise Refused(f"type check ('{rule.kind}') failed - got '{value}'")


def parse(vmid: str, text: str) -> Conf:
    """Read a conf; what is wrong in it is told on stderr, and is no error."""
    import hashlib

    conf = Conf(vmid)
    conf.digest = hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    part: Part = conf
    described = ""
    for line in text.split("\n"):
        if not line.strip():
            continue
        section = _section_of(line)
        if section or line.startswith("#"):
            if line.startswith("#"):
                described += decode_text(line[1:]) + "\n"
                continue
            if described:
                part.values["description"] = described
            described = ""
            part = conf.pending if section == "pve:pending" else Part()
            if part is not conf.pending:
                conf.snapshots[section] = part
            continue
        described += _line(vmid, part, part is conf.pending, line)
    if described:
        part.values["description"] = described
    return conf


def _section_of(line: str) -> str:
    if re.fullmatch(r"\[pve:pending\]\s*", line, re.IGNORECASE):
        return "pve:pending"
    found = _SECTION.fullmatch(line)
    return found[1] if found else ""


def _line(vmid: str, part: Part, pending: bool, line: str) -> str:
    """Take in one line; return what it adds to the description."""
    raw = _RAW.fullmatch(line)
    if raw:
        if raw[1].startswith("lxc.rootfs"):
            _warn(vmid, f"{raw[1]}: {raw[1]} is auto generated from rootfs")
        else:
            part.raw.append((raw[1], raw[2]))
        return ""
    state = re.search(r"snapstate:\s*(prepare|delete)\s*$", line)
    pair = _PAIR.fullmatch(line)
    if pair and pair[1] == "description":
        return decode_text(pair[2])
    if state:
        part.values["snapstate"] = state[1]
    elif pair and pair[1] == "delete":
        if pending:
            part.values["delete"] = pair[2]
        else:
            _warn(vmid, "property 'delete' is only allowed in [pve:pending]")
    elif pair:
        part.values[pair[1]] = _value(vmid, pair[1], pair[2])
    else:
        _warn(vmid, f"unable to parse config: {line}")
    return ""


def _value(vmid: str, key: str, value: str) -> str:
    if key in ("parent", "snaptime", "snapstate"):
        return value
    try:
        return checked_type(key, value)
    except Refused as refused:
        # What is not understood is kept: only a line without a key is lost.
        _warn(vmid, f"unable to parse value of '{key}' - {str(refused).rstrip()}")
        return value


def _warn(vmid: str, text: str) -> None:
    print(f"vm {vmid} - {text}", file=sys.stderr)


def spell(conf: Conf) -> str:
    """Return the text of the file."""
    parts = [_spell_part(conf)]
    if conf.pending.values:
        parts.append("\n[pve:pending]\n" + _spell_part(conf.pending))
    parts += [f"\n[{name}]\n" + _spell_part(part) for name, part in sorted(conf.snapshots.items())]
    return "".join(parts)


def _spell_part(part: Part) -> str:
    described = part.values.get("description", "").rstrip("\n")
    lines = ["#" + encode_text(line) for line in described.split("\n")] if described else []
    lines += [f"{key}: {value}" for key, value in sorted(part.values.items()) if key != "description"]
    lines += [f"{key}: {value}" for key, value in part.raw]
    return "".join(line + "\n" for line in lines)


def load(vmid: str, status: int = 2) -> Conf:
    """Read a guest's conf, or refuse because it is not there."""
    refuse_if_missing(vmid, status)
    with open(model.path(file_of(vmid)), encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return parse(vmid, file.read())


def refuse_if_missing(vmid: str, status: int = 2) -> None:
    """Refuse what cannot be done to a guest that this node does not have."""
    if not os.path.exists(model.path(file_of(vmid))):
        place = f"nodes/{node_name()}/lxc/{vmid}.conf"
        raise Refused(f"Configuration file '{place}' does not exist", status)


def save(conf: Conf) -> None:
    """Write a conf in one go."""
    import hashlib

    final = model.path(file_of(conf.vmid))
    if any(key.startswith("unused") for key in conf.values):
        import guest_mounts

        guest_mounts.forget_used(conf)
    text = spell(conf).encode("utf-8", "surrogateescape")
    os.makedirs(os.path.dirname(final), exist_ok=True)
    # Not `.conf`: whoever lists the folder meanwhile must not see two guests.
    with open(final + ".tmp", "wb") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o640)
    new = not os.path.exists(final)
    os.replace(final + ".tmp", final)
    if new:
        guest_cluster.refresh(model.path("/"))
    conf.digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()


def running(vmid: str) -> bool:
    import guest_runtime

    return vmid in guest_runtime.running()


def remove(vmid: str) -> None:
    os.unlink(model.path(file_of(vmid)))
    guest_cluster.refresh(model.path("/"))


def vmids() -> list[str]:
    """Return the guests of this node in the order of their numbers."""
    guest_cluster.refresh(model.path("/"))
    folder = model.path(FOLDER)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [name[:-5] for name in names if name.endswith(".conf") and name[:-5].isdecimal()]
    return sorted(found, key=int)


def owner(vmid: str) -> tuple[str, str] | None:
    """Return the type (`CT` or `VM`) and node of the guest with that number, on any node."""
    nodes = model.path("/etc/pve/nodes")
    for node in sorted(os.listdir(nodes)) if os.path.isdir(nodes) else []:
        for folder, kind in (("lxc", "CT"), ("qemu-server", "VM")):
            if os.path.exists(os.path.join(nodes, node, folder, f"{vmid}.conf")):
                return kind, node
    return None


def refuse_if_used(vmid: str) -> None:
    """A number belongs to one guest in the whole cluster."""
    found = owner(vmid)
    if found:
        text = f"{found[0]} {vmid} already exists on node '{found[1]}'"
        raise Refused(text, 255 if found[1] == node_name() else 2)


def check_lock(conf: Conf, status: int = 255) -> None:
    """Refuse when a task has locked the guest by `lock:` in its conf."""
    if conf.values.get("lock"):
        raise Refused(f"CT is locked ({conf.values['lock']})", status)


def check_digest(conf: Conf, digest: str | None) -> None:
    if digest and digest != conf.digest:
        raise Refused("detected modified configuration - file changed by other user? Try again.")


@contextmanager
def locked(vmid: str, stream: TextIO | None = None) -> Iterator[None]:
    """Hold a guest's file lock; waiting is told on `stream`: stdout for a task, otherwise stderr."""
    with held(f"{LOCKS}/pve-config-{vmid}.lock", stream or sys.stderr):
        yield


@contextmanager
def held(name: str, stream: TextIO) -> Iterator[None]:
    """Hold a lock file as Proxmox does, or refuse after a while."""
    os.makedirs(os.path.dirname(model.path(name)), exist_ok=True)
    with open(model.path(name), "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("trying to acquire lock...", file=stream, flush=True)
            _wait(lock, name)
            print(" OK", file=stream, flush=True)
        yield


def _wait(lock: TextIO, name: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
    raise Refused(f"can't lock file '{name}' - got timeout", 4)
