"""Network interfaces of a node."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..dialects import interface_definitions as written
from ..dialects.interfaces import FOLDER, MAIN
from ..resource import (
    Artifact,
    Change,
    Confirm,
    Effect,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    script,
)
from ..secrets import Text

OURS = f"{FOLDER}/phoenix-"
"""How the names of our files begin. Not ended by a dot and a word: `source` takes any name there."""
END = "-- the file ends here --\n"
INSTEAD = "-- and instead of it --\n"
FACT = ("interfaces", "node")
"""Topic and key under which an interface is given all that are declared for its node."""
LIVE = ("up", "running_")
"""How differences begin that are not in the files."""
SAID = {
    "sourced": f"{MAIN} does not read {FOLDER}: add the line `source {FOLDER}/*` to it",
    "gateways": "a second default gateway: {0}; a node has one way out of each family",
    "missing": "the machine has no {0}, and no `network_interface` of that name is declared",
}
"""Differences that are said, and what is said of each."""


class Foreign(NamedTuple):
    """What a file of somebody else's says of the interface, as whole lines, and what replaces them."""

    file: str
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


class Seen(NamedTuple):
    """What the steps depend on besides what differs."""

    foreign: tuple[Foreign, ...] = ()
    guests: tuple[str, ...] = ()
    """Ports of guests that hang on it now."""
    lost: str = ""
    """The address to which this very connection goes, when no interface would have it any more."""


def _name(text: str) -> str:
    if text in (".", "..") or text.startswith(("-", "phoenix-")):
        raise ValueError("is no name of an interface")
    return text


def _address(text: str) -> str:
    if "/" not in text:
        raise ValueError("needs the length of its network: `10.0.0.13/24`")
    return str(ip_interface(text))


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$"), AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
Gateway = Annotated[str, AfterValidator(lambda text: str(ip_address(text)))]
Tag = Annotated[int, Field(ge=1, le=4094)]


class Bond(BaseModel):
    """What a bond is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    members: Annotated[tuple[Name, ...], Field(min_length=1)]
    mode: Literal[
        "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"
    ]
    miimon: Annotated[int, Field(ge=0, le=60000)] = 100
    primary: Name | None = None
    xmit_hash_policy: Literal["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"] | None = None
    lacp_rate: Literal["slow", "fast"] | None = None

    @property
    def definition(self) -> written.Bond:
        """The same, as the files have it."""
        named = {name.replace("_", "-"): value for name, value in self if name not in ("members", "mode")}
        options = tuple(sorted((name, str(value)) for name, value in named.items() if value is not None))
        return written.Bond(self.members, self.mode, options)


class NetworkInterface(Kind):
    """An interface of the node: a bridge (with its `ports`, or `[]`), a VLAN (with a name like `vmbr0.20`, or
    `parent` and `tag`), a bond, or a plain one.

    It is a file of ours in /etc/network/interfaces.d. Where somebody else's stanza, such as the
    installer's of vmbr0, says the same, there is none. One that says something else is left alone, and
    that is said, unless `overwrite` allows to take it out of its file; it is kept then, and put back when
    ours goes. Files are compared in meaning, and so is what the kernel has. All that changes is loaded by
    one `ifreload`, which touches only what differs, and the node takes it back by itself after
    `confirm_seconds` when no new connection comes about. Guests stay on their bridge, and one that has
    guests is not removed. What is not declared (`mtu`, `vids`) is left as it is, and so are other interfaces.
    """

    manners: ClassVar[frozenset[str]] = frozenset({"overwrite", "confirm_seconds"})

    name: Name
    method: Literal["static", "manual", "dhcp"] | None = None
    method6: Literal["static", "manual", "dhcp", "auto"] | None = None
    addresses: Annotated[
        tuple[Address, ...], BeforeValidator(lambda x: [x] if isinstance(x, str) else x)
    ] = ()
    gateway: Gateway | None = None
    gateway6: Gateway | None = None
    mtu: Annotated[int, Field(ge=576, le=65520)] | None = None
    auto: bool | None = None
    ports: tuple[Name, ...] | None = None
    vlan_aware: bool = False
    vids: Annotated[str, BeforeValidator(written.vlans)] | None = None
    stp: bool = False
    fd: Annotated[int, Field(ge=0, le=255)] = 0
    parent: Name | None = None
    tag: Tag | None = None
    bond: Bond | None = None
    overwrite: bool = False
    confirm_seconds: Annotated[int, Field(ge=10, le=600)] = 60

    @model_validator(mode="after")
    def _holds_together(self) -> "NetworkInterface":
        if self.ports is None and (self.vlan_aware or self.vids or self.stp or self.fd):
            raise ValueError("`vlan_aware`, `vids`, `stp` and `fd` are of bridges: say its `ports`, or `[]`")
        if self.ports is None and self.name.startswith("vmbr") and not self.vlan and self.present:
            raise ValueError("a bridge says its `ports`, and `[]` for none: else it would lose those it has")
        if self.stp and not 2 <= self.fd <= 30:
            raise ValueError("with `stp`, the kernel wants an `fd` from 2 to 30 seconds")
        if self.vids and not self.vlan_aware:
            raise ValueError("`vids` need `vlan_aware: true`")
        if (self.parent is None) != (self.tag is None) and not (self.vlan and self.tag is None):
            raise ValueError("a VLAN has both a `parent` and a `tag`, or both are in its name: `vmbr0.20`")
        if sum((self.ports is not None, self.bond is not None, self.vlan is not None)) > 1:
            raise ValueError("is one of a bridge (`ports`), a bond and a VLAN")
        self._addresses_hold_together()
        return self

    def _addresses_hold_together(self) -> None:
        for six, method, gateway in ((False, self.method, self.gateway), (True, self.method6, self.gateway6)):
            own = [one for one in self.addresses if (":" in one) is six]
            called = "6" if six else ""
            if own and method not in (None, "static"):
                raise ValueError(f"`method{called}: {method}` has no addresses: take out `{own[0]}`")
            if method == "static" and not own:
                raise ValueError(f"`method{called}: static` needs an address in `addresses`")
            if gateway is None:
                continue
            if (":" in gateway) is not six:
                raise ValueError(f"`gateway{called}` must be an IPv{6 if six else 4} address")
            networks = [ip_interface(one).network for one in own]
            if not any(ip_address(gateway) in net for net in networks) and not gateway.startswith("fe80:"):
                lies = "outside of " + ", ".join(map(str, networks)) if networks else "in no network of it"
                raise ValueError(f"the gateway {gateway} lies {lies}: nothing would leave through it")

    @property
    def vlan(self) -> tuple[str, int] | None:
        """Its parent and its tag, when it is a VLAN."""
        if self.parent is not None and self.tag is not None:
            return self.parent, self.tag
        return written.vlan_of(self.name)

    @property
    def file(self) -> str:
        """Our file for it."""
        return OURS + self.name

    @property
    def below(self) -> tuple[str, ...]:
        """The interfaces it is made of; itself, when it is a plain one."""
        if self.vlan:
            return (self.vlan[0],)
        if self.ports is not None:
            return self.ports
        return self.bond.members if self.bond else (self.name,)

    @property
    def definition(self) -> written.Definition:
        """What the files should say of it."""
        sorted_addresses = tuple(sorted(self.addresses, key=lambda one: ":" in one))
        six = any(":" in one for one in self.addresses)
        four = any(":" not in one for one in self.addresses)
        vids = written.ranges(self.vids or "")
        bridge = (
            written.Bridge(self.ports, self.vlan_aware, vids, self.stp, self.fd)
            if self.ports is not None
            else None
        )
        return written.Definition(
            self.name,
            self.auto is not False,
            self.method or ("static" if four else "manual"),
            self.method6 or ("static" if six else ""),
            sorted_addresses,
            self.gateway or "",
            self.gateway6 or "",
            self.mtu,
            bridge,
            self.bond.definition if self.bond else None,
            *(self.vlan or ("", None)),
        )

    @property
    def minds_auto(self) -> bool:
        """Whether it matters if it comes up at boot by itself: a plain port does with its bridge."""
        own = self.definition
        plain = own.bridge is None and own.bond is None and own.tag is None
        return self.auto is not None or not plain or own.method != "manual" or bool(own.method6)

    @property
    def text(self) -> str:
        """Our file."""
        mark = f"# Written by phoenix: {self.kind}:{self.name}. Changed by hand, it is written again.\n"
        return mark + written.write(self.definition)

    @property
    def declared(self) -> Mapping[str, tuple[str, ...]]:
        """All interfaces that are declared for the node, with their addresses."""
        return next((given.value for given in self.given(FACT[0])), {})

    def provides(self) -> Iterable[Offer]:
        yield Offer("interface", self.name, self.addresses)

    def consumes(self) -> Iterable[Want]:
        yield Want(*FACT, "ports", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "interface.j2")
        yield PUT

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        seen: Seen = change.seen or Seen()
        if change.removes:
            if seen.guests:
                yield Refusal("present", f"guests hang on it, and would be cut off: {', '.join(seen.guests)}")
            else:
                yield from self.remove(self.name)
            return
        refusals = [
            Refusal(name, said.format(change[name].actual)) for name, said in SAID.items() if name in change
        ]
        if "foreign" in change and not self.overwrite:
            said = f"{change['foreign'].actual}: change it there, or allow to take it over: `overwrite: true`"
            refusals.append(Refusal("foreign", said))
        if seen.lost:
            attribute = "addresses" if "addresses" in change else next(iter(change.attributes))
            said = (
                f"would lock us out: this very connection goes to {seen.lost}, and nothing would have that; "
            )
            said += "declare it beside the new one first, change inventory/, and then take it out"
            refusals.append(Refusal(attribute, said))
        yield from refusals
        if not refusals:
            yield from self._write(change, seen)
            yield _load(self.confirm_seconds)

    def _write(self, change: Change, seen: Seen) -> Iterator[Step]:
        in_files = [name for name in change.attributes if not name.startswith(LIVE) and name != "unconfirmed"]
        if not in_files:
            return
        for one in seen.foreign if self.overwrite else ():
            said = f"take {self.name} out of {one.file}, line {one.line}; it is kept"
            texts = [*(f"{line}\n" for line in one.old), INSTEAD, *(f"{line}\n" for line in one.new), END]
            arguments = ("take", self.name, one.file)
            yield Step(said, execute=PUT, arguments=arguments, stdin=Text(*texts), locks=("network",))
        yield Step(
            f"write {self.file}",
            execute=PUT,
            arguments=("put", self.name),
            stdin=Text(self.text, END),
            interrupts=", ".join(seen.guests) if {"ports", "vlan_aware"} & set(in_files) else "",
            locks=("network",),
        )

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:
        yield Step(
            f"remove {OURS}{name}, put back what was there before ours",
            execute=PUT,
            arguments=("remove", name),
            locks=("network",),
        )
        yield _load(60)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        first: dict[str, Any] = {
            "ports": ["eno2"], "addresses": ["10.9.0.2/24", "fd00:9::2/64"], "gateway6": "fd00:9::1",
            "vlan_aware": True, "vids": "2-99", "mtu": 9000, "fd": 2,
        }  # fmt: skip
        second = {
            "ports": ["eno3"], "addresses": ["10.9.0.3/24", "fd00:9::2/64"], "gateway6": "fd00:9::3",
            "vlan_aware": True, "vids": "2-50 60", "mtu": 1500, "fd": 4, "stp": True,
        }  # fmt: skip
        missing = {"ports": ["eno9"], "vlan_aware": False, "vids": None, "auto": False}
        yield Samples("vmbr1", first, second, refused=(missing, {"gateway": "10.9.0.1"}))
        tagged = {"parent": "eno2", "tag": 20, "method": "dhcp", "method6": "auto"}
        other = {"parent": "eno3", "tag": 30, "method": "manual", "method6": "manual"}
        yield Samples("services", tagged, other, {"network_interface": {"eno2": {}, "eno3": {}}})
        members = ["eno2", "eno3"]
        bond = {"members": members, "mode": "802.3ad", "xmit_hash_policy": "layer2+3", "lacp_rate": "fast"}
        backup = {"members": members, "mode": "active-backup", "primary": "eno3", "miimon": 200}
        yield Samples(
            "bond0",
            {"bond": bond, "addresses": ["10.9.1.2/24"]},
            {"bond": backup, "addresses": ["10.9.1.3/24"]},
        )


PUT = script("network_interface", "put", "put.sh.j2")


def _load(seconds: int) -> Step:
    """One for all interfaces that change: together they may be right where one alone would cut us off."""
    confirm = Confirm(("sh", PUT.path, "arm", str(seconds)), ("sh", PUT.path, "disarm"))
    return Step(
        "ifreload -a, once it has read all files; "
        f"taken back after {seconds} s unless a new connection comes through",
        execute=PUT,
        arguments=("load",),
        effect=Effect.RELOAD,
        locks=("network",),
        once=True,
        confirm=confirm,
    )
