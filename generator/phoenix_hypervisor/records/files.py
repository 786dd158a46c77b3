"""Records as files: `.phoenix/runs/<run>.jsonl` of the site, one event a line.

A record is for people and for other programs. No plan looks at one: deleting them changes nothing. One
that cannot be written (the disk is full) is said once, and the run goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import PhoenixError, UsageError, did_you_mean
from .events import PASSING, Event, line

FOLDER = Path(".phoenix/runs")
NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}")
KEPT = 500
"""How many records a site keeps; of more, the oldest go."""


@dataclass(frozen=True)
class Record:
    """What one run left. `end` is empty of a run that was cut, or goes on."""

    name: str
    run: Event
    end: Event = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Event → how often it was told."""
    failed: int = 0
    """Steps that ended with another status than 0."""


class Writer:
    """Listens to a run and keeps what it hears. `warn` is called once, when that fails.

    A record that becomes longer than `longest` bytes (0: as long as it likes) loses its older half: a watcher
    writes into one for months.
    """

    def __init__(self, site: Path, warn: Callable[[str], None], *, longest: int = 0) -> None:
        self._folder = site / FOLDER
        self._warn = warn
        self._longest = longest
        self._first = ""
        self._begun = self._failed = False

    def __call__(self, event: Event) -> None:
        if self._failed or event["event"] in PASSING:
            return
        name, row = str(event["run"]), line(event) + "\n"
        try:
            if not self._begun:
                self._begin(name, "")
                self._first = self._first or row
            try:
                self._append(name, row)
            except FileNotFoundError:  # removed by hand, or as the oldest of many: what comes is kept anyhow
                self._begin(name, self._first)
                self._append(name, row)
        except OSError as error:
            self._failed = True
            said = f"no record of this run is kept: {self._folder}: {error.strerror}"
            self._warn(f"{said}; the run goes on")

    def _begin(self, name: str, rows: str) -> None:
        """Make the file, with what is to be in it already; the oldest of the others go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _leave(self._folder, KEPT - 1)
        self._append(name, rows, os.O_CREAT | os.O_EXCL)
        self._begun = True

    def _append(self, name: str, rows: str, new: int = 0) -> None:
        """Write to the end: the file is open no longer than that takes, so nothing is lost in a crash."""
        path = self._folder / f"{name}.jsonl"
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | new, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(rows)
            file.flush()
            length = os.fstat(number).st_size
        if 0 < self._longest < length:
            self._shorten(path)

    def _shorten(self, path: Path) -> None:
        """Leave the latest half of a record, and who began the run."""
        rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = rows[len(rows) // 2 + 1 :]
        new = path.with_suffix(".new")
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write("".join([self._first, *kept]))
        new.replace(path)


def forget(site: Path, name: str) -> None:
    """Remove a record that tells nothing new. Says nothing of one that is not there."""
    if NAME.fullmatch(name):
        with contextlib.suppress(OSError):
            (site / FOLDER / f"{name}.jsonl").unlink()


def _leave(folder: Path, number: int) -> None:
    """Remove the oldest records until no more than `number` are left."""
    for path in _files(folder)[: -number or None]:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    """The records, oldest first; what is called otherwise is not ours.

    Those from the future, when a clock was wrong, count as the oldest: else no other would be the last.
    """
    now = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%d-%H%M%S}"
    found = (path for path in folder.glob("*.jsonl") if NAME.fullmatch(path.stem))
    return sorted(found, key=lambda path: (path.stem <= now, path.stem))


def listed(site: Path) -> list[Record]:
    """Return all records, the latest first. A line that is not whole counts as not written."""
    return [_record(path) for path in reversed(_files(site / FOLDER))]


def _record(path: Path) -> Record:
    run: Event = {}
    end: Event = {}
    counts: dict[str, int] = {}
    failed = 0
    for event in _events(path):
        sort = str(event["event"])
        counts[sort] = counts.get(sort, 0) + 1
        failed += sort == "ran" and event.get("status") != 0
        run = event if sort == "run" else run
        end = event if sort == "end" else end
    return Record(path.stem, run, end, counts, failed)


def found(site: Path, name: str, *, with_: str = "") -> list[Event]:
    """Return all events of a run; `name` is its name, how that begins, or `last`. Raises PhoenixError.

    `with_`: an event that the last run must have been told to be meant.
    """
    names = [path.stem for path in _files(site / FOLDER)]
    if not names:
        raise PhoenixError(
            "no runs are recorded here", hint="`phoenix apply`, `plan` and `verify` leave records"
        )
    if name == "last" and with_:
        for one in reversed(names):
            events: list[Event] = list(_events(site / FOLDER / f"{one}.jsonl"))
            if any(event["event"] == with_ for event in events):
                return events
    fits = names[-1:] if name == "last" else [one for one in names if one.startswith(name)]
    if name in fits:
        fits = [name]
    if len(fits) != 1:
        said = f"no run `{name}`" if not fits else f"`{name}` may be {' or '.join(fits[:4])}"
        hint = did_you_mean(name, names) if not fits else ""
        raise UsageError(said, hint=hint or "`phoenix history` lists them; `last` is the latest")
    return list(_events(site / FOLDER / f"{fits[0]}.jsonl"))


def _events(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise PhoenixError(f"cannot read {path}: {error.strerror}") from error
    yield from events_in(text)


def events_in(text: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a record's text. A line that is not whole counts as not written."""
    for row in text.splitlines():
        try:
            event = json.loads(row)
        except ValueError:
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            yield event
