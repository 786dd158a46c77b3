"""When a node is looked at next: an interval with jitter, longer and longer while looking fails. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

JITTER = 0.1
LONGEST = 3600.0
"""Seconds between two tries to reach a node, at most (or the interval, if that is longer)."""


@dataclass
class Pace:
    """The pace of one node. `chance` returns numbers from 0 to 1."""

    interval: float
    chance: Callable[[], float]
    failures: int = 0

    def first(self) -> float:
        """Return the seconds until the first look: nodes do not begin all at once."""
        return self.chance() * min(self.interval * JITTER, 10)

    def next(self, *, failed: bool) -> float:
        """Return the seconds until the next look, after one that failed or did not."""
        self.failures = self.failures + 1 if failed else 0
        longest = max(self.interval, LONGEST)
        seconds = min(self.interval * 2.0 ** min(max(self.failures - 1, 0), 16), longest)
        return seconds * (1 + JITTER * (2 * self.chance() - 1))
