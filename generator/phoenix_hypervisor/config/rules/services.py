"""Rules about what services promise each other, and what they share: ports, names, dimensions, cards.

They know no kind: they read what resources offer (`services`, `budgets`, `firewall.ports`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...dialects import sizes
from ...errors import Problem
from ...firewall.ports import PORT, REACHES, Port, Reach
from ...resource import EVERY, Offer, Ref
from ...services import FETCHES_TO, ON_CARDS, SERVICE, USES, OnCards, Service, Uses
from ..budgets import Budget, budgets

if TYPE_CHECKING:
    from ..site import Site

COMPUTED = 1 << 30
"""Bytes a server needs beside the weights, before there is room for what was said."""


class Given(NamedTuple):
    """An offer, and who makes it."""

    ref: Ref
    offer: Offer

    @property
    def service(self) -> Service:
        """The service that is offered."""
        found: Service = self.offer.value
        return found


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    offers: dict[str, list[Given]] = defaultdict(list)
    for ref, resource in site.resources.items():
        for offer in resource.provides() if resource.present else ():
            offers[offer.topic].append(Given(ref, offer))
    yield from _ports(site, offers)
    yield from _names(site, offers)
    yield from _dimensions(site, offers)
    yield from _used(site, offers)
    for budget in budgets(site) if offers[ON_CARDS] else ():
        if budget.name.startswith("gpu "):
            yield from _shared(site, budget)
    yield from _cards(site, offers)
    yield from _folders(site, offers)
    yield from _unreached(site)


def _unreached(site: Site) -> Iterator[Problem]:
    """Who reads metrics reaches all that have some."""
    for ref, resource in site.resources.items():
        for host in getattr(resource, "unreached", ()) if resource.present else ():
            said = f"{ref}: `{host}` has metrics, and no static address by which it could be asked"
            yield Problem(said, site.place(ref), "it is left out: give it one in `net`", warning=True)


def _folders(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    """Models do not fill the disk of the guest that serves them (V-54)."""
    shared = [(given.offer.key, given.offer.value["target"]) for given in offers["mounts"]]
    for given in offers[FETCHES_TO]:
        facts, folder = site.facts.get(given.ref.host), given.offer.key
        mounts = [*((facts.own.get("mounts") if facts else None) or ())]
        mounts += [target for guest, target in shared if guest == given.ref.host]
        if facts is not None and not any(f"{folder}/".startswith(f"{mount}/") for mount in mounts):
            said = f"{given.ref}: {folder} is no mount of the guest `{given.ref.host}`"
            hint = "models would fill its own disk: mount a `shared_volume` or a volume of its own there"
            yield Problem(said, site.place(given.ref), hint, "V-54", warning=True)


def _ports(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    """Two that serve do not listen on one port of a host (V-51)."""
    serving = {given.ref for given in offers[SERVICE]}
    taken: dict[tuple[str, str, str], Ref] = {}
    for given in offers[PORT]:
        port: Port = given.offer.value
        for number in _numbers(port.number):
            first = taken.setdefault((given.ref.host, number, port.proto), given.ref)
            # shares and exports are many on the one port of their server
            if first != given.ref and (first.kind != given.ref.kind or {first, given.ref} <= serving):
                said = f"{given.ref}: {first} listens on port {number} of `{given.ref.host}` already"
                place = site.place(given.ref, "port")
                yield Problem(said, place, "the second would not start: give it another `port`", "V-51")


def _numbers(written: str) -> Iterator[str]:
    for part in written.split(","):
        first, _, last = part.partition(":")
        if first.isdecimal() and last.isdecimal() and int(last) - int(first) < 2000:
            yield from map(str, range(int(first), int(last) + 1))
        else:
            yield part


def _names(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    """Behind a gateway a name is one model's (V-51)."""
    if not any((given.offer.key, given.offer.value) == (EVERY, Reach(EVERY)) for given in offers[REACHES]):
        return
    taken: dict[tuple[str, str], Ref] = {}
    for given in offers[SERVICE]:
        key = (given.service.role, given.service.model)
        first = taken.setdefault(key, given.ref) if given.service.model else given.ref
        if first != given.ref:
            said = f"{given.ref}: {first.full} serves a model by the name `{key[1]}` already"
            hint = "behind one gateway a name is one model's: give it another `served_name`"
            yield Problem(said, site.place(given.ref, "served_name"), hint, "V-51")


def _dimensions(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    """What a collection takes, somebody makes (V-52)."""
    makers = [given for given in offers[SERVICE] if given.service.role == "embeddings"]
    made = {given.service.dimension for given in makers}
    if not made or None in made:
        return  # there is one that may make any
    for given in offers[SERVICE]:
        for collection, dimension in given.service.collections.items():
            if dimension not in made:
                there = ", ".join(f"{one.ref.full}: {one.service.dimension}" for one in makers)
                said = f"{given.ref}: `{collection}` takes vectors of {dimension}, and nobody makes such"
                place = site.place(given.ref, "collections", collection)
                yield Problem(said, place, f"the embeddings of the site have {there}", "V-52")


def _used(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    """What somebody counts on is served: by the named guest, or by any, where that is a gateway (V-55)."""
    whole = (EVERY, Reach(EVERY))
    gateways = {given.ref.host for given in offers[REACHES] if (given.offer.key, given.offer.value) == whole}
    for given in offers[USES]:
        use: Uses = given.offer.value
        there = [
            one
            for one in offers[SERVICE]
            if (one.ref.host, one.service.port) == (use.guest, use.port)
            or (use.guest in gateways and not _is_layer(site, one.ref.host))
        ]
        if any(use.is_met_by(one.service) for one in there):
            continue
        said = f"{given.ref}: it counts on {use.words} at `{use.guest}`, port {use.port}: nobody serves that"
        found = ", ".join(f"{one.ref.full}: {_shown(one.service)}" for one in there) or "nothing"
        place = site.place(given.ref, *given.offer.key.split("."))
        yield Problem(said, place, f"there is {found}", "V-55")


def _is_layer(site: Site, host: str) -> bool:
    facts = site.facts.get(host)
    return facts is not None and facts.layer is not None


def _shown(service: Service) -> str:
    """Return what is served, in words."""
    collections = [f"`{name}` of {size}" for name, size in service.collections.items()]
    told = [f"`{service.model}`"] if service.model else []
    told += [f"of {service.dimension}"] if service.dimension else []
    return " ".join([service.role, *told, ", ".join(collections)]).strip()


def _shared(site: Site, budget: Budget) -> Iterator[Problem]:
    """The shares of a card add up to no more than the card (V-36); who says none may take all (V-53)."""
    card, whole = budget.name.partition(" ")[2], budget.limit or 1.0
    told = [claim for claim in budget.claims if claim.amount is not None]
    beyond = next((one for one in told if budget.up_to(one) > whole + 1e-9), None)
    if beyond is not None:
        upto = told[: told.index(beyond) + 1]
        total = " + ".join(f"{(one.amount or 0) / whole:.2f}" for one in upto)
        who = ", ".join(one.ref.full for one in upto[:-1])
        said = f"{beyond.ref}: {total} = {budget.up_to(beyond) / whole:.2f} of `{card}`"
        with_whom = f", which it shares with {who}" if who else ""
        size = f" ({sizes.about(budget.limit)})" if budget.limit else ""
        place = site.place(beyond.ref, *beyond.field.split("."))
        yield Problem(f"{said}{size}{with_whom}", place, "lower a share, or take another card", "V-36")


def _cards(site: Site, offers: Mapping[str, list[Given]]) -> Iterator[Problem]:
    users: dict[tuple[str, str], list[Given]] = defaultdict(list)
    for given in offers[ON_CARDS]:
        for card in cards_of(site, given.ref.host):
            users[site.node_of(given.ref.host), card].append(given)
    for (_, card), found in users.items():
        yield from _unknown(site, card, found)
    for given in offers[ON_CARDS]:
        if given.ref.host in site.guests:
            yield from _enough(site, given)
            yield from _fits(site, given)


def _unknown(site: Site, card: str, users: list[Given]) -> Iterator[Problem]:
    for given in users:
        what: OnCards = given.offer.value
        others = ", ".join(one.ref.full for one in users if one.ref != given.ref)
        place = site.place(given.ref, what.field)
        if not others:
            continue
        if what.alone:
            said = f"{given.ref}: it is to have `{card}` for itself, and {others} has it too"
            yield Problem(said, place, "take another card, or let the other one take another", "V-36")
        elif what.share is None:
            said = f"{given.ref}: it shares `{card}` with {others}, and nobody knows how much it takes"
            hint = "say it in `gpu_memory_fraction`, so that shares can be added up"
            yield Problem(said, place, hint, "V-53", warning=True)


def _enough(site: Site, given: Given) -> Iterator[Problem]:
    what: OnCards = given.offer.value
    there = cards_of(site, given.ref.host)
    if len(there) < what.cards:
        has = f"has {', '.join(f'`{card}`' for card in there)}" if there else "has no graphics card"
        said = f"{given.ref}: it needs {what.cards}, and the guest `{given.ref.host}` {has}"
        hint = "name cards in the guest's `lxc: gpus:`"
        yield Problem(said, site.place(given.ref, what.field), hint, "V-36")


def _fits(site: Site, given: Given) -> Iterator[Problem]:
    """Weights, and what is computed with them, fit into the share of the cards (V-53)."""
    what: OnCards = given.offer.value
    node = site.nodes[site.node_of(given.ref.host)]
    memory = [node.hardware.gpus[card].memory for card in cards_of(site, given.ref.host)][: what.cards]
    if not memory or None in memory or what.share is None or what.weights is None:
        return
    room = what.share * sum(one or 0 for one in memory)
    need = what.weights + COMPUTED * len(memory)
    if need > room:
        several = f"{len(memory)} cards of " if len(memory) > 1 else ""
        said = (
            f"{given.ref}: its weights ({sizes.about(what.weights)}) and what is computed with them "
            f"({sizes.about(COMPUTED * len(memory))}) do not fit into {what.share:g} of {several}"
            f"{sizes.about(memory[0] or 0)}, which is {sizes.about(room)}"
        )
        hint = "take a larger share, a smaller model or more cards; `weights` says how large it really is"
        yield Problem(said, site.place(given.ref, what.field), hint, "V-53", warning=True)


def cards_of(site: Site, guest: str) -> tuple[str, ...]:
    """Return the cards of a guest that its node has, in the order in which programs see them."""
    facts = site.facts.get(guest)
    named: Any = (facts.own.get("gpus") if facts else None) or ()
    there = site.nodes[site.node_of(guest)].hardware.gpus
    return tuple(sorted((card for card in named if card in there), key=lambda card: there[card].pci))
