"""What serves what: the value by which a service tells others of itself, over the whole site.

A kind that serves yields `Offer(SERVICE, self.name, Service(…))`; who wants to know of all services asks
with `Want(SERVICE, EVERY, …, where="site", soft=True)` and finds the guest in `given.ref.host`, its
addresses in the fact `firewall.ports.FACT`. An offer comes from the files alone, before anything is given.

Who connects to every service offered, whichever that may be (a gateway), also yields
`Offer(REACHES, EVERY, Reach(EVERY))`, so that firewalls open each service's port to it. Those that have
nothing but metrics are for whoever yields `Offer(REACHES, EVERY, Reach(METRICS))`: who reads all metrics.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

SERVICE = "service"
METRICS = "metrics"
"""In the place of a port: each at which a service has metrics."""
NGINX_NUMBERS = "nginx_numbers"
"""Topic under which a gateway says where it tells its host its numbers; the key is `url`."""

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

    @property
    def used(self) -> bool:
        """Whether there is anything to it but its metrics: what a gateway could show."""
        return self.role != "metrics" or bool(self.prefix)


USES = "uses"
"""Topic under which a resource says what it counts on, a `Uses` each; the key is `uses.` and its number."""
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Uses(BaseModel):
    """What somebody connects to, and counts on there: a port of a guest, and what is served behind it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    guest: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    """Who serves it, or a gateway before all that serve."""
    port: PortNumber
    role: Role | None = None
    """What it must be; without, only the port counts."""
    model: str | None = None
    """The name under which the model must be served: of chat and embeddings."""
    dimension: Annotated[int, Field(ge=1)] | None = None
    """How long its embeddings must be, or the vectors of the collection."""
    collection: str | None = None
    """Of a vector store: what must be in it."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Uses":
        models, vectors = ("chat", "embeddings"), ("embeddings", "vector-store")
        if self.model is not None and self.role not in models:
            raise ValueError("`model` belongs to `role: chat` or `role: embeddings`")
        if self.dimension is not None and self.role not in vectors:
            raise ValueError("`dimension` belongs to `role: embeddings` or `role: vector-store`")
        if self.collection is not None and self.role != "vector-store":
            raise ValueError("`collection` belongs to `role: vector-store`")
        return self

    @property
    def variable(self) -> str:
        """What stands for its address in an app: `OLLAMA_ADDRESS` for the guest `ollama`."""
        return f"{self.guest.replace('-', '_').upper()}_ADDRESS"

    @property
    def words(self) -> str:
        """What it must be, for people: `chat with the model m`."""
        told = [f"the model `{self.model}`"] if self.model else []
        told += [f"the collection `{self.collection}`"] if self.collection else []
        told += [f"vectors of {self.dimension}"] if self.dimension else []
        return " with ".join([f"`{self.role}`", *([", ".join(told)] if told else [])])

    def is_met_by(self, service: Service) -> bool:
        """Tell whether a service is what is counted on, as far as the files say; wherever it is."""
        if service.role != self.role or (self.model is not None and service.model != self.model):
            return False
        if self.role == "vector-store":
            there = service.collections
            if self.collection is not None and self.collection not in there:
                return False
            sizes = {there[self.collection]} if self.collection is not None else {*there.values()}
            return self.dimension is None or self.dimension in sizes
        return self.dimension is None or service.dimension in (None, self.dimension)


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
