"""A rule as it is declared, and the lines of a .fw file that it becomes."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..dialects import firewall_fw as fw
from .ports import ANY, Network
from .words import Action, Comment, Ends, LogLevel, Macro, Name, Ports, is_address

IcmpType = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z-]*$|^[0-9]+(/[0-9]+)?$")]


class Rule(BaseModel):
    """A rule of somebody's own. Its ends are guests by name, networks by alias, sets, or addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    direction: Literal["in", "out", "forward"] = "in"
    action: Action = "ACCEPT"
    group: Name | None = None
    macro: Macro | None = None
    interface: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._+-]{0,14}$")] | None = None
    source: Ends = ()
    dest: Ends = ()
    proto: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$|^[0-9]{1,3}$")] | None = None
    port: Ports = ()
    sport: Ports = ()
    icmp_type: IcmpType | None = None
    log: LogLevel | None = None
    comment: Comment | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _fits_together(self) -> "Rule":
        said = self.model_fields_set
        if self.group and said - {"group", "interface", "source", "dest", "comment", "enabled"}:
            raise ValueError("`group` says what is done: with it only interface, source, dest and comment")
        if self.macro and said & {"proto", "port", "sport", "icmp_type"}:
            raise ValueError("`macro` says which ports: leave out proto, port, sport and icmp_type")
        if (self.port or self.sport) and self.proto not in (None, "tcp", "udp", "dccp", "sctp"):
            raise ValueError("ports belong to tcp or udp")
        if self.icmp_type and self.proto not in ("icmp", "icmpv6", "ipv6-icmp"):
            raise ValueError("`icmp_type` belongs to `proto: icmp` or `icmpv6`")
        return self

    @property
    def ends(self) -> Iterator[tuple[str, str]]:
        """Who it is about, with the field that says so."""
        yield from (("source", word) for word in self.source)
        yield from (("dest", word) for word in self.dest)

    @property
    def names(self) -> Iterator[tuple[str, str]]:
        """The words in it that are no addresses, with their field."""
        yield from (end for end in self.ends if end[1] != ANY and not is_address(end[1]))

    def lines(self, network: Network) -> Iterator[fw.Rule]:
        """Yield what it becomes: one rule for each pair of ends that Proxmox takes in one."""
        proto = self.proto or ("tcp" if self.port or self.sport else "")
        for source in spelled(self.source, network):
            for dest in spelled(self.dest, network):
                if {version(source), version(dest)} >= {4, 6}:
                    continue  # nothing comes from an IPv4 address to an IPv6 one
                yield fw.canonical(
                    fw.Rule(
                        "GROUP" if self.group else self.direction.upper(),
                        self.group or self.action,
                        self.macro or "",
                        self.interface or "",
                        source,
                        dest,
                        proto,
                        ",".join(self.port),
                        ",".join(self.sport),
                        self.log or "",
                        self.icmp_type or "",
                        self.comment or _called(self, network),
                        self.enabled,
                    )
                )


def _called(rule: Rule, network: Network) -> str:
    """The guests a rule is about: their addresses say nothing to a reader of the file."""
    ends = (("from", rule.source), ("to", rule.dest))
    said = [f"{way} {word}" for way, words in ends for word in words if word in network.addresses]
    return ", ".join(said)


def spelled(words: Iterable[str], network: Network) -> list[str]:
    """Return ends as Proxmox takes them: addresses of one IP version in a list, names and ranges alone."""
    alone: list[str] = []
    lists: dict[int, list[str]] = {}
    for word in words:
        if word == ANY:
            return [""]
        for found in network.addresses.get(word, (word,)):
            if not is_address(found) or "-" in found:
                alone.append(found)
            else:
                lists.setdefault(version(found) or 4, []).append(found)
    return [fw.addresses(",".join(found)) for _, found in sorted(lists.items())] + alone or [""]


def version(spec: str) -> int | None:
    """Return the IP version of an end; None for a name, and for none at all."""
    first = spec.partition(",")[0].partition("-")[0]
    return ip_network(first, strict=False).version if first and is_address(first) else None


def members(words: Iterable[str], network: Network) -> tuple[fw.Member, ...]:
    """Return a set's members; a guest becomes its addresses, with its name as their comment."""
    found = []
    for word in words:
        excluded, bare = word.startswith("!"), word.removeprefix("!")
        comment = bare if bare in network.addresses else ""
        found += [fw.Member(one, comment, excluded) for one in network.addresses.get(bare, (bare,))]
    return tuple(dict.fromkeys(found))


def opened(key: str, clients: Iterable[str], network: Network, comment: str) -> Iterator[fw.Rule]:
    """Yield rules that let clients in to a port like `8000/tcp`."""
    number, _, proto = key.partition("/")
    rule = Rule(source=list(clients), port=number, proto=proto or "tcp", comment=comment)
    yield from rule.lines(network)


def flat(
    groups: Mapping[str, Iterable[Rule]], rules: Iterable[Rule]
) -> Iterator[tuple[tuple[str, ...], Rule]]:
    """Yield all rules of a file, those of its groups too, with where each stands."""
    for number, rule in enumerate(rules):
        yield ("rules", str(number)), rule
    for name, inside in groups.items():
        for number, rule in enumerate(inside):
            yield ("groups", name, str(number)), rule
