"""How a node stands after a look at it, and what is news since the look before. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Sort(StrEnum):
    """What sort of news it is."""

    DRIFT = "drift"
    """Something differs that did not."""
    UNHEALTHY = "unhealthy"
    """The state is right, but using it fails."""
    UNKNOWN = "unknown"
    """We could not tell, and could before."""
    REPAIRED = "repaired"
    """It differed in this very look, and was repaired unattended."""
    RECOVERED = "recovered"
    """It is right again."""
    UNSEEN = "unseen"
    """A node could not be looked at: it does not answer, most often."""
    SEEN = "seen"
    """A node can be looked at again."""
    FILES = "files"
    """The site's files are wrong: the last good ones are gone by."""
    FILES_RIGHT = "files-right"
    """The site's files are right again."""


BAD = frozenset({Sort.DRIFT, Sort.UNHEALTHY, Sort.UNKNOWN, Sort.UNSEEN, Sort.FILES})
"""What somebody should look at."""
TROUBLE = {"drift": Sort.DRIFT, "unhealthy": Sort.UNHEALTHY, "unknown": Sort.UNKNOWN}
"""A look's status → news; what is only blocked by another is not told for itself."""


class News(NamedTuple):
    """One change of state, told once."""

    sort: Sort
    about: str
    """A resource (`host/kind:name`), a node, or `files`."""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.sort}: {self.about}" + (f": {self.said}" if self.said else "")


@dataclass(frozen=True)
class Standing:
    """One look at a node. `error` says why nothing is known; then the rest is empty."""

    trouble: Mapping[str, tuple[Sort, str]] = field(default_factory=dict)
    """Resource → what is wrong, and what differs in words."""
    repaired: Mapping[str, str] = field(default_factory=dict)
    """Resource → what differed and was repaired."""
    error: str = ""
    steps: int = 0
    run: str = ""
    """The name of its record."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """For whoever counts: `resources` with their status, `steps` that were run, `round_trips`."""
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """All that `plan --json` or `apply --json` said."""


def standing(document: Mapping[str, Any]) -> Standing:
    """Return the standing that a document of `plan --json` or `apply --json` tells."""
    plan = document.get("plan", document)
    words = {entry["resource"]: _words(entry) for entry in plan["entries"]}
    reasons = {name: "; ".join(said) for name, said in document.get("reasons", {}).items()}
    reasons |= document.get("stuck", {})
    trouble = {
        name: (TROUBLE[status], reasons.get(name) or words.get(name, ""))
        for name, status in document["resources"].items()
        if status in TROUBLE
    }
    began = {entry["resource"] for entry in plan["entries"] if entry["status"] in TROUBLE}
    touched = {step["resource"] for step in document.get("steps", ())}
    repaired = {name: words.get(name, "") for name in began & touched if name not in trouble}
    if plan.get("lost"):
        return Standing(error="; ".join(dict.fromkeys(plan["lost"].values())), document=document)
    ran = document.get("steps", ())
    seen = {"resources": document["resources"], "steps": ran, "round_trips": plan.get("round_trips", {})}
    name = str(plan.get("run", ""))
    return Standing(trouble, repaired, steps=len(ran), run=name, seen=seen, document=document)


def _words(entry: Mapping[str, Any]) -> str:
    """What differs of a resource, in a line."""
    changes = [
        "is missing"
        if (c["actual"], c["desired"]) == (False, True)
        else "is there and should not be"
        if c["attribute"] == "present"
        else f"{c['attribute']}: {_short(c['actual'])} → {_short(c['desired'])}"
        for c in entry["changes"]
    ]
    return "; ".join([*changes, *entry["reasons"]])


def _short(value: Any) -> str:
    text = "(nothing)" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def news(node: str, before: Standing | None, now: Standing) -> Iterator[News]:
    """Yield what changed since the look before; None: there was none."""
    if now.error:
        if before is None or not before.error:
            yield News(Sort.UNSEEN, node, now.error)
        return
    if before is not None and before.error:
        yield News(Sort.SEEN, node)
    known = before.trouble if before is not None else {}
    for name, (sort, said) in now.trouble.items():
        if known.get(name, (None, ""))[0] is not sort:
            yield News(sort, name, said)
    for name, said in now.repaired.items():
        yield News(Sort.REPAIRED, name, said)
    for name in known:
        if name not in now.trouble and name not in now.repaired:
            yield News(Sort.RECOVERED, name)


def remembered(before: Standing | None, now: Standing) -> Standing:
    """Return what the next look is compared with: what is not known now is not gone, and stays as it was."""
    known = before.trouble if now.error and before is not None else now.trouble
    return Standing(known, now.repaired, now.error, now.steps, now.run)
