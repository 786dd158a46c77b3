"""Measuring whole processes: in turn (A B C A B C …), so that a noisy machine is noisy for all alike."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """One finished process."""

    seconds: float
    cpu: float
    """Its own and its children's, user and system."""
    megabytes: float
    """Peak memory, of the largest process among it and its children."""
    status: int


class Subject(NamedTuple):
    """A command to measure; `before` and `after` are not part of it."""

    argv: Sequence[str]
    stdin: Path | None = None
    before: Callable[[], Mapping[str, str]] = dict
    """Makes what this run needs, and returns variables for its environment."""
    after: Callable[[], None] = lambda: None


class Broken(Exception):  # noqa: N818  (it is what the run is)
    """A measured command did not end well: its figures would mean nothing."""


def once(subject: Subject, log: Path) -> Run:
    """Run a command once. Raises Broken with what it said when its exit status is not 0."""
    # users have their byte code cached
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PHOENIX_SITE")
    }
    environment |= subject.before()
    with (subject.stdin or Path("/dev/null")).open("rb") as stdin, log.open("wb") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(subject.argv, stdin=stdin, stdout=said, stderr=said, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    subject.after()
    if process.returncode:
        raise Broken(f"{' '.join(subject.argv)} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def in_turn(subjects: Mapping[str, Subject], times: int, log: Path) -> dict[str, list[Run]]:
    """Run all commands once uncounted, then all in turn `times` times; the runs of each."""
    found: dict[str, list[Run]] = {name: [] for name in subjects}
    for number in range(times + 1):
        for name, subject in subjects.items():
            run = once(subject, log)
            if number:
                found[name].append(run)
    return found


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return median, least and greatest."""
    return median(values), min(values), max(values)


def ratios(runs: Sequence[Run], other: Sequence[Run]) -> list[float]:
    """Return the ratio of wall-clock times, pair by pair."""
    return [a.seconds / b.seconds for a, b in zip(runs, other, strict=True)]
