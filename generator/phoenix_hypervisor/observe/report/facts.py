"""What the report says, from the site's files and the record of one run: values that the page lays out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...config.budgets import Budget, budgets

if TYPE_CHECKING:
    from ...config import Site
    from ...records.events import Event
    from ...resource import Ref

WORST = ("unknown", "unhealthy", "drift", "blocked", "ok")


@dataclass(frozen=True)
class Host:
    """A node or a guest at a glance."""

    name: str
    what: str
    """`node`, or what the guest is and its VMID: `lxc 950`."""
    node: str
    status: str
    """The worst of its resources; empty when nothing was looked at."""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """A resource, and how it was found."""

    resource: str
    name: str
    """`kind:name`."""
    status: str
    reasons: tuple[str, ...] = ()
    held: int = 0
    """How many of its checks held."""
    wrong: tuple[str, ...] = ()
    """Those that did not, or could not tell."""


@dataclass(frozen=True)
class Bar:
    """A step in the timeline; times in seconds from the first one's begin."""

    title: str
    resource: str
    effect: str
    start: float
    seconds: float
    waited: float
    """How long it waited before, for a lock that somebody else held."""
    failed: bool
    said: str


@dataclass(frozen=True)
class Report:
    """Everything on the page."""

    site: str
    run: Mapping[str, Any]
    end: Mapping[str, Any]
    revision: str
    hosts: Sequence[Host]
    entries: Sequence[Mapping[str, Any]]
    """What the plan says of resources that differ; those that were not repaired come first."""
    notices: Mapping[str, Sequence[str]]
    stuck: Mapping[str, str]
    looks: Mapping[str, Sequence[Look]]
    """Node or guest → its resources."""
    lanes: Mapping[str, Sequence[Bar]]
    """Node or guest → its steps."""
    seconds: float
    """How long the steps took, from the first one's begin to the last one's end."""
    budgets: Sequence[Budget]
    guests: Mapping[Ref, str]
    """What is about a guest, as its node sees it → that guest."""


def report(site: Site, events: Sequence[Event]) -> Report:
    """Return what is to be said of a site by the record of one run."""
    last: dict[str, Event] = {str(event["event"]): event for event in events}
    plan: Mapping[str, Any] = last.get("plan", {}).get("plan") or {}
    outcome = last.get("outcome", {})
    statuses = _statuses(plan, outcome)
    checks = {**plan.get("checks", {}), **outcome.get("checks", {})}
    reasons = {**{str(row["resource"]): row["reasons"] for row in plan.get("entries", ())},
               **outcome.get("reasons", {})}  # fmt: skip
    stuck = {**outcome.get("stuck", {}), **outcome.get("waiting", {})}
    lane_of = _lanes(site)
    lanes, seconds = _timeline(lane_of, events)
    return Report(
        site=site.head.name,
        run=last.get("run", {}),
        end=last.get("end", {}),
        revision=str(last.get("revision", {}).get("revision") or ""),
        hosts=_hosts(site, lane_of, statuses),
        entries=sorted(
            filter(_says_something, plan.get("entries", ())),
            key=lambda row: row["resource"] not in stuck and not row["refusals"],
        ),
        notices={**plan.get("notices", {}), **outcome.get("notices", {})},
        stuck=stuck,
        looks=_looks(site, lane_of, statuses, reasons, checks),
        lanes=lanes,
        seconds=seconds,
        budgets=budgets(site),
        guests={ref: lane for ref in site.resources if (lane := lane_of[ref.full]) != ref.host},
    )


def _looks(
    site: Site,
    lane_of: Mapping[str, str],
    statuses: Mapping[str, str],
    reasons: Mapping[str, Sequence[str]],
    checks: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[Look]]:
    found: dict[str, list[Look]] = {name: [] for name in site.hosts}
    for ref in site.resources:
        said = tuple(reasons.get(ref.full, ()))
        of = checks.get(ref.full, {})
        held, wrong = int(of.get("held", 0)), tuple(of.get("wrong", ()))
        look = Look(ref.full, str(ref), statuses.get(ref.full, ""), said, held, wrong)
        found[lane_of[ref.full]].append(look)
    return found


def _says_something(row: Mapping[str, Any]) -> bool:
    return bool(row["changes"] or row["steps"] or row["refusals"] or row["reasons"])


def _statuses(plan: Mapping[str, Any], outcome: Event) -> dict[str, str]:
    """Resource → status, by the last look that the run had at it."""
    found = {str(name): str(status) for name, status in plan.get("resources", {}).items()}
    return found | {str(name): str(status) for name, status in outcome.get("resources", {}).items()}


def _lanes(site: Site) -> dict[str, str]:
    """Resource → the guest it is about or in, else its node."""
    found = {}
    for ref in site.resources:
        guest = site.guest_of(ref)
        found[ref.full] = guest.name if guest else ref.host
    return found


def _hosts(site: Site, lane_of: Mapping[str, str], statuses: Mapping[str, str]) -> list[Host]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in site.hosts}
    for resource, lane in lane_of.items():
        if status := statuses.get(resource):
            counts[lane][status] += 1
    found = []
    for name, counted in counts.items():
        guest = site.guests.get(name)
        what = f"{_sort(site, name)} {guest.vmid}" if guest else "node"
        worst = next((status for status in WORST if counted[status]), "")
        found.append(Host(name, what, site.node_of(name), worst, dict(counted)))
    return found


def _sort(site: Site, guest: str) -> str:
    return next((ref.kind for ref in site.of_guest(guest) if site.resources[ref].inhabited), "guest")


def _timeline(lane_of: Mapping[str, str], events: Sequence[Event]) -> tuple[dict[str, list[Bar]], float]:
    ran = [event for event in events if event["event"] == "ran" and "began" in event]
    start = min((float(event["began"]) for event in ran), default=0.0)
    lanes: dict[str, list[Bar]] = {}
    ends = 0.0
    for event in sorted(ran, key=lambda event: float(event["began"])):
        bar = Bar(
            str(event["title"]),
            str(event["resource"]),
            str(event["effect"]),
            float(event["began"]) - start,
            float(event["seconds"]),
            float(event.get("waited", 0)),
            bool(event["status"]),
            str(event.get("said") or ""),
        )
        lanes.setdefault(lane_of.get(bar.resource, bar.resource.partition("/")[0]), []).append(bar)
        ends = max(ends, bar.start + bar.seconds)
    return lanes, ends
