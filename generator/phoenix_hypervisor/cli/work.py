"""What `plan` and `apply` share: opening the site, connecting while the rest is imported, inspecting."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..inspect.opening import open_site
from ..observe.live import SCREEN
from ..observe.screen import phases_line, tell
from ..operate.node_lock import LOCK, owner, refuse_if_held
from ..records.events import Run

if TYPE_CHECKING:
    from ..converge.engine import Tell
    from ..converge.outcome import Outcome
    from ..converge.plan import Consent, Plan
    from ..inspect.boots import Boot
    from ..inspect.looks import Look
    from ..resource import Ref
    from . import Workplace


STOPS = (signal.SIGINT, signal.SIGTERM)
"""Signals that let the steps that are running end, and no other begin."""


class Work:
    """An open site within the bounds of the command line; closes its connections at the end.

    `run` hears how long the parts take; `consent` is what the command line allows: `prune`, `destroy`,
    `reboot`, `at_most`.
    """

    def __init__(
        self,
        workplace: Workplace,
        hosts: Sequence[str],
        targets: Sequence[str],
        *,
        lock: bool = False,
        run: Run | None = None,
        **consent: Any,
    ) -> None:
        self._workplace = workplace
        self._run = run or Run("")
        with self._run.phase("load"):
            self._opened = open_site(str(workplace.site_folder), hosts=hosts)
        self.site = self._opened.site
        self.fleet = self._opened.fleet
        self._scope = self._opened.scope(targets)
        self._chosen = self._opened.chosen(targets)
        self._nodes = set(self.fleet.nodes)
        if self._chosen is not None:
            self._nodes = {self.fleet.node_of(ref.host) for ref in self._scope}
        self._lock = lock
        self._trouble: Exception | None = None
        # connecting takes longer than importing and collecting the checks: both at once
        self._connecting = threading.Thread(target=self._connect, daemon=True)
        self._connecting.start()
        for problem in self._opened.site.warnings:
            tell(str(problem))
        self._consent = self._consented(**consent)
        self.looks: dict[Ref, Look] = {}
        self._boots: dict[str, Boot] = {}
        self._looked = (0.0, 0.0)
        self._converged = False
        self.phases: dict[str, float] = {}
        """How many seconds each part took so far, by the names of converge/phases.py."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connecting.join()
        self.fleet.close()

    def _connect(self) -> None:
        """Open all connections; with them take every host's lock, for the rest of the run."""
        try:
            with self._run.phase("connect"):
                if self._lock:
                    refuse_if_held(self.fleet.lock(self._nodes, LOCK, owner()))
                else:
                    self.fleet.open_all(self._nodes)
        except Exception as error:  # said by `plan`, in the thread that can
            self._trouble = error

    def _connected(self) -> bool:
        """Wait for the connections; whether the hosts may be asked."""
        self._connecting.join()
        return self._trouble is None

    def plan(self, *, probes: bool) -> Plan:
        """Inspect, and return the plan for what was found. Raises PhoenixError when a lock is taken."""
        from ..converge.phases import phases
        from ..converge.plan import build
        from ..inspect.session import inspect

        orphans = self._chosen is None
        began, begun = time.time(), time.monotonic()
        words = f"looking at {len(self._scope)} resources"
        looking = contextlib.nullcontext() if self._workplace.quiet else SCREEN.doing(words)
        with self._run.phase("inspect", resources=len(self._scope)), looking:
            seen = inspect(self._opened, self._scope, probes=probes, orphans=orphans, before=self._connected)
        if self._trouble is not None:
            raise self._trouble
        self._looked = (began, time.monotonic() - begun)
        self.phases = phases(self.site, (), [self._looked])
        self.looks = seen.looks()
        self._boots = seen.boots()
        chosen = {
            ref: look for ref, look in self.looks.items() if self._chosen is None or ref in self._chosen
        }
        plan = build(self._opened.site, chosen, seen.orphans(), self._consent)
        return replace(plan, notices=seen.notices())

    def converge(self, plan: Plan, tell_event: Tell) -> Outcome:
        """Carry out a plan: see Engine. Ctrl-C or SIGTERM stops it between two steps, a second at once."""
        from ..converge.engine import Engine
        from ..converge.phases import phases

        ids = {node: boot.id for node, boot in self._boots.items()}
        looked = [self._looked]

        def note(event: str, facts: Mapping[str, Any]) -> None:
            if event == "phase" and facts["phase"] == "inspect":
                looked.append((facts["began"], facts["seconds"]))
            tell_event(event, facts)

        engine = Engine(self._opened, plan, self.looks, self._consent, note, self._chosen, ids)

        def stop(_number: int, _frame: object) -> None:
            tell("stopping after the steps that are running; press again to stop at once")
            for number in STOPS:
                signal.signal(number, signal.SIG_DFL)
            engine.stop()

        before = {number: signal.signal(number, stop) for number in STOPS}
        try:
            outcome = engine.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        self.phases = outcome.phases = phases(self.site, outcome.ran, looked)
        self._converged = bool(outcome.ran)
        return outcome

    def tell_costs(self, *, quiet: bool = False) -> None:
        """Say how long the parts took when something was done; when asked to say more, how many trips too."""
        if self._workplace.verbose or (self._converged and not quiet):
            tell(phases_line(self.phases))
        if self._workplace.verbose:
            for host, trips in self.fleet.trips().items():
                tell(f"{host}: {trips} round trips")

    def _consented(
        self,
        *,
        prune: bool = False,
        destroy: Sequence[str] = (),
        reboot: bool = False,
        at_most: str | None = None,
    ) -> Consent:
        from ..converge.plan import Consent
        from ..resource import Effect

        limit = Effect[at_most.upper()] if at_most else Effect.REBOOT
        return Consent(prune, frozenset(destroy), reboot, limit)
