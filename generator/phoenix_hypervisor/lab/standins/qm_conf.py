"""/etc/pve/qemu-server/<vmid>.conf: read and rewritten as Proxmox does; and the locks of virtual machines."""

import os
import re
import sys
from contextlib import contextmanager

import guest_conf
import model
from guest_conf import Conf, Part, Refused, decode_text, encode_text
from hints import Iterator, TextIO

FOLDER = "/etc/pve/qemu-server"
LOCKS = "/var/lock/qemu-server"
_PAIR = re.compile(r"([a-z][a-z_\-]*\d*):\s*(.+?)\s*")
_SECTION = re.compile(r"\[([a-z][a-z0-9_\-]+)\]\s*", re.IGNORECASE)
SPECIAL = "special:cloudinit"


def file_of(vmid: str) -> str:
    """Return the path of a machine's conf, as seen on the node."""
    return f"{FOLDER}/{vmid}.conf"


class MachineConf(Conf):
    """A machine's configuration; `drive` is what the cloud-init drive holds that is set otherwise now."""

    def __init__(self, vmid: str) -> None:
        super().__init__(vmid)
        self.drive = Part()


def parse(vmid: str, text: str) -> MachineConf:
    """Read a conf; what is wrong in it is told on stderr, and is no error."""
    import hashlib

    conf = MachineConf(vmid)
    conf.digest = hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    part: Part = conf
    described = ""
    for line in text.split("\n"):
        section = _section_of(line)
        if not line.strip():
            continue
        if section:
            if described:
                part.values["description"] = described
            described = ""
            part = {"pending": conf.pending, SPECIAL: conf.drive}.get(section) or Part()
            if part not in (conf.pending, conf.drive):
                conf.snapshots[section] = part
        elif line.startswith("#"):
            described += decode_text(line[1:]) + "\n"
        else:
            described += _line(vmid, conf, part, line)
    if described:
        part.values["description"] = described
    return conf


def _section_of(line: str) -> str:
    if re.fullmatch(r"\[PENDING\]\s*", line, re.IGNORECASE):
        return "pending"
    if re.fullmatch(rf"\[{SPECIAL}\]\s*", line, re.IGNORECASE):
        return SPECIAL
    found = _SECTION.fullmatch(line)
    return found[1] if found else ""


def _line(vmid: str, conf: MachineConf, part: Part, line: str) -> str:
    """Take in one line; return what it adds to the description."""
    state = re.search(r"snapstate:\s*(prepare|delete)\s*$", line)
    pair = _PAIR.fullmatch(line)
    if pair and pair[1] == "description":
        return decode_text(pair[2])
    if state:
        part.values["snapstate"] = state[1]
    elif pair and pair[1] == "delete":
        if part is conf.pending:
            part.values["delete"] = pair[2]
        else:
            _warn(f"vm {vmid} - property 'delete' is only allowed in [PENDING]")
    elif pair and part is conf.drive:
        part.values[pair[1]] = pair[2]
    elif pair:
        _take(vmid, part, *pair.groups())
    else:
        _warn(f"vm {vmid} - unable to parse config: {line}")
    return ""


NOT_CHECKED = ("parent", "snaptime", "snapstate", "meta", "runningmachine", "runningcpu", "vmstate")


def _take(vmid: str, part: Part, key: str, value: str) -> None:
    import qm_formats

    rule = qm_formats.rule_of(key)
    if key in NOT_CHECKED or key in [name.replace("[n]", "0") for name in qm_formats.LEFT_OUT]:
        part.values[key] = value
        return
    wrong = f"unknown setting '{key}'" if rule is None else qm_formats.fault(rule, value, "")
    if wrong or rule is None:
        _warn(f"vm {vmid} - unable to parse value of '{key}' - {wrong.rstrip()}")
        return
    part.values[key] = (
        ("1" if value.lower() in ("1", "on", "yes", "true") else "0") if rule.kind == "boolean" else value
    )


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def spell(conf: MachineConf) -> str:
    """Return the text of the file."""
    parts = [_spell_part(conf)]
    if conf.pending.values:
        parts.append("\n[PENDING]\n" + _spell_part(conf.pending))
    if conf.drive.values:
        parts.append(f"\n[{SPECIAL}]\n" + _spell_part(conf.drive))
    parts += [f"\n[{name}]\n" + _spell_part(part) for name, part in sorted(conf.snapshots.items())]
    return "".join(parts)


def _spell_part(part: Part) -> str:
    described = part.values.get("description", "").rstrip("\n")
    lines = ["#" + encode_text(line) for line in described.split("\n")] if described else []
    lines += [f"{key}: {value}" for key, value in sorted(part.values.items()) if key != "description"]
    return "".join(line + "\n" for line in lines)


def refuse_if_missing(vmid: str, status: int = 2) -> None:
    if not os.path.exists(model.path(file_of(vmid))):
        place = f"nodes/{guest_conf.node_name()}/qemu-server/{vmid}.conf"
        raise Refused(f"Configuration file '{place}' does not exist", status)


def load(vmid: str, status: int = 2) -> MachineConf:
    """Read a machine's conf, or refuse because it is not there."""
    refuse_if_missing(vmid, status)
    with open(model.path(file_of(vmid)), encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return parse(vmid, file.read())


def save(conf: MachineConf) -> None:
    """Write a conf in one go."""
    import guest_cluster

    final = model.path(file_of(conf.vmid))
    _forget_used(conf)
    new = not os.path.exists(final)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    with open(final + ".tmp", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(spell(conf))
        os.fchmod(file.fileno(), 0o640)
    os.replace(final + ".tmp", final)
    if new:
        guest_cluster.refresh(model.path("/"))


def _forget_used(conf: MachineConf) -> None:
    """Drop `unusedN` whose volume is attached again."""
    import qm_drives

    attached = {drive["file"] for drive in qm_drives.every(conf).values()}
    for key, volid in qm_drives.unused(conf).items():
        if volid in attached:
            del conf.values[key]


def remove(vmid: str) -> None:
    import guest_cluster

    os.unlink(model.path(file_of(vmid)))
    guest_cluster.refresh(model.path("/"))


def vmids() -> list[str]:
    """Return the machines of this node in the order of their numbers."""
    folder = model.path(FOLDER)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [name[:-5] for name in names if name.endswith(".conf") and name[:-5].isdecimal()]
    return sorted(found, key=int)


def check_lock(conf: Conf, skip: bool = False) -> None:
    """Refuse when a task has locked the machine by `lock:` in its conf."""
    if conf.values.get("lock") and not skip:
        raise Refused(f"VM is locked ({conf.values['lock']})")


def check_digest(conf: Conf, digest: str | None) -> None:
    if digest and digest != conf.digest:
        raise Refused("checksum mismatch (file change by other user?)")


@contextmanager
def locked(vmid: str, stream: TextIO | None = None) -> Iterator[None]:
    """Hold a machine's file lock."""
    with guest_conf.held(f"{LOCKS}/lock-{vmid}.conf", stream or sys.stderr):
        yield
