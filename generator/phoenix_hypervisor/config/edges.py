"""Needs between resources: written, derived, and those that follow from what is consumed.

A resource sees what its own host offers: paths and accounts inside a guest are not its node's. It may ask
for its node's offers, or for those of the whole site. Facts (a GPU of the hardware, what a guest's file is
called) are offered by nobody: they come from the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import Problem, did_you_mean
from ..graph import Loop, closure, order
from ..resource import EVERY, Given, GuestFacts, Kind, Offer, Ref, Want
from .tree import Tree

Key = tuple[str, str]
"""Topic and key of an offer."""
Offers = Mapping[Key, list[Ref]]
"""Who offers it."""


class Edges(NamedTuple):
    """How resources follow each other."""

    needs: dict[Ref, tuple[Ref, ...]]
    after: dict[Ref, tuple[Ref, ...]]
    """What a resource does not need, and waits for while it may still become right."""
    ordered: list[Ref]
    """All of them, each after both."""


class Surroundings(NamedTuple):
    """What the files say around the resources."""

    node_of: Mapping[str, str] = {}
    """Guest → its node."""
    guests: Mapping[Ref, GuestFacts] = {}
    """Resources of scope `guest` → their guest."""
    facts: Mapping[str, Mapping[Key, Any]] = {}
    """Node → facts by topic and key."""


@dataclass
class _Graph:
    resources: Mapping[Ref, Kind]
    places: Mapping[Ref, Tree]
    around: Surroundings
    problems: list[Problem]
    offers: dict[tuple[str, bool], dict[Key, list[Ref]]] = field(default_factory=dict)
    everywhere: dict[Key, list[Ref]] = field(default_factory=dict)
    """What is offered on the whole site by resources that are present."""
    of_topic: dict[str, list[Ref]] = field(default_factory=dict)
    """Who offers anything of a topic, on the whole site."""
    of_guest: dict[str, list[Ref]] = field(default_factory=dict)
    """Guest → its sections of scope `guest`."""
    inside: dict[str, list[Ref]] = field(default_factory=dict)
    """Guest → what is declared inside it."""

    def __post_init__(self) -> None:
        for ref, facts in self.around.guests.items():
            self.of_guest.setdefault(facts.name, []).append(ref)
        for ref in self.resources:
            if ref.host in self.around.node_of:
                self.inside.setdefault(ref.host, []).append(ref)

    def collect_offers(self) -> None:
        for ref, resource in self.resources.items():
            if ref in self.around.guests:
                resource.bind(self._guest_fact(ref))
            there = self.offers.setdefault((ref.host, resource.present), {})
            for offer in resource.provides():
                there.setdefault((offer.topic, offer.key), []).append(ref)
                if resource.present:
                    self.everywhere.setdefault((offer.topic, offer.key), []).append(ref)
                    of_topic = self.of_topic.setdefault(offer.topic, [])
                    of_topic += [ref] if ref not in of_topic[-1:] else []

    def _guest_fact(self, ref: Ref) -> list[Given]:
        facts = self.around.guests.get(ref)
        return [Given("guest", facts.name, facts, None)] if facts else []

    def seen_by(self, ref: Ref, want: Want) -> Offers:
        """The offers among which what it wants is looked for."""
        if want.where == "site":
            return self.everywhere
        host = self.around.node_of.get(ref.host, ref.host) if want.where == "node" else ref.host
        return self.offers.get((host, self.resources[ref].present), {})

    def offering(self, ref: Ref, want: Want) -> list[Ref]:
        """Return who offers what a resource wants, the nearest above it if nobody does exactly."""
        if want.where == "site" and want.key == EVERY:
            return [who for who in self.of_topic.get(want.topic, ()) if who != ref]
        return nearest(want, self.seen_by(ref, want))

    def facts_for(self, ref: Ref) -> Mapping[Key, Any]:
        return self.around.facts.get(self.around.node_of.get(ref.host, ref.host), {})

    def needs(self, ref: Ref) -> Iterable[Ref]:
        yield from self._of_guest(ref)
        yield from self._named(ref)
        for want in self.resources[ref].consumes():
            if not want.soft:
                yield from self._consumed(ref, want)

    def comes_after(self, ref: Ref) -> Iterable[Ref]:
        """Yield what a resource does not need and still comes after."""
        for want in self.resources[ref].consumes() if self.resources[ref].present else ():
            if want.soft:
                yield from self.offering(ref, want)

    def _of_guest(self, ref: Ref) -> Iterable[Ref]:
        """What is inside needs the guest; what is about a finished guest needs all that is inside."""
        yield from (own for own in self.of_guest.get(ref.host, ()) if self.resources[own].inhabited)
        facts = self.around.guests.get(ref)
        if facts is not None and self.resources[ref].beside:
            yield from (own for own in self.of_guest[facts.name] if self.resources[own].inhabited)
        elif facts is not None and not self.resources[ref].inhabited:
            yield from self.of_guest[facts.name]
            yield from self.inside.get(facts.name, ())

    def _named(self, ref: Ref) -> Iterable[Ref]:
        resource = self.resources[ref]
        for text in resource.needs():
            kind, _, name = text.partition(":")
            need = Ref(ref.host, kind, name)
            if need in self.resources and (self.resources[need].present or not resource.present):
                yield need
            elif resource.present:
                beside = [r for r in self.resources if (r.host, r.kind) == (ref.host, kind)]
                known = [other.name for other in beside if other not in (ref, need)]
                said = "is declared absent" if need in self.resources else "is not declared on this node"
                hint = did_you_mean(name, known)
                place = self.places[ref].place()
                self.problems.append(Problem(f"{ref}: needs {need}, which {said}", place, hint))

    def _consumed(self, ref: Ref, want: Want) -> Iterable[Ref]:
        found = self.offering(ref, want)
        if found:
            yield from found
        elif self.resources[ref].present and want.required and not self._is_fact(ref, want):
            offered = [*self.seen_by(ref, want), *self.facts_for(ref)]
            known = [key for topic, key in offered if topic == want.topic]
            place = self.places[ref].place(*want.attribute.split("."))
            hint = did_you_mean(want.key, known)
            self.problems.append(Problem(f"{ref}: {want.missing}", place, hint, want.rule))

    def _is_fact(self, ref: Ref, want: Want) -> bool:
        return (want.topic, want.key) in self.facts_for(ref)

    def bind(self, ordered: Iterable[Ref]) -> None:
        """Hand to each resource, in order, what it consumes: values of those before it are final."""
        offered: dict[Ref, list[Offer]] = {}
        for ref in ordered:
            given = self._guest_fact(ref)
            facts = self.facts_for(ref)
            for want in self.resources[ref].consumes():
                wanted = [key for key in facts if key[0] == want.topic] if want.key == EVERY else [want[:2]]
                given += [Given(*key, facts[key], None) for key in wanted if key in facts]
                for who in self.offering(ref, want):
                    given += [
                        Given(offer.topic, offer.key, offer.value, who)
                        for offer in offered.get(who, ())
                        if offer.topic == want.topic and _covers(offer.key, want)
                    ]
            self.resources[ref].bind(given)
            offered[ref] = list(self.resources[ref].provides())


def connect(
    resources: Mapping[Ref, Kind],
    places: Mapping[Ref, Tree],
    problems: list[Problem],
    around: Surroundings | None = None,
) -> Edges:
    """Return what each resource needs and comes after, and all refs in order; hands each what it consumes.

    Notes what is not there, and loops.
    """
    graph = _Graph(resources, places, around or Surroundings(), problems)
    graph.collect_offers()
    found = {ref: tuple(dict.fromkeys(need for need in graph.needs(ref) if need != ref)) for ref in resources}
    needs = _turned_for_removal(found, resources)
    try:
        ordered = order(needs)
    except Loop as loop:
        first: Ref = loop.path[0]  # type: ignore[assignment]  # the nodes of this graph are refs
        rule = "V-14" if graph.around.guests.keys() & set(loop.path) else ""
        said = f"these need each other in a loop: {loop}"
        problems.append(Problem(said, places[first].place(), rule=rule))
        return Edges(needs, {}, list(resources))
    after = _without_loops({ref: tuple(dict.fromkeys(graph.comes_after(ref))) for ref in resources}, needs)
    if after:
        ordered = order({ref: (*found, *after.get(ref, ())) for ref, found in needs.items()})
    graph.bind(ordered)
    return Edges(needs, after, ordered)


def _without_loops(
    wished: Mapping[Ref, tuple[Ref, ...]], needs: Mapping[Ref, tuple[Ref, ...]]
) -> dict[Ref, tuple[Ref, ...]]:
    """Keep of the wishes to come after others those that contradict neither a need nor an earlier wish."""
    edges = {ref: list(found) for ref, found in needs.items()}
    kept: dict[Ref, tuple[Ref, ...]] = {}
    for ref, found in wished.items():
        for other in found:
            if other in edges and other not in needs[ref] and ref not in closure([other], edges):
                edges[ref].append(other)
                kept[ref] = (*kept.get(ref, ()), other)
    return kept


def _turned_for_removal(
    needs: Mapping[Ref, tuple[Ref, ...]], resources: Mapping[Ref, Kind]
) -> dict[Ref, tuple[Ref, ...]]:
    """Of two that both go, the one that needed the other goes first."""
    turned = {ref: [need for need in found if resources[need].present] for ref, found in needs.items()}
    for ref, found in needs.items():
        for need in found:
            if not resources[need].present:
                turned[need].append(ref)
    return {ref: tuple(found) for ref, found in turned.items()}


def nearest(want: Want, offers: Offers) -> list[Ref]:
    """Return who offers the wanted key, or the longest path above it."""
    key = want.key
    while key:
        found = offers.get((want.topic, key), [])
        if found or want.exact:
            return found
        key = key.rpartition("/")[0]
    return []


def _covers(key: str, want: Want) -> bool:
    return want.key in (key, EVERY) or (not want.exact and want.key.startswith(f"{key}/"))
