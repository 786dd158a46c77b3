"""The loop: run what is planned for what can be run, look again, until nothing differs or nothing moves.

Each lane (a node, a guest) goes its own way in a thread of Nornir's; a resource is *fixed* when its
checks pass on the second look, whatever the exit status of its steps said. A node that must be restarted, and
may be, is so once all its lanes are done; then it is looked at anew, and what is left is converged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..inspect.looks import Look, Status
from ..inspect.opening import OpenSite
from ..inspect.session import inspect
from ..records.events import timed
from ..render import Renderer
from ..resource import Effect, Ref, Step
from .lanes import Lanes, Locks
from .outcome import Outcome
from .plan import Consent, Entry, Plan, planned
from .reboots import MOST, Reboot, Stopped, is_reboot, reason, restarted
from .steps import carry_out
from .unsettled import blocked_anew, unsettled, waited_for
from .ways import progress, way

TRIES = 3
"""How often a resource's steps are run while each second look still finds something new."""

Tell = Callable[[str, Mapping[str, Any]], None]
"""Called as things happen: an event's name and its facts."""


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
        boots: Mapping[str, str] | None = None,
    ) -> None:
        """`boots`: the id of each node's boot, as far as it is known."""
        self._opened = opened
        self._targets = targets
        self._boots = dict(boots or {})
        self._plan = plan
        self._consent = consent
        self._tell = tell
        self._renderer = Renderer(opened.site.folder)
        self._announced = {step.destroys for entry in plan.entries for step in entry.steps if step.destroys}
        self._strongest: dict[str, Effect] = {}
        self._orphans: dict[str, list[Entry]] = {}
        """Lane → what is removed there, once."""
        for entry in plan.entries:
            lane = self._lane(entry.ref)
            if entry.orphan and entry.steps:
                self._orphans.setdefault(lane, []).append(entry)
            effects = [step.effect for step in entry.steps if not is_reboot(step)]
            self._strongest[lane] = max([self._strongest.get(lane, Effect.HOT), *effects])
        self._lanes: dict[str, Lanes] = {}
        """Node → its lanes: nothing waits for another node's."""
        self._locks = Locks()
        self._looking = threading.RLock()
        self._tries: dict[Ref, int] = {}
        self._advanced: set[Ref] = set()
        """Resources of which a step of this round has done its work."""
        self.outcome = Outcome(dict(looks))

    def run(self) -> Outcome:
        """Converge every lane that has something to do, in parallel; look at everything again at the end."""
        nodes = {self._node(entry.ref) for entry in self._plan.entries if entry.steps}
        for entry in self._plan.entries:
            if entry.orphan and entry.refusals:  # it has no look that could tell
                self.outcome.stuck[entry.ref] = "; ".join(refusal.reason for refusal in entry.refusals)
        self._opened.fleet.run(self._converge_node, nodes, "converge")
        scope = [ref for ref in self.outcome.looks if self._node(ref) in nodes]
        if self.outcome.ran and not self.outcome.stopped:
            self._look_again(scope, fresh=True)
        for node in self._opened.fleet.lost:
            self._node_lost(node)
        return self.outcome

    def _converge_node(self, node: str) -> None:
        """Converge a node's lanes; restart it when something waits for that, and go on with what is left."""
        lanes = {self._lane(entry.ref) for entry in self._plan.entries if self._node(entry.ref) == node}
        self._converge_lanes(node, lanes)
        if self._recovered(node):
            self._converge_lanes(node, lanes)
        asked: set[tuple[Ref, str]] = set()
        for _ in range(MOST):
            wanted = self._waiting_on(node)
            if not wanted or not self._consent.reboot or self._over(node):
                return
            if asked.issuperset(wanted.items()) or not self._reboot(node, wanted):
                break
            asked |= set(wanted.items())
            self._look_anew(node)
            lanes = {self._lane(ref) for ref in self.outcome.looks if self._node(ref) == node}
            self._converge_lanes(node, lanes)
        for ref, why in self._waiting_on(node).items():
            if (ref, why) in asked:
                self._give_up(ref, f"asks for a reboot again right after one, for the same reason: {why}")

    def _recovered(self, node: str) -> bool:
        """Whether what others wait for works by now: on a busy node a service may answer late."""
        sick = [ref for ref in waited_for(self.outcome.looks) if self._node(ref) == node]
        if not sick or self._over(node):
            return False
        with self._looking:
            self._look_around(sick)
        well = [ref for ref in sick if self.outcome.looks[ref].status is Status.OK]
        for ref in well:
            self.outcome.stuck.pop(ref, None)
        return bool(well)

    def _waiting_on(self, node: str) -> dict[Ref, str]:
        # a copy: other nodes' threads add to it
        return {ref: why for ref, why in list(self.outcome.waiting.items()) if self._node(ref) == node}

    def _over(self, node: str) -> bool:
        return self.outcome.stopped or self._opened.fleet.is_lost(node) is not None

    def _converge_lanes(self, node: str, lanes: Collection[str]) -> None:
        self._lanes[node] = Lanes(lanes)
        self._opened.fleet.run(self._converge_lane, lanes, "converge")

    def _reboot(self, node: str, wanted: Mapping[Ref, str]) -> bool:
        """Restart a node; whether it is back. What is wrong otherwise is said of what waits for it."""
        ref = next(iter(wanted))
        step = next(step for step in self._planned(ref).steps if is_reboot(step))
        self._boots.pop(node, None)  # whatever it is then is our own doing
        self._tell("step", {"ref": ref, "title": step.title, "effect": step.effect})
        wait = Reboot(
            self._opened.fleet,
            node,
            lambda words: self._tell("waits", {"node": node, "words": words}),
            lambda: self.outcome.stopped,
        )
        try:
            ran = carry_out(lambda _: wait.carry_out(step.argv), ref, step, "")
        except Stopped:
            return False
        self.outcome.ran.append(ran)
        self._tell("ran", {"ran": ran})
        if ran.failure:
            for other in wanted:
                self._give_up(other, ran.failure)
        return not ran.failure

    def _look_anew(self, node: str) -> None:
        """After a boot: nothing is known of the node any more, and what was given up on may go well now."""
        refs = [ref for ref in self.outcome.looks if self._node(ref) == node]
        for ref in refs:
            self._strongest[self._lane(ref)] = Effect.RESTART  # everything was interrupted anyhow
            self._tries.pop(ref, None)
            self.outcome.stuck.pop(ref, None)
            self.outcome.waiting.pop(ref, None)
        with self._looking:
            self._look_again(refs)

    def _give_up(self, ref: Ref, why: str) -> None:
        self.outcome.waiting.pop(ref, None)
        self.outcome.stuck[ref] = why
        self._tell("stuck", {"ref": ref, "reason": why})

    def _let_wait(self, ref: Ref, entry: Entry) -> None:
        """Note that nothing but a reboot helps."""
        why = "; ".join(reason(step) for step in entry.steps if is_reboot(step))
        if self.outcome.waiting.get(ref) != why:
            self.outcome.waiting[ref] = why
            self._tell("stuck", {"ref": ref, "reason": f"waits for a reboot: {why}"})

    def _node(self, ref: Ref) -> str:
        return self._opened.site.node_of(ref.host)

    def _lane(self, ref: Ref) -> str:
        """The guest a resource is about or in; otherwise its node."""
        guest = self._opened.site.guest_of(ref)
        return guest.name if guest else ref.host

    def stop(self) -> None:
        """Start no further step; those that are running end."""
        self.outcome.stopped = True

    def _converge_lane(self, lane: str) -> None:
        lanes = self._lanes[self._opened.site.node_of(lane)]
        with lanes.ending(lane):
            self.outcome.stuck.update(self._carry_out(self._orphans.pop(lane, [])))
            while ready := lanes.next(lane, lambda: self._ready(lane), lambda x: bool(self._due(x))):
                before = {entry.ref: entry.look for entry in ready}
                self._advanced -= before.keys()
                failed = self._carry_out(ready)
                with self._looking:
                    self._look_around(before)
                    for ref, look in before.items():
                        self._tries[ref] = self._tries.get(ref, 0) + 1
                        self._judge(ref, look, failed.get(ref, ""))

    def _due(self, lane: str) -> list[Ref]:
        """What of a lane differs and is not given up on."""
        if self.outcome.stopped or self._opened.fleet.is_lost(lane):
            return []
        return [
            ref
            for ref, look in self.outcome.looks.items()
            if look.status in (Status.DRIFT, Status.UNHEALTHY)
            and ref not in self.outcome.stuck
            and ref not in self.outcome.waiting
            and (self._targets is None or ref in self._targets)  # else checked because a target needs it
            and not (look.status is Status.UNHEALTHY and self._tries.get(ref))
            and self._lane(ref) == lane
        ]

    def _ready(self, lane: str) -> list[Entry]:
        """What can be run now: it differs, what it needs is right, and no step goes beyond the plan."""
        ready = []
        limit = self._strongest.get(lane, Effect.HOT)
        for ref in self._due(lane):
            if any(self._moves(other, self._node(ref)) for other in self._opened.site.after.get(ref, ())):
                continue
            entry = self._planned(ref)
            now = [step for step in entry.steps if not is_reboot(step)]
            beyond = [
                step
                for step in now
                if step.effect > limit or (step.destroys and step.destroys not in self._announced)
            ]
            if beyond:
                self.outcome.stuck[ref] = (
                    f"would need a step the plan did not announce: {beyond[0].title}: run again"
                )
            elif now:
                ready.append(entry)
            elif entry.steps and not entry.refusals:
                self._let_wait(ref, entry)
            else:
                reasons = [*(refusal.reason for refusal in entry.refusals), *entry.look.reasons]
                self.outcome.stuck[ref] = "; ".join(reasons) or "it differs, and nothing is known to be done"
        return ready

    def _moves(self, ref: Ref, node: str) -> bool:
        """Whether a resource of a node is not right yet, and may still become so."""
        look = self.outcome.looks.get(ref)
        while look is not None and look.status is Status.BLOCKED and look.blocked_by:
            look = self.outcome.looks.get(look.blocked_by)
        return (
            look is not None and self._node(look.ref) == node and look.ref in self._due(self._lane(look.ref))
        )

    def _planned(self, ref: Ref) -> Entry:
        return planned(self._opened.site, self.outcome.looks[ref], self._consent)

    def _carry_out(self, entries: Collection[Entry]) -> dict[Ref, str]:
        """Run the entries' steps; those marked `once` last. Returns why a resource's steps ended early."""
        failed: dict[Ref, str] = {}
        last: dict[Step, Ref] = {}
        for entry in entries:
            for step in entry.steps:
                if is_reboot(step):
                    continue  # when all lanes of the node are done
                if step.once:
                    last.setdefault(step, entry.ref)
                elif self.outcome.stopped or not self._step(entry.ref, step, failed):
                    break
            # a resource whose own steps failed still has its files as they were: a reload does no harm
        # files are completed before the service that reads them reloads
        for step, ref in sorted(last.items(), key=lambda pair: pair[0].effect):
            if not self.outcome.stopped:
                self._step(ref, step, failed)
        return failed

    def _step(self, ref: Ref, step: Step, failed: dict[Ref, str]) -> bool:
        def waits(lock: str, holder: str) -> None:
            self._tell("lock", {"ref": ref, "title": step.title, "lock": lock, "holder": holder})

        asked = time.monotonic()
        with self._locks.held(self._node(ref), step.locks, ref.full, waits):
            waited = time.monotonic() - asked
            return not self.outcome.stopped and self._run_step(ref, step, failed, waited)

    def _run_step(self, ref: Ref, step: Step, failed: dict[Ref, str], waited: float) -> bool:
        do = way(self._opened.fleet, ref.host, self._node(ref), progress(self._tell, ref, step))
        self._tell("step", {"ref": ref, "title": step.title, "effect": step.effect})
        artifact = step.push or step.execute
        resource = self._opened.site.resources.get(ref)
        text = ""
        if artifact:
            with timed(self._tell, "render", ref=ref, artifact=artifact.path):
                text = self._renderer.text(ref.kind, artifact, resource)
        guest = self._opened.site.guests.get(ref.host)
        alone = guest is not None and guest.entered == "agent"
        ran = carry_out(do, ref, step, text, guest.vmid if guest else "", alone=alone)
        ran = ran._replace(waited=waited)
        if ran.failure:
            failed[ref] = ran.failure
        elif not step.waits:
            self._advanced.add(ref)
        self.outcome.ran.append(ran)
        self._tell("ran", {"ran": ran})
        return not ran.failure

    def _look_around(self, changed: Collection[Ref]) -> None:
        """Look at what was changed, and at what may be right by that; if it is, at what waited for it."""
        site, looked = self._opened.site, set[Ref]()
        now = [*changed, *unsettled(site, self.outcome.looks, changed)]
        while now:
            self._look_again(now)
            looked.update(now)
            right = [ref for ref in looked if self.outcome.looks[ref].status is Status.OK]
            now = unsettled(site, self.outcome.looks, right, looked)

    def _look_again(self, refs: Collection[Ref], *, fresh: bool = False) -> None:
        again = set(refs)
        known = {} if fresh else {ref: look for ref, look in self.outcome.looks.items() if ref not in again}
        with timed(self._tell, "inspect", resources=len(again)):
            seen = inspect(self._opened, refs, probes=True, known=known).looks()
        self.outcome.looks.update(seen | blocked_anew(self._opened.site, self.outcome.looks | seen))
        self._tell("looked", {"statuses": {ref: look.status.value for ref, look in seen.items()}})

    def _judge(self, ref: Ref, before: Look, failure: str) -> None:
        """After the second look: fixed, worth another try, or stuck."""
        look = self.outcome.looks[ref]
        if look.status is Status.OK:
            self._tell("fixed", {"ref": ref})
            return
        entry = self._planned(ref)
        if not failure and any(is_reboot(step) for step in entry.steps) and look.change == before.change:
            self._let_wait(ref, entry)
            return
        same = look.change == before.change and look.status is before.status
        # somebody else changed it meanwhile: what failed was meant for what is no longer there
        known = look.change.seen is not None and before.change.seen is not None
        moved = known and look.change.seen != before.change.seen and ref not in self._advanced
        if (not (failure and moved) and (failure or same)) or self._tries[ref] >= TRIES:
            why = failure or "; ".join(look.reasons)
            self._give_up(ref, why or "the same difference is there after its steps")

    def _node_lost(self, node: str) -> None:
        error = restarted(self._opened.fleet, node, self._boots.get(node))
        self._opened.fleet.lost[node] = self.outcome.lost[node] = error
        for ref in [ref for ref in self.outcome.looks if self._node(ref) == node]:
            self.outcome.looks[ref] = Look(ref, Status.UNKNOWN, reasons=(error.message,))
