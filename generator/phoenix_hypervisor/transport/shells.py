"""Several shells on one host, borrowed for as long as they are needed.

The first one is opened with the host and holds its lock. Questions that are many are dealt out to
several; steps that run at the same time each have one.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ..errors import HostError
from ..secrets import Text
from . import Answer, Question, Transport
from .hearing import Hear

MOST = 8
"""How many shells one host gets: below sshd's usual MaxSessions of 10."""
ASKING = 4
"""How many of them share many questions."""
MANY = 20
"""From how many questions for each it is worth another shell."""


class Shells:
    """The shells on one host, as one transport that several threads may use at once."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._first = make()
        self._idle: list[Transport] = [self._first]
        self._all: list[Transport] = [self._first]
        self._most = MOST
        self._changed = threading.Condition()
        self.trips = 0

    def open(self) -> None:
        """Connect, if that is not done yet. Raises HostError."""
        with self._changed:
            if self._first.trips == 0:
                self._first.open()
                self.trips += self._first.trips

    def ask(self, questions: Sequence[Question], *, costly: int = 0) -> list[Answer]:
        """Run questions in one round trip; many, or several `costly` ones, through several shells at once."""
        self.open()
        wanted = min(ASKING, max(len(questions) // MANY, costly, 1))
        with self._borrowed(wanted) as shells:
            self._count()
            if len(shells) == 1:
                return shells[0].ask(questions)
            # dealt out like cards, so that the costly ones, which stand together, are spread
            parts = [questions[n :: len(shells)] for n in range(len(shells))]
            with ThreadPoolExecutor(len(shells)) as pool:
                answered = list(pool.map(lambda shell, part: shell.ask(part), shells, parts))
        return [answered[n % len(parts)][n // len(parts)] for n in range(len(questions))]

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        """Run one command that may change the host, on a shell nobody else uses meanwhile."""
        self.open()
        with self._borrowed(1) as shells:
            self._count()
            return shells[0].act(command, stdin, hear)

    def lock(self, path: str, owner: str) -> str | None:
        """Take a lock on the host while the first shell lives."""
        before = self._first.trips
        holder = self._first.lock(path, owner)
        self.trips += self._first.trips - before
        return holder

    def close(self) -> None:
        """End all shells; the first one last, with the lock."""
        for shell in reversed(self._all):
            shell.close()

    def _count(self) -> None:
        with self._changed:
            self.trips += 1

    @contextmanager
    def _borrowed(self, wanted: int) -> Iterator[list[Transport]]:
        """At least one open shell, and up to `wanted` of those that are free or may still be opened."""
        shells = [self._one()]
        try:
            shells += self._more(wanted - 1)
            yield shells
        finally:
            with self._changed:
                # the first one is taken first again: work that is not parallel stays on it
                self._idle = sorted([*self._idle, *shells], key=self._all.index, reverse=True)
                self._changed.notify_all()

    def _one(self) -> Transport:
        """Wait for a shell."""
        while True:
            with self._changed:
                while not self._idle and len(self._all) >= self._most:
                    self._changed.wait()
                if self._idle:
                    return self._idle.pop()
            opened = self._another()
            if opened is not None:
                return opened

    def _more(self, wanted: int) -> list[Transport]:
        """Up to so many further shells, without waiting for anybody."""
        found: list[Transport] = []
        while len(found) < wanted:
            with self._changed:
                if self._idle:
                    found.append(self._idle.pop())
                    continue
            opened = self._another()
            if opened is None:
                break
            found.append(opened)
        return found

    def _another(self) -> Transport | None:
        """Open one more; None when there are enough, or the host allows no more sessions."""
        with self._changed:
            if len(self._all) >= self._most:
                return None
            shell = self._make()
            self._all.append(shell)
        try:
            shell.open()
        except HostError:
            # no more sessions, or the host is lost: the first shell will tell
            with self._changed:
                self._all.remove(shell)
                self._most = len(self._all)
                self._changed.notify_all()
            shell.close()
            return None
        return shell
