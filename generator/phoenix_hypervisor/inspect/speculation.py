"""Running checks before they run: to learn what they will ask, and to ask all of it in few round trips."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .backend import BatchBackend, Unanswered, host_of

if TYPE_CHECKING:
    from testinfra.host import Host

    from .fleet import Fleet


class Call(NamedTuple):
    """A check's function with its arguments, and the host it asks."""

    host: str
    key: str
    function: Callable[[], object]


class Speculation:
    """The hosts as checks see them, and the answers they have been given so far."""

    def __init__(self, fleet: Fleet, hosts: Collection[str], before: Speculation | None = None) -> None:
        """`before` is one of a while ago on the same hosts: nothing is judged by its answers."""
        self._fleet = fleet
        self._hosts = {
            name: host_of(name, fleet, before.backend(name) if before else None) for name in sorted(hosts)
        }

    def host(self, name: str) -> Host:
        """Return testinfra's host of that name."""
        return self._hosts[name][0]

    def backend(self, name: str) -> BatchBackend:
        """Return the backend behind a host."""
        return self._hosts[name][1]

    def run(self, calls: Iterable[Call]) -> set[str]:
        """Run calls until none stops at a question; returns the keys of those that ended well.

        Between two rounds all open questions of all hosts are asked, each host's in one round trip.
        """
        held: set[str] = set()
        waiting = list(calls)
        while waiting:
            waiting = [
                call for call in waiting if not self._fleet.is_lost(call.host) and self._stops(call, held)
            ]
            asked = {
                name: asking
                for name, (_, backend) in self._hosts.items()
                if not self._fleet.is_lost(name) and (asking := backend.open_questions)
            }
            if not asked:
                break
            for name, answered in self._fleet.ask(asked).items():
                self.backend(name).take(answered)
        return held

    def _stops(self, call: Call, held: set[str]) -> bool:
        """Whether a call came to a question nobody has answered yet; notes those that held."""
        backend = self.backend(call.host)
        backend.speculating, before = True, backend.stops
        ended_well = False
        # pytest.skip and pytest.fail raise no Exceptions; the real run repeats what raised, and says why
        with suppress(Unanswered, Exception, pytest.skip.Exception, pytest.fail.Exception):
            call.function()
            ended_well = True
        backend.speculating = False
        if backend.stops != before:
            return True  # whatever it said: it was stopped, caught what should have stopped it, or guessed
        if ended_well:
            held.add(call.key)
        return False
