"""One verb on named guests, one after the other: look, say what stands in the way, act, look again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..config import load
from ..converge.steps import Ran
from ..converge.steps import carry_out as run_step
from ..errors import ExitCode, HostError, PhoenixError, UsageError
from ..guestverbs import Does, Sight
from ..inspect.fleet import Fleet
from ..render import Renderer
from ..resource import Refusal, Step
from . import guests
from .guests import Named
from .node_lock import LOCK, owner, refuse_if_held
from .patience import patiently


@dataclass(frozen=True)
class Verb:
    """What a verb does with one guest."""

    does: Callable[[Named, Sight], Does]
    refuses: Callable[[Named, Sight], PhoenixError | None] = lambda _one, _sight: None
    """Why it would make no sense now."""
    done: Callable[[Sight], str] = lambda _sight: ""
    """What is so already, in words that follow the guest: `runs already`."""
    right: Callable[[Sight], bool] = lambda _sight: True
    """Whether it has come about, by a second look."""
    decides: bool = False
    """Whether that look alone decides; otherwise no step may have failed, too."""
    outcome: str = ""
    """What is so then: `runs`."""
    otherwise: Callable[[Named], str] = lambda _one: ""
    """What to do if it has not."""
    patient: bool = False
    """Whether its steps may take hours."""
    running: bool | None = None
    """Whether the guest runs afterwards; None: as before."""


@dataclass(frozen=True)
class Voice:
    """How people hear of what is done."""

    tell: Callable[[str], None]
    """Something besides."""
    warn: Callable[[PhoenixError], None]
    """Something that is wrong."""
    ran: Callable[[Ran], None]
    """A step that was run."""
    done: Callable[[str], None]
    """How it went: the verb's own output."""
    agreed: Callable[[Named, Sequence[Step]], bool] = lambda _one, _steps: True
    """Ask whether steps that destroy something may be run."""


class ByHand:
    """Named guests of a site, their nodes locked for a verb that changes them."""

    def __init__(self, folder: Path, words: Sequence[str], voice: Voice, *, lock: bool = True) -> None:
        self.site = load(folder)
        self.named = guests.named(self.site, words)
        self._nodes = {one.guest.node for one in self.named}
        self.fleet = Fleet(self.site.inventory, self.site.folder, self._nodes, self.site.guests.values())
        self._lock = lock
        self._voice = voice

    def __enter__(self) -> Self:
        try:
            if self._lock:
                refuse_if_held(self.fleet.lock(self._nodes, LOCK, owner()))
        except PhoenixError:
            self.fleet.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.fleet.close()

    def look(self) -> dict[str, Sight | HostError]:
        """Return what is known of the named guests; nodes are asked once, all at the same time."""
        return guests.look(self.fleet, self.named)

    def each(self, verb: Verb) -> ExitCode:
        """Do it with every named guest. What cannot be done with one does not keep the others from it."""
        related = {
            other.name: other
            for one in self.named
            for other in (*guests.needed_by(self.site, one), *guests.needing(self.site, one), one)
        }
        sights = guests.look(self.fleet, related.values())
        codes = []
        for one in self.named:
            try:
                codes.append(self._one(one, verb, sights))
            except UsageError:
                raise
            except PhoenixError as error:
                self._voice.warn(error)
                codes.append(error.code)
        return ExitCode.worst(codes)

    def _one(self, one: Named, verb: Verb, sights: dict[str, Sight | HostError]) -> ExitCode:
        sight = known(sights[one.name])
        trouble = guests.hindrance(one, sight) or verb.refuses(one, sight)
        if trouble:
            raise trouble
        if already := verb.done(sight):
            self._voice.done(f"{one.called} {already}")
            return ExitCode.OK
        steps = self._steps(one, verb, sight)
        self._tell_about(one, verb, sight, sights)
        if any(step.destroys for step in steps) and not self._voice.agreed(one, steps):
            return ExitCode.PENDING
        failure = carry_out(self.fleet, self.site.folder, one, steps, self._voice.ran, patient=verb.patient)
        sights |= guests.look(self.fleet, [one])
        after = known(sights[one.name])
        if not verb.right(after) or (failure and not verb.decides):
            raise PhoenixError(
                failure or f"{one.called}: it ended well, and it is not so that it {verb.outcome}",
                hint=verb.otherwise(one),
            )
        self._voice.done(f"{one.called} {verb.outcome}")
        return ExitCode.OK

    def _steps(self, one: Named, verb: Verb, sight: Sight) -> list[Step]:
        does = list(verb.does(one, sight))
        refused = [refusal.reason for refusal in does if isinstance(refusal, Refusal)]
        if refused:
            raise PhoenixError(f"guest {one.called}: {refused[0]}")
        return [step for step in does if isinstance(step, Step)]

    def _tell_about(self, one: Named, verb: Verb, sight: Sight, sights: dict[str, Sight | HostError]) -> None:
        """Tell what goes with it and is left as it is: what the files want, and other guests."""
        if verb.running is None:
            return
        if sight.wanted != ("running" if verb.running else "stopped"):
            self._voice.tell(f"{one.called} is declared {sight.wanted}: the next apply makes it so again")
        if verb.running:
            for other in guests.needed_by(self.site, one):
                if not _runs(sights[other.name]):
                    self._voice.tell(f"{other.called} does not run; {one.called} needs it")
        else:
            for other in guests.needing(self.site, one):
                if _runs(sights[other.name]):
                    self._voice.tell(f"{other.called} runs and needs {one.called}")


def carry_out(
    fleet: Fleet,
    folder: Path,
    one: Named,
    steps: Sequence[Step],
    tell: Callable[[Ran], None],
    *,
    patient: bool = False,
) -> str:
    """Run steps on a guest's node until one fails; why it failed, or nothing. Raises HostError.

    `patient`: steps may take longer than the connection waits for an answer.
    """
    transport = fleet.transport(one.ref.host)
    do = patiently(transport) if patient else lambda act: transport.act(act.command, act.stdin)
    renderer = Renderer(folder)
    for step in steps:
        artifact = step.push or step.execute
        text = renderer.text(one.ref.kind, artifact, one.resource) if artifact else ""
        ran = run_step(do, one.ref, step, text)
        tell(ran)
        if ran.failure:
            return ran.failure
    return ""


def known(sight: Sight | HostError) -> Sight:
    """Return what is known of a guest. Raises HostError when that is nothing."""
    if isinstance(sight, HostError):
        raise sight.with_traceback(None)
    return sight


def _runs(sight: Sight | HostError) -> bool:
    return isinstance(sight, Sight) and sight.running
