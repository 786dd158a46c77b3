"""Resources by name, and what they have for each other: small values, offered and asked for by topic and key.

Kinds import these from `resource`, with everything else that they are made of.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

EVERY = "*"
"""The key of a want that takes all facts of its topic."""


class Ref(NamedTuple):
    """A resource's name: `kind:name` on a host."""

    host: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def full(self) -> str:
        """The reference with its host: `host/kind:name`."""
        return f"{self.host}/{self}"


class Offer(NamedTuple):
    """A small value a resource provides to others: a path, an endpoint, a share of a GPU."""

    topic: str
    key: str
    value: Any = None


class Want(NamedTuple):
    """What a resource consumes: the offer of that topic whose key is `key` or the nearest path above it."""

    topic: str
    key: str
    attribute: str
    """The field that asks for it: where an error points to."""
    missing: str
    """What to say when nobody offers it."""
    rule: str = ""
    exact: bool = False
    """Only an offer of that very key will do."""
    required: bool = True
    """Whether it is an error when nobody offers it; otherwise it is somebody else's matter then."""
    making: bool = False
    """Needed only to make the resource: one that is there goes on when this is not right."""
    where: Literal["host", "node", "site"] = "host"
    """Whose offers are looked at: its own host's, its guest's node's, or all of the site. On a site, `EVERY`
    takes all offers of the topic, its own excepted."""
    soft: bool = False
    """It comes after them while they may still become right, and goes on without them when they do not."""


class Given(NamedTuple):
    """A matched offer, as the resource that asked for it sees it."""

    topic: str
    key: str
    value: Any
    ref: Ref | None
    """Who offers it; None for a fact of the site itself."""


class GuestFacts(NamedTuple):
    """What the files say of a guest: the fact `guest`, given to its own kinds and to whoever wants it."""

    name: str
    vmid: str
    node: str
    layer: str | None
    """The mode of its `lxc_layer` section; None for one that is no layer."""
    content: str
    """A digest of everything declared inside it, references to secrets by name."""
    own: Mapping[str, Any] = {}
    """The settings of the section that is the guest itself (`lxc`)."""
    ssh: tuple[str, int] | None = None
    """The address and port it is reached at by ssh of its own; None through its node."""
