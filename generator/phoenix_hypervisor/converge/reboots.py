"""A node's reboot: told once, waited for with a deadline, recognised by the new id of the boot."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import HostError
from ..inspect.boots import BOOT_ID
from ..resource import Effect, Ref, Step
from ..transport import Answer, Question

if TYPE_CHECKING:
    from ..config import Site
    from ..inspect.fleet import Fleet

MOST = 3
"""How often a node is rebooted in one run, each time for another reason."""
STARTING = (b"initializing", b"starting")
"""What systemd says of itself while a boot goes on."""
SHORTEST, LONGEST = 0.25, 2.0
"""Seconds between two attempts to reach it."""
REMIND = 30.0
"""Seconds after which people are told again what is waited for."""


class Stopped(Exception):  # noqa: N818  (it is what somebody did)
    """Somebody stopped the run while it waited."""


def is_reboot(step: Step) -> bool:
    """Whether a step restarts the node: it is run last, and only when that was agreed to."""
    return step.effect is Effect.REBOOT


def reason(step: Step) -> str:
    """Return why a reboot is asked for."""
    return step.because or "it says so"


def interrupted(site: Site, ref: Ref) -> str:
    """Return whom a reboot of a resource's node interrupts: itself, and whatever guests run on it."""
    node = site.node_of(ref.host)
    running = [
        f"{own} {guest.name}"
        for guest in site.guests.values()
        if guest.node == node
        for own in site.of_guest(guest.name)
        if (kind := site.resources[own]).inhabited and kind.present and not kind.rests
    ]
    known = f" ({', '.join(running)})" if running else ""
    return f"{node} and every guest that runs on it{known}"


def boot_id(fleet: Fleet, node: str) -> str | None:
    """Return the id of a node's boot, asked through a connection of its own; None where it cannot be told."""
    try:
        with fleet.afresh(node) as transport:
            answer = transport.ask([Question(BOOT_ID)])[0]
    except HostError:
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.status == 0 else None


def restarted(fleet: Fleet, node: str, before: str | None) -> HostError:
    """Return why a node broke away: what is known of it, or that somebody restarted it since that boot."""
    now = boot_id(fleet, node) if before else None
    if not now or now == before:
        return fleet.lost[node]
    return HostError(
        f"host `{node}` was rebooted by somebody else in the middle of this run",
        hint="run again: it goes on from what is there",
    )


class Reboot:
    """One reboot of one node."""

    def __init__(
        self, fleet: Fleet, node: str, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        self._fleet = fleet
        self._node = node
        self._tell = tell
        self._stopped = stopped
        self._seconds = fleet.address(node).reboot_seconds

    def carry_out(self, argv: Sequence[str]) -> Answer:
        """Run the command and wait until the node is back; the answer is what went wrong otherwise.

        Raises HostError for a node that does not come back, Stopped when somebody is tired of waiting.
        """
        transport = self._fleet.transport(self._node)
        before = transport.ask([Question(BOOT_ID)])[0]
        if before.status:
            missing = before.stderr.strip() or b"no id"
            return Answer(1, b"", b"boots of this node cannot be told apart: " + missing)
        try:
            answer = transport.act(shlex.join(argv))
        except HostError:
            answer = Answer(0, b"", b"")  # it was faster than its answer
        if answer.status:
            return answer
        self._fleet.leave(self._node)
        began = time.monotonic()
        self._tell(f"{self._node} reboots; waiting for it to come back, at most {self._seconds:g} s")
        self._wait(before.stdout, began)
        holder = self._fleet.come_back(self._node)
        if holder is not None:
            return Answer(1, b"", f"it is back, but another run has begun on it: {holder}".encode())
        said = f"back after {time.monotonic() - began:.0f} s"
        self._tell(f"{self._node} is {said}")
        return Answer(0, said.encode(), b"")

    def _wait(self, before: bytes, began: float) -> None:
        """Wait for another boot that has done all it starts, or as far as it came by the deadline."""
        told = 0.0
        back = False
        missing = ""
        for seconds in self._pauses(began):
            try:
                there, up = self._look(before)
            except HostError as error:
                missing = error.message
            else:
                back = back or there
                if back and up:
                    return
                missing = "it still starts its services" if back else "it is still up, shutting down"
            if seconds - told >= REMIND:
                told = seconds
                self._tell(f"{self._node}: not back after {seconds:.0f} s: {missing}")
        if not back:
            raise HostError(
                f"host `{self._node}` was told to reboot, and is not back after {self._seconds:g} s: "
                f"{missing}",
                hint="look at its console; when it is up, run again: it goes on from what is there "
                "(`reboot_seconds` in the inventory says how long to wait)",
            )

    def _look(self, before: bytes) -> tuple[bool, bool]:
        """Whether it is another boot than before, and whether that has done all it starts."""
        with self._fleet.afresh(self._node) as transport:
            boot, system = transport.ask([Question(BOOT_ID), Question("systemctl is-system-running")])
        there = boot.status == 0 and boot.stdout != before
        return there, system.stdout.strip() not in STARTING

    def _pauses(self, began: float) -> Iterator[float]:
        """Yield the seconds gone by, with a pause after each, until the deadline."""
        pause = SHORTEST
        while (gone := time.monotonic() - began) < self._seconds:
            if self._stopped():
                raise Stopped
            yield gone
            time.sleep(min(pause, max(0.0, self._seconds - gone)))
            pause = min(pause * 1.5, LONGEST)
