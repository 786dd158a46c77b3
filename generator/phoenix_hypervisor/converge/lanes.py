"""Who may go on when: lanes that wait for each other, and locks on steps.

A *lane* is what does its work in order: a node, or a guest with everything about it and inside it.
Lanes run at the same time; one that has nothing to do waits while another may make something ready.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

Work = TypeVar("Work")


class Lanes:
    """The lanes of one run."""

    def __init__(self, names: Collection[str]) -> None:
        self._changed = threading.Condition()
        self._open = set(names)
        self._working: set[str] = set()

    @contextmanager
    def ending(self, lane: str) -> Iterator[None]:
        """The lane's whole life: when it ends, however it does, nobody waits for it any more."""
        try:
            yield
        finally:
            with self._changed:
                self._open.discard(lane)
                self._working.discard(lane)
                self._changed.notify_all()

    def next(self, lane: str, ready: Callable[[], list[Work]], due: Callable[[str], bool]) -> list[Work]:
        """Wait until the lane has work; an empty list when it never will have any again.

        `ready` says what can be done now; `due(lane)` whether a lane has something that may be.
        """
        with self._changed:
            self._working.discard(lane)
            self._changed.notify_all()
            while not (work := ready()):
                if not self._working and not any(due(other) for other in self._open - {lane}):
                    return []
                # an upper bound: a lane may end without a word when its host is lost
                self._changed.wait(5)
            self._working.add(lane)
            return work


class Locks:
    """Named locks, taken all or none: two steps that want the same ones cannot wait for each other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[tuple[str, str], str] = {}
        """Node and lock → who holds it."""

    @contextmanager
    def held(
        self,
        node: str,
        names: Collection[str],
        who: str = "",
        waits: Callable[[str, str], None] = lambda _lock, _holder: None,
    ) -> Iterator[None]:
        """Hold the locks of that name on a node; waits for whoever holds one of them.

        `who` wants them; `waits` is called, once, with the lock that is taken and its holder.
        """
        wanted = [(node, name) for name in names]
        with self._changed:
            taken = next((lock for lock in wanted if lock in self._held), None)
            if taken is not None:
                waits(taken[1], self._held[taken])
            while any(lock in self._held for lock in wanted):
                self._changed.wait()
            self._held |= dict.fromkeys(wanted, who)
        try:
            yield
        finally:
            with self._changed:
                for lock in dict.fromkeys(wanted):
                    del self._held[lock]
                self._changed.notify_all()
