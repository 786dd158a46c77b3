"""What serves what: the value by which a service tells others of itself, over the whole site.

A kind that serves yields `Offer(SERVICE, self.name, Service(…))`; who wants to know of all services asks
with `Want(SERVICE, EVERY, …, where="site", soft=True)` and finds the guest in `given.ref.host`, its
addresses in the fact `firewall.ports.FACT`. An offer comes from the files alone, before anything is given.

Who connects to every service offered, whichever that may be (a gateway), also yields
`Offer(REACHES, EVERY, Reach(EVERY))`, so that firewalls open each service's port to it.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

SERVICE = "service"

Role = Literal["chat", "embeddings", "vector-store", "ollama", "images", "web", "metrics"]
"""What a service is for: chat and embeddings are OpenAI's API, the rest speaks its own."""


class Service(NamedTuple):
    """What a resource serves over HTTP."""

    role: Role
    port: int
    scheme: Literal["http", "https"] = "http"
    model: str = ""
    """The name under which its model is served: of chat and embeddings."""
    dimension: int | None = None
    """How long its embeddings are."""
    collections: Mapping[str, int] = {}
    """Of a vector store: collection → how long its vectors are."""
    health: str = ""
    """The path that answers 200 when it works."""
    metrics: str = ""
    """The path of its metrics for Prometheus; empty: it has none."""
    prefix: str = ""
    """Of role `web`: the path at which a gateway shows it, like `/webui/`."""


FETCHES_TO = "fetches_to"
"""Topic under which a service says in which folder its models come to lie, some gigabytes each; no value."""
ON_CARDS = "on_cards"
"""Topic under which a service says what it does with the cards that its guest has."""


class OnCards(NamedTuple):
    """What a service does with graphics cards; the share it takes of each is its offer of `budgets.TAKES`."""

    cards: int = 1
    """Over how many it is spread; 0: it works without one."""
    weights: int | None = None
    """Bytes of its model's weights, all cards together."""
    share: float | None = None
    """Of each card's memory; None: nobody knows."""
    alone: bool = False
    """Nobody else uses these cards."""
    field: str = ""
    """The field that says what it is about: where an error points to."""
