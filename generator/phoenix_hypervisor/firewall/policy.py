"""What the three kinds of the firewall share: a file of Proxmox's that is ours as a whole."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..dialects import firewall_fw as fw
from ..resource import (
    Artifact,
    Change,
    Confirm,
    Effect,
    Kind,
    Refusal,
    Step,
    Want,
    reload,
    script,
)
from ..secrets import Text
from .ports import FACT, NOTHING, Network, Served
from .rules import Rule, opened
from .words import Ends

END = "\n-- the file ends here --\n"
"""Sent behind the content: a connection that breaks must not leave half a firewall."""
NONE = "none"
SAID = {
    "lockout": "would lock us out: {}",
    "foreign": "{}: move it away, or allow to take it over with `overwrite: true`",
}
"""Differences that are said, and what is said of each."""
OF_OTHERS = frozenset({"datacenter", "filtered"})
"""Differences that others put right, which are needed and declared: cluster.fw, the guest's interfaces."""

ExposedTo = Annotated[Ends, Field(min_length=1)]
PortKey = Annotated[
    str,
    BeforeValidator(lambda key: str(key) if type(key) is int else key),
    Field(pattern=r"^[0-9]+([:,][0-9]+)*(/(tcp|udp))?$"),
]


class Options(BaseModel):
    """Options of a file, named as in Proxmox; what is not declared is Proxmox's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    @property
    def lines(self) -> dict[str, str]:
        """The declared ones, as the file has them."""
        found = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value_of(value) for name, value in found if value is not None}


def value_of(value: object) -> str:
    """Return an option's value as the file has it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


class Policy(Kind):
    """A file of the firewall. Proxmox reads it every ten seconds; nothing in it is anybody else's."""

    manners: ClassVar[frozenset[str]] = frozenset({"overwrite", "confirm_seconds"})

    enable: bool = True
    rules: tuple[Rule, ...] = ()
    overwrite: bool = False
    confirm_seconds: Annotated[int, Field(ge=10, le=600)] = 60

    @property
    @abstractmethod
    def file(self) -> str:
        """Where the file is."""

    @property
    @abstractmethod
    def own_mark(self) -> str:
        """What its first line calls it."""

    @property
    @abstractmethod
    def firewall(self) -> fw.Firewall:
        """What the file should say."""

    @property
    def text(self) -> str:
        """The file."""
        return fw.write(self.firewall, self.own_mark)

    @property
    def network(self) -> Network:
        """What the files say of all hosts."""
        return next((given.value for given in self.given(FACT[0])), NOTHING)

    def lines_of(self, rules: Iterable[Rule]) -> tuple[fw.Rule, ...]:
        """Return declared rules as the file has them."""
        return tuple(line for rule in rules for line in rule.lines(self.network))

    def consumes(self) -> Iterable[Want]:
        yield Want(*FACT, "rules", "", exact=True, required=False)

    @property
    def put(self) -> Artifact:
        """The script that puts the file in its place, and takes it back."""
        return script(self.kind, "put", "put.sh.j2")

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "fw.j2", 0o640)
        yield self.put

    @property
    def may_cut_us_off(self) -> bool:
        """Whether it decides who gets in to the node itself."""
        return True

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            ours = change.seen is not None and change.seen.ours
            yield removal(
                self.kind, self.file, self.own_mark, "" if ours else f"{self.file}, which we did not make"
            )
            return
        refused = [name for name in SAID if name in change]
        for name in refused:
            yield Refusal(name, SAID[name].format(change[name].actual))
        if not refused and change.attributes.keys() - OF_OTHERS:
            yield self._put(change)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails)
        """The files are right and packets meet something else: Proxmox is told to look again."""
        yield reload("pve-firewall")

    def _put(self, change: Change) -> Step:
        proof = change.seen.proof.open if change.seen is not None and self.may_cut_us_off else ()
        said = f"write {self.file}, compile it, reload pve-firewall"
        probes = change.seen.probes if change.seen is not None and self.may_cut_us_off else ()
        if self.may_cut_us_off:
            said += f"; taken back after {self.confirm_seconds} s unless a new connection comes through"
        said += "".join(f"; stays open: {one}" for one in proof)
        overwrite = "overwrite" if self.overwrite else "keep"
        return Step(
            said,
            execute=self.put,
            arguments=("put", self.file, self.own_mark, overwrite, *probes),
            stdin=Text(self.text, END),
            effect=Effect.RELOAD,
            locks=("firewall",),
            confirm=confirm(self.put, self.file, self.confirm_seconds) if self.may_cut_us_off else None,
        )


class Serving(Policy):
    """A file about one host that serves: what others declare yields rules, behind those of a person."""

    expose: dict[PortKey, ExposedTo] = Field(default_factory=dict)

    @property
    @abstractmethod
    def host(self) -> str:
        """Who it is about."""

    @property
    def served(self) -> tuple[Served, ...]:
        """What is served there."""
        return self.network.served.get(self.host, ())

    @property
    def exposed(self) -> Mapping[str, tuple[str, ...]]:
        """What `expose` says by port (`8000/tcp`); nobody for `none`."""
        return {
            key if "/" in key else f"{key}/tcp": () if ends == (NONE,) else ends
            for key, ends in self.expose.items()
        }

    @property
    def all_rules(self) -> tuple[fw.Rule, ...]:
        """A person's rules, what they expose, and what follows from what is served: the first that fits."""
        exposed = [
            line
            for key, ends in self.exposed.items()
            if ends
            for line in opened(key, ends, self.network, f"exposed {key}")
        ]
        derived = [
            line
            for served in self.served
            if served.clients and served.port.key not in self.exposed
            for line in opened(served.port.key, served.clients, self.network, f"for {served.who}")
        ]
        return tuple(dict.fromkeys([*self.lines_of(self.rules), *exposed, *derived]))


def confirm(put: Artifact, file: str, seconds: int) -> Confirm:
    """Return how a changed file is taken back: a timer on the node, stopped through a new connection."""
    return Confirm(("sh", put.path, "arm", file, str(seconds)), ("sh", put.path, "disarm", file))


def removal(kind: str, file: str, own_mark: str, destroys: str = "", *, guarded: bool = True) -> Step:
    """Return the step that removes a file, and puts back what lay there before."""
    put = script(kind, "put", "put.sh.j2")
    return Step(
        f"remove {file}, put back what was there before, reload pve-firewall",
        execute=put,
        arguments=("remove", file, own_mark),
        effect=Effect.RELOAD,
        destroys=destroys,
        locks=("firewall",),
        confirm=confirm(put, file, 60) if guarded else None,
    )
