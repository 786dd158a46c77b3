"""The loop: run what is planned for what can be run, look again, until nothing differs or nothing moves.

Each host goes its own way in a thread of Nornir's; a resource is *fixed* when its checks pass on
the second look, whatever the exit status of its steps said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import ExitCode, HostError
from ..inspect.looks import Look, Status
from ..inspect.opening import OpenSite
from ..inspect.session import inspect
from ..render import Renderer
from ..resource import Effect, Ref, Step
from ..transport import Transport
from .plan import Consent, Entry, Plan, planned
from .steps import acts

TRIES = 3
"""How often a resource's steps are run while each second look still finds something new."""


class Ran(NamedTuple):
    """A step that was run."""

    ref: Ref
    title: str
    effect: Effect
    began: float
    """Unix time."""
    seconds: float
    status: int
    said: str


Tell = Callable[[str, Mapping[str, Any]], None]
"""Called as things happen: an event's name and its facts."""


@dataclass
class Outcome:
    """How an apply ended."""

    looks: dict[Ref, Look]
    ran: list[Ran] = field(default_factory=list)
    stuck: dict[Ref, str] = field(default_factory=dict)
    """Resources given up on, with the reason."""
    lost: dict[str, HostError] = field(default_factory=dict)
    """Hosts nothing is known about, with the reason."""
    stopped: bool = False
    """Whether somebody stopped it between two steps."""

    @property
    def code(self) -> ExitCode:
        """The exit status of `phoenix apply`."""
        statuses = {look.status for look in self.looks.values()}
        codes = [ExitCode.OK]
        if self.stuck or statuses & {Status.DRIFT, Status.UNHEALTHY}:
            codes.append(ExitCode.FAILED)
        if Status.UNKNOWN in statuses:
            codes.append(ExitCode.UNKNOWN)
        if Status.BLOCKED in statuses and len(codes) == 1:
            codes.append(ExitCode.FAILED)
        return ExitCode.worst(codes)


class Engine:
    """Carries out one plan on an open site."""

    def __init__(
        self,
        opened: OpenSite,
        plan: Plan,
        looks: Mapping[Ref, Look],
        consent: Consent,
        tell: Tell,
        targets: Collection[Ref] | None = None,
    ) -> None:
        self._opened = opened
        self._targets = targets
        self._plan = plan
        self._consent = consent
        self._tell = tell
        self._renderer = Renderer(opened.site.folder)
        self._announced = {step.destroys for entry in plan.entries for step in entry.steps if step.destroys}
        self.outcome = Outcome(dict(looks))

    def run(self) -> Outcome:
        """Converge every host that has something to do, in parallel; look at everything again at the end."""
        hosts = {entry.ref.host for entry in self._plan.entries if entry.steps}
        for entry in self._plan.entries:
            if entry.orphan and entry.refusals:  # it has no look that could tell
                self.outcome.stuck[entry.ref] = "; ".join(refusal.reason for refusal in entry.refusals)
        self._opened.fleet.run(self._converge_host, hosts, "converge")
        scope = [ref for ref in self.outcome.looks if ref.host in hosts]
        if self.outcome.ran and not self.outcome.stopped:
            self._look_again(scope, fresh=True)
        for host in self._opened.fleet.lost:
            self._host_lost(host)
        return self.outcome

    def stop(self) -> None:
        """Start no further step; those that are running end."""
        self.outcome.stopped = True

    def _converge_host(self, host: str) -> None:
        orphans = [
            entry for entry in self._plan.entries if entry.orphan and entry.ref.host == host and entry.steps
        ]
        self.outcome.stuck.update(self._carry_out(host, orphans))
        tries: dict[Ref, int] = {}
        while not self.outcome.stopped and (ready := self._ready(host, tries)):
            before = {entry.ref: entry.look for entry in ready}
            failed = self._carry_out(host, ready)
            unsettled = [
                r for r, look in self.outcome.looks.items() if r.host == host and look.status is not Status.OK
            ]
            self._look_again(unsettled)
            for ref, look in before.items():
                tries[ref] = tries.get(ref, 0) + 1
                self._judge(ref, look, tries[ref], failed.get(ref, ""))

    def _ready(self, host: str, tries: Mapping[Ref, int]) -> list[Entry]:
        """What can be run now: it differs, what it needs is right, and no step goes beyond the plan."""
        ready = []
        limit = self._plan.strongest(host)
        for ref, look in self.outcome.looks.items():
            due = look.status in (Status.DRIFT, Status.UNHEALTHY) and ref not in self.outcome.stuck
            if self._targets is not None and ref not in self._targets:
                continue  # checked because a target needs it, never changed
            if ref.host != host or not due or (look.status is Status.UNHEALTHY and tries.get(ref)):
                continue
            entry = planned(self._opened.site, look, self._consent)
            beyond = [
                step
                for step in entry.steps
                if step.effect > limit or (step.destroys and step.destroys not in self._announced)
            ]
            if beyond:
                self.outcome.stuck[ref] = (
                    f"would need a step the plan did not announce: {beyond[0].title}: run again"
                )
            elif entry.steps:
                ready.append(entry)
            elif entry.refusals:
                self.outcome.stuck[ref] = "; ".join(refusal.reason for refusal in entry.refusals)
        return ready

    def _carry_out(self, host: str, entries: Collection[Entry]) -> dict[Ref, str]:
        """Run the entries' steps; those marked `once` last. Returns why a resource's steps ended early."""
        if not entries:
            return {}
        transport = self._opened.fleet.transport(host)
        failed: dict[Ref, str] = {}
        last: dict[Step, Ref] = {}
        for entry in entries:
            for step in entry.steps:
                if step.once:
                    last.setdefault(step, entry.ref)
                elif self.outcome.stopped or not self._step(transport, entry.ref, step, failed):
                    break
            # a resource whose own steps failed still has its files as they were: a reload does no harm
        # files are completed before the service that reads them reloads
        for step, ref in sorted(last.items(), key=lambda pair: pair[0].effect):
            if not self.outcome.stopped:
                self._step(transport, ref, step, failed)
        return failed

    def _step(self, transport: Transport, ref: Ref, step: Step, failed: dict[Ref, str]) -> bool:
        self._tell("step", {"ref": ref, "title": step.title, "effect": step.effect})
        artifact = step.push or step.execute
        resource = self._opened.site.resources.get(ref)
        text = self._renderer.text(ref.kind, artifact, resource) if artifact else ""
        began, begun = time.time(), time.monotonic()
        status, said = 0, ""
        for act in acts(step, text):
            answer = transport.act(act.command, act.stdin)
            status = answer.status
            said = (answer.stderr.strip() or answer.stdout.strip()).decode(errors="replace")
            if status:
                failed[ref] = f"`{step.title}` ended with {status}: {said or 'it said nothing'}"
                break
        ran = Ran(ref, step.title, step.effect, began, time.monotonic() - begun, status, said)
        self.outcome.ran.append(ran)
        self._tell("ran", {"ran": ran})
        return status == 0

    def _look_again(self, refs: Collection[Ref], *, fresh: bool = False) -> None:
        again = set(refs)
        known = {} if fresh else {ref: look for ref, look in self.outcome.looks.items() if ref not in again}
        seen = inspect(self._opened, refs, probes=True, known=known).looks()
        self.outcome.looks.update(seen)

    def _judge(self, ref: Ref, before: Look, tries: int, failure: str) -> None:
        """After the second look: fixed, worth another try, or stuck."""
        look = self.outcome.looks[ref]
        if look.status is Status.OK:
            self._tell("fixed", {"ref": ref})
            return
        same = look.change == before.change and look.status is before.status
        if failure or same or tries >= TRIES:
            self.outcome.stuck[ref] = (
                failure or "; ".join(look.reasons) or "the same difference is there after its steps"
            )
            self._tell("stuck", {"ref": ref, "reason": self.outcome.stuck[ref]})

    def _host_lost(self, host: str) -> None:
        self.outcome.lost[host] = self._opened.fleet.lost[host]
        reason = self.outcome.lost[host].message
        for ref in [ref for ref in self.outcome.looks if ref.host == host]:
            self.outcome.looks[ref] = Look(ref, Status.UNKNOWN, reasons=(reason,))
