"""Rules about who has a graphics card: the node's own driver, shared by containers, or one virtual machine.

They know no kind. Who consumes the topic `gpu` uses a card through the node's driver; who consumes `vfio`
wants a device for itself; who offers `vfio` gives one away; who offers `iommu` switches the IOMMU on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem
from ...resource import Ref
from ..graphics import CARD, VFIO
from .view import Container, containers

if TYPE_CHECKING:
    from ..model import Gpu
    from ..site import Node, Site

IOMMU = "iommu"


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    for node in site.nodes.values():
        yield from _addresses(node)
        yield from _given_away(site, node)
        yield from _iommu(site, node)
    yield from _asked_for(site)
    for one in containers(site).values():
        yield from _idle_driver(site, one)


def _idle_driver(site: Site, one: Container) -> Iterator[Problem]:
    """Who has the driver's libraries, or a layer with them, has a card (V-37)."""
    if one.is_layer or one.part("gpus"):
        return
    for host in (one.name, *site.made_from(one.name)):
        ref = Ref(host, "nvidia_userland", host)
        if ref in site.resources and site.resources[ref].present:
            own = host == one.name
            said = f"{one.ref}: `{host}` has NVIDIA's libraries, and `{one.name}` no card"
            hint = (
                "name a card in `gpus`, or leave them out"
                if own
                else "name a card in `gpus`, or clone a layer without"
            )
            yield Problem(said, site.place(one.ref, "clone"), hint, "V-37", warning=True)
            return


def _slot(address: str) -> str:
    return address.rpartition(".")[0]


def _addresses(node: Node) -> Iterator[Problem]:
    """A card is one slot, with all its functions: nothing else is there (V-02)."""
    taken: dict[str, str] = {}
    for name, gpu in node.hardware.gpus.items():
        other = taken.setdefault(_slot(gpu.pci), name)
        if other != name:
            said = f"{node.name}: the PCI address `{gpu.pci}` is that of `{other}` already"
            hint = "each card has a slot of its own: `lspci -D` lists them"
            yield Problem(said, node.tree.place("hardware", "gpus", name, "pci"), hint, "V-02")


def _given_away(site: Site, node: Node) -> Iterator[Problem]:
    """What is given to virtual machines is owned by vfio, and the other way round (V-36)."""
    cards, declared = node.hardware.gpus, set()
    for ref in site.of_host(node.name):
        resource = site.resources[ref]
        for name in (offer.key for offer in resource.provides() if offer.topic == VFIO):
            declared.add(name)
            if resource.present:
                yield from _may_be_given(site, ref, name, cards)
    for name in (name for name, gpu in cards.items() if gpu.owner == VFIO and name not in declared):
        yield Problem(
            f"{node.name}: `{name}` belongs to vfio, and nothing gives it to virtual machines",
            node.tree.place("hardware", "gpus", name, "owner"),
            f"declare `vfio_device: {{{name}: {{}}}}`, or `owner: host`",
            "V-36",
        )


def _may_be_given(site: Site, ref: Ref, name: str, cards: dict[str, Gpu]) -> Iterator[Problem]:
    place = site.place(ref)
    of_slot = next((card for card, gpu in cards.items() if _slot(gpu.pci) == _slot(name)), None)
    if name in cards and cards[name].owner != VFIO:
        said = f"{ref}: `{name}` belongs to the node itself (`owner: host`)"
        yield Problem(said, place, "`owner: vfio` in `hardware: gpus:` gives it away", "V-36")
    elif of_slot is not None:
        said = f"{ref}: that is the card `{of_slot}`, or a part of it"
        yield Problem(
            said, place, f"name the card: all its functions go together (`{of_slot}: {{}}`)", "V-36"
        )
    elif name not in cards and ":" not in name:
        said = f"{ref}: there is no `{name}` in the node's `hardware: gpus:`"
        hint = f"known: {', '.join(cards)}" if cards else "declare the card there, with `owner: vfio`"
        yield Problem(said, place, hint, "V-36")


def _iommu(site: Site, node: Node) -> Iterator[Problem]:
    """Without the IOMMU nothing can be given away."""
    offers = [
        (ref, offer.topic)
        for ref in site.of_host(node.name)
        if site.resources[ref].present
        for offer in site.resources[ref].provides()
    ]
    given = [ref for ref, topic in offers if topic == VFIO]
    if given and IOMMU not in {topic for _, topic in offers}:
        yield Problem(
            f"{given[0]}: nothing switches the IOMMU on, without which no device is given away",
            site.place(given[0]),
            "declare `kernel_cmdline: {iommu: {value: pt}}`: what the node's CPU takes for it follows",
        )


def _asked_for(site: Site) -> Iterator[Problem]:
    """Containers take cards of the node's, virtual machines those of vfio, each for itself (V-36)."""
    taken: dict[tuple[str, str], Ref] = {}
    for ref, resource in site.resources.items():
        if not resource.present:
            continue
        node = site.node_of(ref.host)
        cards = site.nodes[node].hardware.gpus
        for want in resource.consumes():
            owner = cards[want.key].owner if want.key in cards else None
            place = site.place(ref, *want.attribute.split("."))
            if want.topic == CARD and owner == VFIO:
                said = f"{ref}: `{want.key}` is given to virtual machines (`owner: vfio`)"
                hint = "take a card of the node's, or give this one back with `owner: host`"
                yield Problem(said, place, hint, "V-36")
            elif want.topic == VFIO and owner == "host":
                said = f"{ref}: `{want.key}` belongs to the node itself (`owner: host`)"
                hint = "containers share it: give it away with `owner: vfio`, or take another one"
                yield Problem(said, place, hint, "V-36")
            elif want.topic == VFIO and taken.setdefault((node, want.key), ref) != ref:
                said = f"{ref}: `{want.key}` is taken by {taken[node, want.key]}"
                yield Problem(said, place, "a device is given to one: take another one", "V-36")
