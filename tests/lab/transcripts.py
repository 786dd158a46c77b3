"""Recorded commands of real tools, and how a replay of them is judged and counted.

Every entry is one shell command with what it printed. A replay runs it against stand-ins and compares exit
status, stdout and stderr: first as they are, then with what differs from run to run replaced by a word.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "pve" / "transcripts"

_RUN_TO_RUN = [
    (re.compile(r"\b\d{4}-\d\d-\d\d\.\d\d:\d\d:\d\d\b"), "DATE"),
    (re.compile(r"\b(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d(?::\d\d)?(?: \d{4})?\b"), "DATE"),
    (re.compile(r"\b\d{15,20}\b"), "GUID"),
    (re.compile(r"\b1[67]\d{8}\b"), "TIME"),
    (re.compile(r'"(txg|createtxg)":"\d+"'), r'"\1":"TXG"'),
    (re.compile(r" *\b\d+(?:\.\d+)?K\b"), " KB"),
]


@dataclass(frozen=True)
class Entry:
    """One recorded command; `n` counts from 1 within its topic."""

    topic: str
    n: int
    command: str
    exit: int
    stdout: str
    stderr: str
    caveat: str


@dataclass(frozen=True)
class Outcome:
    """What a replayed command did."""

    exit: int
    stdout: str
    stderr: str


def available() -> bool:
    return FOLDER.is_dir()


def load(topic: str) -> list[Entry]:
    """Read the entries of a topic (`20-zpool`) in the order they were recorded."""
    lines = (FOLDER / f"{topic}.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Entry(d["topic"], d["n"], d["command"], d["exit"], d["stdout"], d["stderr"], d.get("caveat") or "")
        for d in map(json.loads, lines)
    ]


def normalise(text: str) -> str:
    """Replace dates, times, guids, transaction numbers and sizes in kB by a word each."""
    for pattern, word in _RUN_TO_RUN:
        text = pattern.sub(word, text)
    return text


def difference(entry: Entry, outcome: Outcome, shape: Callable[[str], str] = normalise) -> str:
    """Say what is not as recorded, with run-to-run values replaced; empty if nothing."""
    said = []
    if entry.exit != outcome.exit:
        said.append(f"exit {outcome.exit}, recorded {entry.exit}")
    for stream in ("stdout", "stderr"):
        recorded, got = shape(getattr(entry, stream)), shape(getattr(outcome, stream))
        if recorded != got:
            said.append(f"{stream}:\n{_first_difference(recorded, got)}")
    return "\n".join(said)


def _first_difference(recorded: str, got: str) -> str:
    pairs = zip([*recorded.splitlines(), "(end)"], [*got.splitlines(), "(end)"], strict=False)
    for old, new in pairs:
        if old != new:
            return f"  recorded {old!r}\n  got      {new!r}"
    return f"  recorded {recorded[-80:]!r}\n  got      {got[-80:]!r}"


@dataclass
class Report:
    """Counts a replay: what was reproduced (and how much of it byte for byte), missed, or left out."""

    topic: str
    reproduced: list[Entry] = field(default_factory=list)
    exact: list[Entry] = field(default_factory=list)
    missed: dict[int, str] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    commands: dict[int, str] = field(default_factory=dict)

    def judge(self, entry: Entry, outcome: Outcome, shape: Callable[[str], str] = normalise) -> bool:
        self.commands[entry.n] = entry.command
        wrong = difference(entry, outcome, shape)
        if wrong:
            self.missed[entry.n] = wrong
            return False
        self.reproduced.append(entry)
        if (outcome.exit, outcome.stdout, outcome.stderr) == (entry.exit, entry.stdout, entry.stderr):
            self.exact.append(entry)
        return True

    def leave_out(self, entry: Entry, why: str) -> None:
        self.commands[entry.n] = entry.command
        self.left_out[entry.n] = why

    @property
    def recorded(self) -> int:
        """How many entries are in scope."""
        return len(self.reproduced) + len(self.missed)

    def unexpected(self, known: Iterable[int]) -> dict[int, str]:
        """The misses that nobody gave a reason for."""
        return {n: why for n, why in self.missed.items() if n not in set(known)}

    def __str__(self) -> str:
        figures = f"reproduced {len(self.reproduced)} / recorded {self.recorded}"
        notes = f"{len(self.exact)} byte for byte; {len(self.left_out)} left out"
        lines = [f"{self.topic}: {figures} ({notes})"]
        lines += [f"  missed {n}: {self.commands[n]}\n{_indent(why)}" for n, why in self.missed.items()]
        lines += [f"  left out {n}: {self.commands[n]} ({why})" for n, why in self.left_out.items()]
        return "\n".join(lines)


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
