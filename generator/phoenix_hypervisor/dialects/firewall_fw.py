"""The firewall's files of Proxmox: cluster.fw, host.fw and <vmid>.fw.

The order of rules is their meaning; that of options, aliases and members of sets is not. What Proxmox
does not understand it skips with a warning, so it is kept apart here (`faults`): such a line does nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import NamedTuple

FOLDER = "/etc/pve/firewall"
CLUSTER = f"{FOLDER}/cluster.fw"
ACTIONS = ("ACCEPT", "DROP", "REJECT")
LOG_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog")
PARAMETERS = {
    "-i": "interface",
    "-source": "source",
    "-dest": "dest",
    "-p": "proto",
    "-dport": "dport",
    "-sport": "sport",
    "-log": "log",
    "-icmp-type": "icmp_type",
}
"""A rule's parameters, in the order in which Proxmox writes them."""

_SECTION = re.compile(r"\[\s*(\S+?)(?:\s+(\S+?))?\s*\](?:\s*#\s*(.*?))?", re.IGNORECASE)
_RULE = re.compile(
    r"(\|?)(IN|OUT|FORWARD|GROUP)\s+(?:([^\s()]+)\(([^\s()]+)\)|([^\s()]+))\s*(.*)", re.IGNORECASE
)
_OPTION = re.compile(r"([a-z][a-z0-9_]*)\s*:\s*(\S.*)", re.IGNORECASE)


class Rule(NamedTuple):
    """One rule; an empty text means that nothing is said."""

    direction: str
    """IN, OUT, FORWARD, or GROUP: then the action is the name of a security group."""
    action: str
    macro: str = ""
    interface: str = ""
    source: str = ""
    dest: str = ""
    proto: str = ""
    dport: str = ""
    sport: str = ""
    log: str = ""
    icmp_type: str = ""
    comment: str = ""
    enabled: bool = True

    def __str__(self) -> str:
        """Return the line of the file."""
        what = f"{self.macro}({self.action})" if self.macro else self.action
        words = ["" if self.enabled else "|", f"{self.direction} {what}"]
        said = [f"{sign} {value}" for sign, name in PARAMETERS.items() if (value := getattr(self, name))]
        comment = [f"# {self.comment}"] if self.comment else []
        return "".join(words) + "".join(f" {part}" for part in [*said, *comment])


class Alias(NamedTuple):
    """A name for an address or a network."""

    address: str
    comment: str = ""


class Member(NamedTuple):
    """What a set holds: an address, a network or an alias; or what of its networks is not in it."""

    address: str
    comment: str = ""
    excluded: bool = False


class Set(NamedTuple):
    """A set of addresses."""

    members: tuple[Member, ...] = ()
    comment: str = ""


class Group(NamedTuple):
    """A security group: rules under a name, of cluster.fw only."""

    rules: tuple[Rule, ...] = ()
    comment: str = ""


class Firewall(NamedTuple):
    """What one file says."""

    options: Mapping[str, str] = {}
    aliases: Mapping[str, Alias] = {}
    sets: Mapping[str, Set] = {}
    groups: Mapping[str, Group] = {}
    rules: tuple[Rule, ...] = ()
    faults: tuple[str, ...] = ()
    """Lines that Proxmox skips."""

    @property
    def enabled(self) -> bool:
        """Whether it says `enable: 1`."""
        return self.options.get("enable") == "1"


def mark(name: str) -> str:
    """Return the first line of a file of ours; a clone's copy of it has the other guest's name."""
    return f"# Written by phoenix: {name}. Changed by hand, it is written again."


def marked(text: str, name: str) -> bool:
    """Tell whether a file is ours. Proxmox's own tools drop the mark when they rewrite it."""
    return text.partition("\n")[0] == mark(name)


def parse(text: str) -> Firewall:
    """Read a file."""
    reader = _Reader()
    for line in text.splitlines():
        reader.take(line.strip())
    return reader.found()


class _Reader:
    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.aliases: dict[str, Alias] = {}
        self.sets: dict[str, Set] = {}
        self.groups: dict[str, Group] = {}
        self.rules: list[Rule] = []
        self.faults: list[str] = []
        self._section, self._name = "", ""

    def found(self) -> Firewall:
        return Firewall(
            self.options, self.aliases, self.sets, self.groups, tuple(self.rules), tuple(self.faults)
        )

    def take(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        begins = _SECTION.fullmatch(line)
        if not (self._begun(*begins.groups()) if begins else self._read(line)):
            self.faults.append(line)

    def _begun(self, section: str, name: str | None, comment: str | None) -> bool:
        word = section.upper()
        if (word in ("OPTIONS", "ALIASES", "RULES") and name) or (word in ("IPSET", "GROUP") and not name):
            return False
        if word not in ("OPTIONS", "ALIASES", "RULES", "IPSET", "GROUP"):
            return False  # and what follows still belongs to the section before it
        self._section, self._name = word, (name or "").lower()
        if word == "IPSET":
            self.sets.setdefault(self._name, Set(comment=comment or ""))
        elif word == "GROUP":
            self.groups.setdefault(self._name, Group(comment=comment or ""))
        return True

    def _read(self, line: str) -> bool:
        match self._section:
            case "OPTIONS":
                said = _OPTION.fullmatch(line)
                if said:
                    self.options[said[1].lower()] = option(said[1].lower(), said[2].strip())
                return said is not None
            case "ALIASES":
                return self._alias(line)
            case "IPSET":
                own = self.sets[self._name]
                member = _member(line)
                self.sets[self._name] = own._replace(members=(*own.members, member))
                return True
            case "RULES" | "GROUP":
                return self._rule(line)
        return False

    def _alias(self, line: str) -> bool:
        said, comment = _commented(line)
        words = said.split()
        if len(words) == 2:
            self.aliases[words[0].lower()] = Alias(address(words[1]), comment)
        return len(words) == 2

    def _rule(self, line: str) -> bool:
        rule = parse_rule(line)
        if rule is None:
            return False
        if self._section == "RULES":
            self.rules.append(rule)
        else:
            own = self.groups[self._name]
            self.groups[self._name] = own._replace(rules=(*own.rules, rule))
        return True


def _commented(line: str) -> tuple[str, str]:
    said, _, comment = line.partition("#")
    return said.strip(), comment.strip()


def _member(line: str) -> Member:
    said, comment = _commented(line)
    excluded = said.startswith("!")
    return Member(address(said.removeprefix("!").strip()), comment, excluded)


def parse_rule(line: str) -> Rule | None:
    """Read one rule; None for one that Proxmox does not understand."""
    said, comment = _commented(line)
    found = _RULE.fullmatch(said)
    if found is None:
        return None
    off, direction, macro, of_macro, action, rest = found.groups()
    values: dict[str, str] = {}
    words = rest.split()
    for sign, value in zip(words[::2], words[1::2], strict=False):
        if sign not in PARAMETERS or (sign == "-log" and value not in LOG_LEVELS):
            return None
        values[PARAMETERS[sign]] = value
    if len(words) % 2:
        return None
    rule = Rule(
        direction.upper(), of_macro or action, macro or "", **values, comment=comment, enabled=not off
    )
    return canonical(rule)


def write(firewall: Firewall, name: str) -> str:
    """Return a file of ours with this content, in Proxmox's own syntax."""
    return "\n".join([mark(name), *_lines(firewall)]) + "\n"


def _lines(firewall: Firewall) -> Iterator[str]:
    yield from _section("[OPTIONS]", [f"{name}: {value}" for name, value in firewall.options.items()])
    yield from _section(
        "[ALIASES]", [f"{name} {_with(*alias)}" for name, alias in sorted(firewall.aliases.items())]
    )
    for name, found in sorted(firewall.sets.items()):
        members = [f"{'!' if m.excluded else ''}{_with(m.address, m.comment)}" for m in found.members]
        yield from _section(_with(f"[IPSET {name}]", found.comment), members, even_empty=True)
    yield from _section("[RULES]", map(str, firewall.rules))
    for name, group in sorted(firewall.groups.items()):
        yield from _section(_with(f"[group {name}]", group.comment), map(str, group.rules), even_empty=True)


def _section(head: str, lines: Iterable[str], *, even_empty: bool = False) -> Iterator[str]:
    found = list(lines)
    if found or even_empty:
        yield from ("", head, "", *found)


def _with(text: str, comment: str) -> str:
    return f"{text} # {comment}" if comment else text


# One canonical spelling for what means the same.


def option(name: str, value: str) -> str:
    """Return an option's value in its canonical spelling."""
    if name.startswith("policy_"):
        return value.upper()
    if "=" in value:
        return ",".join(sorted(value.split(",")))
    return value


def canonical(rule: Rule) -> Rule:
    """Return a rule in its canonical spelling."""
    return rule._replace(
        action=rule.action if rule.direction == "GROUP" else rule.action.upper(),
        source=addresses(rule.source),
        dest=addresses(rule.dest),
        dport=ports(rule.dport),
        sport=ports(rule.sport),
        proto=rule.proto.lower(),
    )


def address(text: str) -> str:
    """Return an address, a network, a range, or a name, in its canonical spelling."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return text.lower()
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)


def addresses(text: str) -> str:
    """Return a list of addresses in its canonical spelling: the order does not matter."""
    return ",".join(sorted({address(word) for word in text.split(",")})) if text else ""


def ports(text: str) -> str:
    """Return a list of ports in its canonical spelling: the order does not matter."""

    def place(word: str) -> tuple[int, str]:
        first = word.partition(":")[0]
        return (int(first) if first.isdecimal() else 1 << 16, word)

    return ",".join(sorted({_port(word) for word in text.split(",")}, key=place)) if text else ""


def _port(word: str) -> str:
    ends = word.split(":")
    return ":".join(str(int(end)) if end.isascii() and end.isdecimal() else end for end in ends)


def bare(firewall: Firewall) -> Firewall:
    """Return the same in one canonical order, to be compared."""
    return firewall._replace(
        options=dict(sorted(firewall.options.items())),
        aliases=dict(sorted(firewall.aliases.items())),
        sets={
            name: found._replace(members=tuple(sorted(set(found.members))))
            for name, found in sorted(firewall.sets.items())
        },
        groups=dict(sorted(firewall.groups.items())),
    )
