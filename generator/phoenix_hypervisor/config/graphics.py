"""What the files say of a node's graphics cards: whose each is, and how the driver numbers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..resource import Kind, Ref
    from .model import Gpu, Hardware

CARD = "gpu"
"""The topic of one card, by its name in the hardware section. Who consumes it uses the card through the
node's own driver, as containers do."""
VFIO = "vfio"
"""The topic of a device that is given to virtual machines, by its name: offered by what gives it away,
consumed by the one that has it."""
CARDS = ("gpus", "node")
"""Topic and key of all cards: name → the same value as for one."""
GIVEN_AWAY = ("vfio_addresses", "node")
"""Topic and key of all that is given to virtual machines: how the PCI addresses of it begin."""


def facts_of_cards(
    node: str, hardware: Hardware, resources: Mapping[Ref, Kind]
) -> dict[tuple[str, str], Any]:
    """Return the facts about a node's cards by topic and key.

    NVIDIA's driver numbers the cards it has (`minor`) in the order of their PCI addresses.
    """
    in_order = sorted(hardware.gpus.items(), key=lambda pair: pair[1].pci)
    hosts = [name for name, gpu in in_order if gpu.owner == "host"]
    cards = {
        name: {
            "pci": gpu.pci,
            "minor": hosts.index(name) if name in hosts else None,
            "memory": gpu.memory,
            "model": gpu.model,
            "uuid": gpu.uuid or None,
            "owner": gpu.owner,
        }
        for name, gpu in in_order
    }
    offered = {
        offer.key
        for ref, resource in resources.items()
        if ref.host == node and resource.present
        for offer in resource.provides()
        if offer.topic == VFIO
    }
    addresses = tuple(sorted(_beginning(hardware.gpus.get(name), name) for name in offered))
    return {(CARD, name): card for name, card in cards.items()} | {CARDS: cards, GIVEN_AWAY: addresses}


def _beginning(card: Gpu | None, address: str) -> str:
    """How the addresses of what is given away begin: a card goes with all its functions."""
    return card.pci.rpartition(".")[0] + "." if card else address
