"""What a node is asked about its machines: few questions for all of them, and how the answers are read."""

from typing import NamedTuple

from ..containers.seen import CLOCK, NO_NOTE, Note, lines_by_vmid, tags
from ..dialects import qemu_conf
from ..resource import made
from .settings import MARK

__all__ = ["CLOCK", "NOTES", "NOTHING", "RUNNING", "Note", "Seen", "is_image", "marked", "note_of", "tags"]

SCOPES = "/sys/fs/cgroup/qemu.slice"
RUNNING = f"ls {SCOPES}"
"""systemd's scopes, `<vmid>.scope`: Proxmox starts each QEMU in one (run_command in PVE::QemuServer)."""
NOTES = f"grep -sH '' {made('vm', '*')}"
IMAGE = "phoenix image "
"""What the description of a template begins with that we made of an image."""


class Seen(NamedTuple):
    """One machine as its node has it."""

    text: str
    """Its conf; empty if there is none."""
    running: bool
    note: Note
    window: bool
    """Whether it is the time for restarts."""
    started: bool = True
    """Whether cloud-init has had its first start."""

    @property
    def conf(self) -> qemu_conf.Conf:
        """Its conf, read."""
        return qemu_conf.parse(self.text)


NOTHING = Seen("", running=False, note=NO_NOTE, window=True)


def running(text: str) -> set[str]:
    """Read the answer to RUNNING into VMIDs."""
    return {name.removesuffix(".scope") for name in text.split() if name.endswith(".scope")}


def note_of(text: str, vmid: str) -> Note:
    """Read our notes about one machine out of the answer to NOTES."""
    notes = lines_by_vmid(text)
    parts = notes.get(f"{vmid}.parts")
    if vmid not in notes and parts is None:
        return NO_NOTE
    return Note(notes.get(vmid, ""), frozenset((parts or "").split("\n")) - {""}, parts is not None)


def was_started(text: str, vmid: str) -> bool:
    """Tell whether cloud-init has had its first start: our note says so."""
    return f"{vmid}.started" in lines_by_vmid(text)


def marked(conf: qemu_conf.Conf) -> bool:
    """Tell whether a machine carries our tag, and is no template of an image."""
    return MARK in tags(conf.keys) and not is_image(conf)


def is_image(conf: qemu_conf.Conf) -> bool:
    """Tell whether a machine is a template that we made of an image."""
    return conf.description.startswith(IMAGE)


def stranger(conf: qemu_conf.Conf, hostname: str) -> str:
    """Return who a machine is without our tag that is called otherwise; empty for the one that is meant."""
    called = conf.keys.get("name", "")
    if is_image(conf):
        return f"the template of the image {called}"
    if marked(conf) or called == hostname:
        return ""
    return f"the machine {called or 'without a name'}, which we did not make"
