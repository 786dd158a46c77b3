"""What a node is asked about its containers: few questions for all of them, and how the answers are read."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from ..dialects import lxc_conf, property_string
from ..resource import PENDING_FOLDER, made
from .settings import MARK

RUNNING = "lxc-ls --running -1"
STARTED = "grep -sH '' /var/lib/lxc/*/config"
"""LXC's own configurations. Proxmox writes one anew at a start and with every `pct set`
(update_lxc_config in PVE::LXC); the raw lines are its last ones, in their order."""
NOTES = f"grep -sH '' {made('lxc', '*')}"
REWRITTEN = f"""\
boot=$(cat /proc/sys/kernel/random/boot_id) || exit 2
for note in {PENDING_FOLDER}/lxc-*; do
    [ -e "$note" ] || continue
    read -r vmid pid when <"$note"
    now=$(lxc-info -n "$vmid" -pH) || now=
    if [ "$pid $when" = "$now $boot" ]; then printf '%s\\n' "$vmid"; fi
done
"""
"""Running containers whose raw lines we have changed since they were started: their init is the same."""
CARDS = "grep -sH '^Device Minor' /proc/driver/nvidia/gpus/*/information"
CLOCK = "date +%H:%M"


class Note(NamedTuple):
    """What we noted about a container we made."""

    origin: str
    """`from <vmid> <fingerprint>` or `from <template>`; empty for one that we did not make."""
    parts: frozenset[str]
    """Names of what we gave it of which it may have several."""
    whole: bool
    """Whether it was finished: it got all its settings before it was ever started."""


NO_NOTE = Note("", frozenset(), True)


class Seen(NamedTuple):
    """One container as its node has it."""

    text: str
    """Its conf; empty if there is none."""
    running: bool
    started: str
    """LXC's own configuration of it; empty if there is none."""
    rewritten: bool
    """Whether raw lines were changed by us while it runs."""
    note: Note
    window: bool
    """Whether it is the time for restarts."""

    @property
    def conf(self) -> lxc_conf.Conf:
        """Its conf, read."""
        return lxc_conf.parse(self.text)


NOTHING = Seen("", running=False, started="", rewritten=False, note=NO_NOTE, window=True)
"""What is seen of a container that is not there."""


@cache
def lines_by_vmid(text: str) -> Mapping[str, str]:
    """Read `grep -H` of files below folders or with names of VMIDs into VMID[.suffix] → content."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        path, _, content = line.partition(":")
        name = path.removesuffix("/config").rpartition("/")[2]
        found.setdefault(name, []).append(content)
    return {name: "\n".join(lines) for name, lines in found.items()}


def note_of(text: str, vmid: str) -> Note:
    """Read our notes about one container out of the answer to NOTES."""
    notes = lines_by_vmid(text)
    parts = notes.get(f"{vmid}.parts")
    if vmid not in notes and parts is None:
        return NO_NOTE
    return Note(notes.get(vmid, ""), frozenset((parts or "").split("\n")) - {""}, parts is not None)


def marked(conf: lxc_conf.Conf) -> bool:
    """Tell whether a container carries our tag."""
    return MARK in tags(conf.keys)


def stranger(conf: lxc_conf.Conf, hostname: str) -> str:
    """Return who a container is without our tag that is called otherwise; empty for the one that is meant.

    A note of ours says nothing here: it may be from a container that had this VMID before.
    """
    called = conf.keys.get("hostname", "")
    if marked(conf) or called == hostname:
        return ""
    return f"the container {called or 'without a name'}, which we did not make"


def tags(keys: Mapping[str, str]) -> list[str]:
    """Return a container's tags."""
    return lxc_conf.deletions(keys.get("tags", ""))


def slot(keys: Mapping[str, str], kind: str, own: str, name: str) -> str | None:
    """Return the key (`mp3`) of the setting of a kind whose property has this value, the first if several."""
    for key in sorted(keys, key=_number):
        if key.rstrip("0123456789") == kind and meaning(keys[key], kind).get(own) == name:
            return key
    return None


def free(keys: Mapping[str, str], taken: set[str], kind: str) -> str:
    """Return the first key of a kind that nothing has, and take it."""
    number = 0
    while f"{kind}{number}" in keys or f"{kind}{number}" in taken:
        number += 1
    taken.add(f"{kind}{number}")
    return f"{kind}{number}"


def meaning(text: str, kind: str) -> Mapping[str, str]:
    """Return a setting's properties, each value in its one spelling, defaults left out."""
    return property_string.meaning(text, kind)


def _number(key: str) -> tuple[str, int]:
    name = key.rstrip("0123456789")
    return name, int(key[len(name) :] or -1)
