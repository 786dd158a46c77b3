"""What is served where, and who says to use it: from this the rules follow that nobody has to write.

A kind that listens yields `Offer("port", "8000/tcp", Port("8000", "tcp", …))` from `provides()`; one that
connects to others yields `Offer("reaches", "vllm-chat", Reach("8000"))`, keyed by the guest or node it
connects to, by EVERY for that port of whichever host; `Offer("reaches", EVERY, Reach(EVERY))` is of one that
connects to every `services.Service`.
Both come from the files alone; neither knows of the other, nor of any firewall.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ..resource import Ref

PORT = "port"
REACHES = "reaches"
FACT = ("network", "site")
"""Topic and key under which firewalls are given the `Network`."""
ANY = "any"


class Port(NamedTuple):
    """What a resource listens on."""

    number: str
    """A port, `5900:5999`, or `80,443`."""
    proto: str = "tcp"
    clients: tuple[str, ...] | None = None
    """Who is to use it: addresses, networks, guests' names, `any`; () nobody but those who say that they
    do. None: it is for a person to say, in `expose` or a rule."""

    @property
    def key(self) -> str:
        """How it is called: `8000/tcp`."""
        return f"{self.number}/{self.proto}"


class Reach(NamedTuple):
    """What a resource connects to, on the host that is the offer's key."""

    number: str
    proto: str = "tcp"


class Served(NamedTuple):
    """A port of a host, who serves it, and which hosts say that they use it."""

    who: Ref
    port: Port
    reached_from: tuple[str, ...] = ()

    @property
    def clients(self) -> tuple[str, ...] | None:
        """Everybody who is to get through; None where nobody says."""
        if self.port.clients is None and not self.reached_from:
            return None
        return tuple(dict.fromkeys([*(self.port.clients or ()), *self.reached_from]))


class Network(NamedTuple):
    """All of a site that rules can be about."""

    addresses: Mapping[str, tuple[str, ...]] = {}
    """Node or guest → its declared static addresses."""
    served: Mapping[str, tuple[Served, ...]] = {}
    """Node or guest → what is served there."""
    vmids: Mapping[str, str] = {}
    """Guest → its VMID."""


NOTHING = Network()
