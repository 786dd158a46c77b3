"""What one inspection found: findings of single checks, and one look for each resource."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ..resource import NO_CHANGE, Change, Difference, Ref


class Verdict(Enum):
    """How one check ended."""

    HELD = "held"
    FAILED = "failed"
    """Its own assert failed: drift."""
    UNKNOWN = "unknown"
    """Anything else: an exception, a missing tool, a lost host, a bug."""
    SKIPPED = "skipped"
    NOTICE = "notice"
    """A check marked as a notice failed: told, and nothing more."""


@dataclass(frozen=True)
class Finding:
    """How one check of one resource ended."""

    ref: Ref
    check: str
    verdict: Verdict
    message: str = ""
    differences: Mapping[str, Difference] = field(default_factory=dict)
    probe: bool = False


class Status(Enum):
    """What we know of one resource."""

    OK = "ok"
    DRIFT = "drift"
    UNHEALTHY = "unhealthy"
    """The state is right, but using the thing fails."""
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    """Something it needs is not right: looked at again once that is."""


@dataclass(frozen=True)
class Look:
    """One resource as one inspection saw it."""

    ref: Ref
    status: Status
    change: Change = NO_CHANGE
    reasons: tuple[str, ...] = ()
    """Why it is unknown or unhealthy, in words."""
    blocked_by: Ref | None = None
    probes: tuple[str, ...] = ()
    """Names of the probes that failed."""
    notices: tuple[str, ...] = ()
    """What is worth knowing and no drift."""
    held: int = field(default=0, compare=False)
    """How many of its checks held."""
    wrong: tuple[str, ...] = field(default=(), compare=False)
    """Names of the checks that did not, or could not tell."""

    @property
    def own_state_known(self) -> bool:
        """Whether its own checks could tell; a blocked one may be unknown as well."""
        return self.status is not Status.UNKNOWN and not (self.status is Status.BLOCKED and self.reasons)


def looks(
    findings: Iterable[Finding],
    needs: Mapping[Ref, tuple[Ref, ...]],
    known: Mapping[Ref, Look],
    seen: Mapping[Ref, Any] | None = None,
    only_to_make: Callable[[Ref], Collection[Ref]] = lambda _: (),
) -> dict[Ref, Look]:
    """Return a look for each resource that has findings. `known` are earlier looks at the others.

    What a resource needs only to be made blocks none that is there. `seen` is what steps may depend
    on besides what differs. `needs` must be in order: what is needed comes before what needs it.
    """
    by_ref: dict[Ref, list[Finding]] = {}
    for finding in findings:
        by_ref.setdefault(finding.ref, []).append(finding)
    found: dict[Ref, Look] = {}
    for ref in needs:
        if ref not in by_ref:
            continue
        own = _own(ref, by_ref[ref], (seen or {}).get(ref))
        there = own.status is not Status.UNKNOWN and not own.change.creates
        needed = [need for need in needs[ref] if not (there and need in only_to_make(ref))]
        blocker = next((n for n in needed if _status(n, found, known) is not Status.OK), None)
        notices = tuple(f.message for f in by_ref[ref] if f.verdict is Verdict.NOTICE)
        if blocker is not None:
            own = Look(ref, Status.BLOCKED, own.change, own.reasons, blocker)
        held = sum(f.verdict is Verdict.HELD for f in by_ref[ref])
        wrong = (f.check for f in by_ref[ref] if f.verdict in (Verdict.FAILED, Verdict.UNKNOWN))
        found[ref] = replace(own, notices=notices, held=held, wrong=tuple(dict.fromkeys(wrong)))
    return found


def _status(ref: Ref, found: Mapping[Ref, Look], known: Mapping[Ref, Look]) -> Status:
    look = found.get(ref) or known.get(ref)
    # one that was not looked at is not in this run's scope: nothing is known against it
    return look.status if look else Status.OK


def _own(ref: Ref, findings: list[Finding], seen: Any) -> Look:
    unknown = tuple(dict.fromkeys(f.message for f in findings if f.verdict is Verdict.UNKNOWN))
    if unknown:
        return Look(ref, Status.UNKNOWN, reasons=unknown)
    differences = {
        name: difference
        for f in findings
        if f.verdict is Verdict.FAILED and not f.probe
        for name, difference in f.differences.items()
    }
    if differences:
        return Look(ref, Status.DRIFT, Change(differences, seen))
    failed = [f for f in findings if f.verdict is Verdict.FAILED]
    if failed:
        return Look(
            ref,
            Status.UNHEALTHY,
            reasons=tuple(f.message for f in failed),
            probes=tuple(f.check for f in failed),
        )
    return Look(ref, Status.OK)
