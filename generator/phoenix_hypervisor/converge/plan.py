"""The plan: what differs, and exactly what would be run. A value; nothing here touches a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .. import registry
from ..errors import ExitCode
from ..inspect.looks import Look, Status
from ..resource import REMOVE, Effect, Ref, Refusal, Step
from .fetching import from_mirrors
from .reboots import interrupted, is_reboot, reason

if TYPE_CHECKING:
    from ..config import Site


@dataclass(frozen=True)
class Consent:
    """What the command line allows beyond the files."""

    prune: bool = False
    destroy: frozenset[str] = frozenset()
    """Refs, with or without host, whose data may be destroyed."""
    reboot: bool = False
    """Whether nodes that need it may be restarted."""
    at_most: Effect = Effect.REBOOT
    """What needs a stronger effect is left alone."""

    def to_destroy(self, ref: Ref) -> bool:
        """Whether this very resource was named."""
        return bool({str(ref), ref.full} & self.destroy)


@dataclass(frozen=True)
class Entry:
    """What is planned for one resource."""

    ref: Ref
    look: Look
    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    orphan: bool = False

    @property
    def after(self) -> Ref | None:
        """Its steps are what they will be only once this is right; None: they are exact."""
        return self.look.blocked_by


@dataclass(frozen=True)
class Plan:
    """All entries in the order in which they would be run; resources that are right have none."""

    entries: tuple[Entry, ...] = ()
    orphans: tuple[Ref, ...] = ()
    """What we made and is declared no longer, left alone in this plan."""
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Node → what is worth knowing of itself: that it waits for a reboot."""

    @property
    def pending(self) -> bool:
        """Whether there is a step in it."""
        return any(entry.steps for entry in self.entries)

    def runs(self, *, reboot: bool) -> bool:
        """Whether anything would be run, with or without what restarts a node."""
        if reboot:
            return self.pending
        known = {entry.ref: entry for entry in self.entries}

        def waits(entry: Entry) -> bool:
            """Whether nothing of it can be done before a reboot."""
            if entry.steps and all(is_reboot(step) for step in entry.steps):
                return True
            needed = known.get(entry.after) if entry.after else None
            return needed is not None and waits(needed)

        return any(entry.steps and not waits(entry) for entry in self.entries)

    def reboots(self) -> list[tuple[Ref, str]]:
        """Return what asks for its node's restart, and why."""
        return [
            (entry.ref, reason(step)) for entry in self.entries for step in entry.steps if is_reboot(step)
        ]

    def destroys(self) -> list[tuple[Ref, str]]:
        """Return what would be lost for good."""
        return [(entry.ref, step.destroys) for entry in self.entries for step in entry.steps if step.destroys]

    @property
    def code(self) -> ExitCode:
        """The exit status of `phoenix plan`."""
        codes = [ExitCode.OK]
        for entry in self.entries:
            if entry.refusals:
                codes.append(ExitCode.FAILED)
            if entry.look.status is Status.UNKNOWN:
                codes.append(ExitCode.UNKNOWN)
            if entry.steps or entry.look.status is Status.BLOCKED:
                codes.append(ExitCode.PENDING)
            if entry.look.status is Status.UNHEALTHY and not entry.steps:
                codes.append(ExitCode.FAILED)
        return ExitCode.worst(codes)


def build(
    site: Site, looks: Mapping[Ref, Look], orphans: Iterable[Ref] = (), consent: Consent | None = None
) -> Plan:
    """Return the plan for what was found."""
    consent = consent or Consent()
    found = list(orphans)
    entries = [planned(site, looks[ref], consent) for ref in site.resources if ref in looks]
    # what goes away goes in the opposite order of what comes
    pruned = [_orphan(ref, consent) for ref in reversed(found)] if consent.prune else []
    kept = tuple(found) if not consent.prune else ()
    return Plan(tuple(entry for entry in entries if _says_something(entry)) + tuple(pruned), kept)


def planned(site: Site, look: Look, consent: Consent) -> Entry:
    """Return the entry for one look."""
    resource = site.resources[look.ref]
    if look.status is Status.UNHEALTHY:
        steps = [step for probe in look.probes for step in resource.heal(probe)]
        return Entry(look.ref, look, tuple(dict.fromkeys(steps)))
    if not look.change or look.status not in (Status.DRIFT, Status.BLOCKED):
        return Entry(look.ref, look)
    entry = _allowed(
        look, list(resource.converge(look.change)), consent, declared_absent=not resource.present
    )
    entry = replace(entry, steps=tuple(from_mirrors(entry.steps, site.head.mirrors)))
    if not any(is_reboot(step) for step in entry.steps):
        return entry
    whom = interrupted(site, look.ref)
    steps = [replace(step, interrupts=whom) if is_reboot(step) else step for step in entry.steps]
    return replace(entry, steps=tuple(steps))


def _orphan(ref: Ref, consent: Consent) -> Entry:
    look = Look(ref, Status.DRIFT, REMOVE)
    entry = _allowed(look, list(registry.kind(ref.kind).remove(ref.name)), consent, declared_absent=True)
    return Entry(entry.ref, entry.look, entry.steps, entry.refusals, orphan=True)


def _allowed(look: Look, wanted: list[Step | Refusal], consent: Consent, *, declared_absent: bool) -> Entry:
    """Split steps from refusals; a resource whose data would be lost without consent gets no step at all."""
    steps = tuple(step for step in wanted if isinstance(step, Step))
    refusals = [refusal for refusal in wanted if isinstance(refusal, Refusal)]
    lost = [step.destroys for step in steps if step.destroys]
    if lost and not (declared_absent and consent.to_destroy(look.ref)):
        refusals.append(
            Refusal("present", f"would destroy {', '.join(lost)}: needs `--allow-destroy {look.ref}`")
        )
        return Entry(look.ref, look, (), tuple(refusals))
    strongest = max((step.effect for step in steps), default=Effect.HOT)
    if strongest > consent.at_most:
        limit = f"`--at-most {consent.at_most}`"
        refusals.append(Refusal("effect", f"needs a step with the effect {strongest}, beyond {limit}"))
        return Entry(look.ref, look, (), tuple(refusals))
    return Entry(look.ref, look, steps, tuple(refusals))


def _says_something(entry: Entry) -> bool:
    return bool(entry.steps or entry.refusals) or entry.look.status is not Status.OK
