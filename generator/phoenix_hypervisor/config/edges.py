"""Needs between resources: the written and derived ones, and those that follow from what is consumed."""

from collections.abc import Iterable, Mapping

from ..errors import Problem, did_you_mean
from ..graph import Loop, order
from ..resource import Kind, Ref, Want
from .tree import Tree

Offers = dict[tuple[str, str], Ref]
"""(topic, key) → who offers it."""


def connect(
    resources: Mapping[Ref, Kind], places: Mapping[Ref, Tree], problems: list[Problem]
) -> tuple[dict[Ref, tuple[Ref, ...]], list[Ref]]:
    """Return what each resource needs, and all refs in order. Notes what is not there, and loops."""
    offers: dict[tuple[str, bool], Offers] = {}
    for ref, resource in resources.items():
        there = offers.setdefault((ref.host, resource.present), {})
        there.update({(offer.topic, offer.key): ref for offer in resource.provides()})
    needs: dict[Ref, tuple[Ref, ...]] = {}
    for ref, resource in resources.items():
        found = [
            *_named(ref, resource, resources, places, problems),
            *_consumed(ref, resource, offers.get((ref.host, resource.present), {}), places, problems),
        ]
        needs[ref] = tuple(dict.fromkeys(found))
    needs = _turned_for_removal(needs, resources)
    try:
        return needs, order(needs)
    except Loop as loop:
        first: Ref = loop.path[0]  # type: ignore[assignment]  # the nodes of this graph are refs
        problems.append(Problem(f"these need each other in a loop: {loop}", places[first].place()))
        return needs, list(resources)


def _named(
    ref: Ref,
    resource: Kind,
    resources: Mapping[Ref, Kind],
    places: Mapping[Ref, Tree],
    problems: list[Problem],
) -> Iterable[Ref]:
    for text in resource.needs():
        kind, _, name = text.partition(":")
        need = Ref(ref.host, kind, name)
        if need in resources and (resources[need].present or not resource.present):
            yield need
        elif resource.present:
            beside = [r for r in resources if (r.host, r.kind) == (ref.host, kind) and r not in (ref, need)]
            known = [other.name for other in beside]
            said = "is declared absent" if need in resources else "is not declared on this node"
            problems.append(
                Problem(f"{ref}: needs {need}, which {said}", places[ref].place(), did_you_mean(name, known))
            )


def _consumed(
    ref: Ref,
    resource: Kind,
    offers: Offers,
    places: Mapping[Ref, Tree],
    problems: list[Problem],
) -> Iterable[Ref]:
    for want in resource.consumes():
        found = nearest(want, offers)
        if found is not None:
            yield found
        elif resource.present and want.required:
            place = places[ref].place(want.attribute)
            near = did_you_mean(want.key, [key for topic, key in offers if topic == want.topic])
            problems.append(Problem(f"{ref}: {want.missing}", place, near, want.rule))


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


def nearest(want: Want, offers: Offers) -> Ref | None:
    """Return who offers the wanted key, or the longest path above it."""
    key = want.key
    while key:
        found = offers.get((want.topic, key))
        if found is not None or want.exact:
            return found
        key = key.rpartition("/")[0]
    return None
