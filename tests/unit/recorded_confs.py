"""The conf files of containers in the recorded transcripts."""

import re
from typing import NamedTuple

from tests.lab import transcripts

TOPICS = (
    "02-pct",
    "03-pct-set-snap-clone",
    "07-running-pending",
    "08-template-clone-move",
    "09-misc-relocated",
    "10-pmxcfs",
)
_ALONE = re.compile(r"(?:(?:printf|sed|pct set) [^;]*; )*cat /etc/pve/lxc/(\d+)\.conf")


class Recorded(NamedTuple):
    """A whole conf file as it was printed."""

    topic: str
    n: int
    vmid: str
    text: str


def load() -> list[Recorded]:
    """Every conf that was printed alone; none where there are no transcripts."""
    if not transcripts.available():
        return []
    return [
        Recorded(topic, entry.n, found[1], entry.stdout)
        for topic in TOPICS
        for entry in transcripts.load(topic)
        if entry.exit == 0 and (found := _ALONE.fullmatch(entry.command))
    ]


def name(recorded: Recorded) -> str:
    """What a test calls it."""
    return f"{recorded.topic}-{recorded.n}"


def said(topic: str, number: int) -> str:
    """What a command printed."""
    return next(entry.stdout for entry in transcripts.load(topic) if entry.n == number)
