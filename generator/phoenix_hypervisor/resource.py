"""What a kind is made of: references, artifacts, steps, changes. Values only, nothing here does anything.

The words are those of docs/concepts.md: a *resource* is one thing of a *kind* on a *host*; failing
checks report its *drift*; a *step* is one action on the host.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, PrivateAttr

from .downloads import Fetch, downloaded
from .offers import EVERY, Given, GuestFacts, Offer, Ref, Want
from .secrets import Secret, Text

__all__ = [
    "CREATE",
    "EVERY",
    "MADE_FOLDER",
    "NO_CHANGE",
    "PENDING_FOLDER",
    "REMOVE",
    "STATE_FOLDER",
    "Artifact",
    "Change",
    "Confirm",
    "Difference",
    "Effect",
    "Fetch",
    "Given",
    "GuestFacts",
    "Kind",
    "Offer",
    "Ref",
    "Refusal",
    "Samples",
    "Step",
    "Want",
    "downloaded",
    "made",
    "reboot",
    "reload",
    "run",
    "script",
]

STATE_FOLDER = "/var/lib/phoenix"
"""Where our own files lie on a node: scripts, and the record of what we made."""

MADE_FOLDER = f"{STATE_FOLDER}/made"
PENDING_FOLDER = f"{STATE_FOLDER}/pending"


class Effect(IntEnum):
    """How much a step disturbs, weakest first."""

    HOT = 0
    """Nobody notices."""
    RELOAD = 1
    """A service reads its configuration again; connections stay."""
    RESTART = 2
    """A service or a guest is stopped and started."""
    REBOOT = 3
    """The node is restarted."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Artifact:
    """A file rendered from a template: a conf file in the host's dialect, or a script."""

    path: str
    """Absolute path on the host."""
    template: str
    """File name in templates/<kind>/."""
    mode: int = 0o644
    script: bool = False


def script(kind: str, slug: str, template: str) -> Artifact:
    """Return the artifact of a script of ours: POSIX sh, safe to run at any time by hand."""
    return Artifact(f"{STATE_FOLDER}/scripts/{kind}/{slug}.sh", template, 0o700, script=True)


@dataclass(frozen=True)
class Confirm:
    """How a step that may cut us off is taken back by the node itself, unless a new connection arrives."""

    arm: tuple[str, ...]
    """Run before the step: starts a timer on the node that takes the step back."""
    disarm: tuple[str, ...]
    """Run after it, through a connection opened for this: stops the timer."""


@dataclass(frozen=True)
class Step:
    """One action on a host. One of `argv`, `push` and `execute` says what is done, or `fetch` alone does."""

    title: str
    """What a person reads in the plan: the command, or what the script will do."""
    argv: tuple[str, ...] = ()
    push: Artifact | None = None
    execute: Artifact | None = None
    """A script: pushed if it differs, then run."""
    stdin: Text | None = None
    arguments: tuple[str, ...] = ()
    """For `execute`: what the script is called with."""
    effect: Effect = Effect.HOT
    interrupts: str = ""
    """Who is stopped or restarted by it, in words: `lxc:950 vllm-chat`."""
    locks: tuple[str, ...] = ()
    """What no other step of the node may do at the same time: `clone:900`, `storage:quickOS-lxc-disks`."""
    destroys: str = ""
    """What is lost for good, in words; needs `state: absent` (or `--prune`) and `--allow-destroy`."""
    once: bool = False
    """The same step of several resources runs once, after all their others: a reload."""
    waits: bool = False
    """It changes nothing, and only waits for what somebody else is doing."""
    fetch: tuple[Fetch, ...] = ()
    """Files from the network that must be there first. In a guest, those without a path of their own are
    there only while `execute` runs."""
    lasts: bool = False
    """It may say nothing for longer than a host is waited for."""
    confirm: Confirm | None = None
    keeps: Secret | None = None
    """What it prints is the value of this secret: kept in the store, and shown to nobody."""
    check: str = ""
    """For a push: shell that must succeed for the new content, which lies at `$candidate`."""
    because: str = ""
    """Of a reboot: what it is needed for, in words."""
    pending: str = ""
    """For a push: the unit that must be reloaded after it. Noted on the host before the file is there
    and forgotten by `reload`, so a run cut between the two is noticed by the next."""


@dataclass(frozen=True)
class Refusal:
    """A difference that is said, not repaired: what a person must do."""

    attribute: str
    reason: str


def run(*argv: str, stdin: Text | None = None, effect: Effect = Effect.HOT, destroys: str = "") -> Step:
    """Return a step that runs one program with these arguments."""
    import shlex

    return Step(shlex.join(argv), argv=argv, stdin=stdin, effect=effect, destroys=destroys)


def reload(unit: str) -> Step:
    """Return the step that makes a service read its configuration again, and start it if it does not run."""
    act = f"systemctl enable {unit} && systemctl reload-or-restart {unit} && rm -f {PENDING_FOLDER}/{unit}"
    return Step(
        f"systemctl reload-or-restart {unit}", argv=("sh", "-c", act), effect=Effect.RELOAD, once=True
    )


def reboot(reason: str) -> Step:
    """Return the step that restarts the node, with `apply --reboot` only: for when all files are right."""
    argv = ("systemctl", "reboot")
    return Step("systemctl reboot", argv, effect=Effect.REBOOT, once=True, because=reason)


def made(kind: str, name: str) -> str:
    """Return the path of the note that we made a thing whose place cannot carry a mark of ours."""
    return f"{MADE_FOLDER}/{kind}/{name}"


class Difference(NamedTuple):
    """One attribute that is not as declared; `relation` is what should hold between the two."""

    actual: Any
    desired: Any
    relation: str = "=="


@dataclass(frozen=True)
class Change:
    """What the failing checks of one resource found: attribute → difference."""

    attributes: Mapping[str, Difference] = field(default_factory=dict)
    seen: Any = field(default=None, compare=False, repr=False)
    """What `seen(host, <kind>)` of the kind's checks returned: the actual as a whole, where steps depend
    on more of it than what differs (the MAC to keep, a free index, a digest). None if there is none."""

    @property
    def creates(self) -> bool:
        """The thing is missing and should be there."""
        return self._present == (False, True)

    @property
    def removes(self) -> bool:
        """The thing is there and should not be."""
        return self._present == (True, False)

    @property
    def _present(self) -> tuple[Any, Any] | None:
        found = self.attributes.get("present")
        return (found.actual, found.desired) if found else None

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.attributes

    def __getitem__(self, attribute: str) -> Difference:
        return self.attributes[attribute]

    def __bool__(self) -> bool:
        return bool(self.attributes)


NO_CHANGE = Change()
CREATE = Change({"present": Difference(False, True)})
"""The change of a thing that is missing."""
REMOVE = Change({"present": Difference(True, False)})
"""The change of a thing that is there and should not be."""


class Samples(NamedTuple):
    """Two declarations of one resource that differ in every changeable attribute, for the contract suite."""

    name: str
    first: Mapping[str, Any]
    second: Mapping[str, Any]
    around: Mapping[str, Any] = {}
    """Sections that must be declared beside it: what it needs."""
    refused: tuple[Mapping[str, Any], ...] = ()
    """Settings laid over the first, each a difference that is said and never repaired."""
    inside: str = ""
    """Of scope `host`: the guest in which it is tried, by its file's name among `around`'s `guests`
    (`120-server`); empty: on the node."""
    alone: frozenset[str] = frozenset()
    """Fields whose difference can be told only where nothing else differs."""

    @property
    def guest(self) -> str:
        """The name of that guest."""
        return self.inside.partition("-")[2]


class Kind(BaseModel):
    """A sort of thing we manage. A subclass in `kinds/<kind>.py` is its model and its pure methods."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    kind: ClassVar[str] = ""
    """Set by the registry: the stem of the module's file."""
    singleton: ClassVar[bool] = False
    """The section holds the one resource's settings themselves; its name is the host's."""
    scope: ClassVar[Literal["node", "host", "guest"]] = "node"
    """Where it is declared: for nodes only; for any host, nodes and guests alike; or in a guest's file
    about the guest as its node sees it (one each, living on the node, named by VMID)."""
    beside: ClassVar[bool] = False
    """Of scope `guest`: it needs the guest to be there, and nothing of what is inside it."""
    inhabited: ClassVar[bool] = False
    """Of scope `guest`: it is the guest itself, needed by everything declared inside it."""
    entered: ClassVar[Literal["attach", "agent"]] = "attach"
    """Of an inhabited kind: how its node gets inside. `attach`: as LXC does; `agent`: by the guest agent."""
    verbs: ClassVar[Any] = None
    """Of an inhabited kind: what people do with it by hand, a `guestverbs.GuestVerbs`."""
    can_be_absent: ClassVar[bool] = True
    keeps: ClassVar[frozenset[str]] = frozenset()
    """Fields whose secrets get their values from the host: they need none before it is made."""
    manners: ClassVar[frozenset[str]] = frozenset()
    """Fields that say how a change is made, not what there should be: no check looks at them."""

    name: str
    state: Literal["present", "absent"] = "present"
    _given: tuple[Given, ...] = PrivateAttr(default=())

    @property
    def present(self) -> bool:
        """Whether the resource should exist."""
        return self.state != "absent"

    def bind(self, given: Iterable[Given]) -> None:
        """Take what others offer to this resource. Called once, after those it needs were bound."""
        self._given = tuple(given)

    def given(self, topic: str) -> list[Given]:
        """Return the matched offers of a topic, in the order in which `consumes` asks for them."""
        return [given for given in self._given if given.topic == topic]

    @property
    def layer(self) -> str | None:
        """Of scope `guest`: how it makes its guest a layer that others are cloned from; None: not at all."""
        return None

    @property
    def rests(self) -> bool:
        """Of an inhabited kind: whether the guest may rightly not run. Nobody looks inside it then."""
        return False

    def needs(self) -> Iterable[str]:
        """Yield the refs (`kind:name`) on the same host that must be right before this one."""
        return ()

    def provides(self) -> Iterable[Offer]:
        """Yield what others may consume. Of what is given, only values may depend (and all on `guest`)."""
        return ()

    def consumes(self) -> Iterable[Want]:
        """Yield what must be offered by somebody; each match is also a need, and `given` afterwards."""
        return ()

    def artifacts(self) -> Iterable[Artifact]:
        """Yield the files rendered for this resource, reviewable with `phoenix render`."""
        return ()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        """Yield what turns the actual into the desired. Runs nothing."""
        raise NotImplementedError

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002
        """Yield what may help when the state is right but that probe fails. Tried once."""
        return iter(())

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        """Yield what removes a thing we made that is declared no longer, known by its name only."""
        raise NotImplementedError

    @classmethod
    def samples(cls) -> Samples | Iterable[Samples]:
        """Return what the contract suite tries the kind with; several where some fields exclude others."""
        raise NotImplementedError
