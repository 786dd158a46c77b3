"""Needs between resources: the written and derived ones, and those that follow from what is consumed."""

from collections.abc import Iterable, Mapping

from ..errors import Problem, did_you_mean
from ..graph import Loop, order
from ..resource import Kind, Offer, Ref, Want
from .tree import Tree


def connect(
    resources: Mapping[Ref, Kind], places: Mapping[Ref, Tree], problems: list[Problem]
) -> tuple[dict[Ref, tuple[Ref, ...]], list[Ref]]:
    """Return what each resource needs, and all refs in order. Notes what is not there, and loops."""
    offers: dict[tuple[str, bool], list[tuple[Offer, Ref]]] = {}
    for ref, resource in resources.items():
        offers.setdefault((ref.host, resource.present), []).extend(
            (offer, ref) for offer in resource.provides()
        )
    needs: dict[Ref, tuple[Ref, ...]] = {}
    for ref, resource in resources.items():
        found = [
            *_named(ref, resource, resources, places, problems),
            *_consumed(ref, resource, offers.get((ref.host, resource.present), []), places, problems),
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
            known = [other.name for other in resources if (other.host, other.kind) == (ref.host, kind)]
            said = "is declared absent" if need in resources else "is not declared on this node"
            problems.append(
                Problem(f"{ref}: needs {need}, which {said}", places[ref].place(), did_you_mean(name, known))
            )


def _consumed(
    ref: Ref,
    resource: Kind,
    offers: list[tuple[Offer, Ref]],
    places: Mapping[Ref, Tree],
    problems: list[Problem],
) -> Iterable[Ref]:
    for want in resource.consumes():
        found = nearest(want, offers)
        if found is not None:
            yield found[1]
        elif resource.present and want.required:
            place = places[ref].place(want.attribute)
            problems.append(Problem(f"{ref}: {want.missing}", place, rule=want.rule))


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


def nearest(want: Want, offers: Iterable[tuple[Offer, Ref]]) -> tuple[Offer, Ref] | None:
    """Return the offer whose key is the wanted one, or the longest path above it."""
    fitting = [
        (offer, ref)
        for offer, ref in offers
        if offer.topic == want.topic
        and (want.key == offer.key or (not want.exact and want.key.startswith(offer.key.rstrip("/") + "/")))
    ]
    return max(fitting, key=lambda pair: len(pair[0].key), default=None)
