"""The firewall's files as pve-firewall reads them, with its complaints.

A rule is a dict of what the file says (`type`, `action`, `macro`, `iface`, `source`, …); one with an error
in it is left out of every chain, as the real tool does.
"""

import ipaddress
import os
import re
import sys

import model
from hints import Any, Callable

FOLDER = "/etc/pve/firewall"
CLUSTER = f"{FOLDER}/cluster.fw"
HOST = "/etc/pve/local/host.fw"
LEVELS = {"emerg": 0, "alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
PARAMETERS = {
    "-i": "iface",
    "-p": "proto",
    "-dport": "dport",
    "-sport": "sport",
    "-source": "source",
    "-dest": "dest",
    "-log": "log",
    "-icmp-type": "icmp-type",
}
BOOLEANS = {
    "cluster": {"enable", "ebtables"},
    "host": {
        *("enable", "nosmurfs", "tcpflags", "ndp", "log_nf_conntrack", "nf_conntrack_allow_invalid"),
        *("protection_synflood", "nftables"),
    },
    "vm": {"enable", "dhcp", "ndp", "radv", "macfilter", "ipfilter"},
}
POLICIES: dict[str, set[str]] = {
    "cluster": {"policy_in", "policy_out", "policy_forward"},
    "host": set(),
    "vm": {"policy_in", "policy_out"},
}
NUMBERS = {"nf_conntrack_max", "nf_conntrack_tcp_timeout_established", "nf_conntrack_tcp_timeout_syn_recv"}
NUMBERS |= {"protection_synflood_rate", "protection_synflood_burst"}
LOGS = {"log_level_in", "log_level_out", "log_level_forward", "smurf_log_level", "tcp_flags_log_level"}
NAME = re.compile(r"(?:(?:dc|guest)/)?[A-Za-z][A-Za-z0-9_-]+")

Rule = dict[str, Any]
Say = Callable[[str], None]


class Conf:
    """One file."""

    def __init__(self, sort: str, path: str, cluster: "Conf | None" = None) -> None:
        self.sort, self.path, self.cluster = sort, path, cluster
        self.options: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.sets: dict[str, list[tuple[str, bool]]] = {}
        """Members, and whether each is excluded."""
        self.groups: dict[str, list[Rule]] = {}
        self.rules: list[Rule] = []
        self.section, self.name = "", ""

    def alias(self, name: str) -> str | None:
        """Return an alias' network, None if there is no such alias."""
        scope, _, bare = name.lower().rpartition("/")
        if scope in ("", "guest") and self.sort == "vm" and bare in self.aliases:
            return self.aliases[bare]
        dc = self.cluster or self
        return dc.aliases.get(bare) if scope in ("", "dc") else None

    def named_set(self, name: str) -> str | None:
        """Return the chain of a set, None if there is no such set."""
        scope, _, bare = name.lower().rpartition("/")
        if scope in ("", "guest") and self.sort == "vm" and bare in self.sets:
            return f"PVEFW-{os.path.basename(self.path).removesuffix('.fw')}-{bare}"
        dc = self.cluster or self
        known = bare in dc.sets or bare == "management"
        return f"PVEFW-0-{bare}" if scope in ("", "dc") and known else None


def exists(path: str) -> bool:
    return os.path.isfile(model.path(path))


def load(sort: str, path: str, cluster: Conf | None = None, loud: bool = True) -> Conf:
    """Read a file; what is wrong with it is said on stderr."""
    conf = Conf(sort, path, cluster)
    if not exists(path):
        return conf
    with open(model.path(path), encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    # Aliases first: what stands before them may name them.
    for number, line in enumerate(lines, 1):
        _take(conf, number, line, aliases=True, loud=False)
    conf.section = ""
    for number, line in enumerate(lines, 1):
        _take(conf, number, line, aliases=False, loud=loud)
    return conf


def _take(conf: Conf, number: int, line: str, aliases: bool, loud: bool) -> None:
    def say(text: str) -> None:
        if loud:
            print(f"{conf.path} (line {number}){text}", file=sys.stderr)

    text = line.strip()
    if not text or text.startswith("#"):
        return
    head = re.fullmatch(r"\[(\S+)(?:\s+(\S+?))?\s*\]\s*(?:#.*)?", text)
    if head and head[1].lower() in ("options", "aliases", "rules", "ipset", "group"):
        conf.section, conf.name = head[1].lower(), (head[2] or "").lower()
        if conf.section == "ipset":
            conf.sets.setdefault(conf.name, [])
        elif conf.section == "group":
            conf.groups.setdefault(conf.name, [])
        return
    if aliases:
        words = text.partition("#")[0].split()
        if conf.section == "aliases" and len(words) == 2:
            conf.aliases[words[0].lower()] = words[1]
        return
    if conf.section == "options":
        _option(conf, text, say)
    elif conf.section == "ipset":
        _member(conf, text, say)
    elif conf.section in ("rules", "group"):
        rule = _rule(text, say)
        if rule is not None:
            errors = verify(conf, rule)
            if errors:
                name, what = errors
                say(f" - errors in rule parameters: {text}\n  {name}: {what}")
            elif conf.section == "rules":
                conf.rules.append(rule)
            else:
                conf.groups[conf.name].append(rule)
    elif conf.section != "aliases":
        say(f": skip line - no section: {text}")


def _option(conf: Conf, text: str, say: Say) -> None:
    name, colon, value = (part.strip() for part in text.partition(":"))
    name = name.lower()
    fits = (
        (name in BOOLEANS[conf.sort] and value in "01")
        or (name in POLICIES[conf.sort] and value.upper() in ("ACCEPT", "DROP", "REJECT"))
        or (name in NUMBERS and conf.sort == "host" and value.isdecimal())
        or (name in LOGS and conf.sort != "cluster" and (value in LEVELS or value == "nolog"))
        or (name == "log_ratelimit" and conf.sort == "cluster")
    )
    if colon and fits:
        conf.options[name] = value.upper() if name in POLICIES[conf.sort] else value
    else:
        say(f": can't parse option '{text}'")


def _member(conf: Conf, text: str, say: Say) -> None:
    bare = text.partition("#")[0].strip()
    nomatch = bare.startswith("!")
    member = bare.removeprefix("!").strip()
    if not is_address(member):
        found = conf.alias(member)
        if found is None:
            said = member.rpartition("/")[2]
            say(f" - errors in ipset '{conf.name}': {bare}\n  cidr: no such alias '{said}'")
            return
        member = found
    conf.sets[conf.name].append((member, nomatch))


def _rule(text: str, say: Say) -> Rule | None:
    """Split a rule; None after a complaint."""
    bare, hash_, comment = (part.strip() for part in text.partition("#"))
    found = re.fullmatch(
        r"(\|?)(IN|OUT|FORWARD|GROUP)\s+(?:(\S+)\((\S+)\)|(\S+))\s*(.*)", bare, re.IGNORECASE
    )
    if not found:
        say(f": unable to parse rule: {text}")
        return None
    off, sort, macro, of_macro, action, rest = found.groups()
    rule: Rule = {"enable": not off, "type": sort.lower(), "action": of_macro or action}
    if macro:
        rule["macro"] = macro
    if hash_ and comment:
        rule["comment"] = comment
    words = rest.split()
    while words:
        if words[0] not in PARAMETERS or len(words) < 2:
            say(f": unable to parse rule parameters: {' '.join(words)}")
            return None
        rule[PARAMETERS[words[0]]] = words[1]
        del words[:2]
    return rule


def verify(conf: Conf, rule: Rule) -> tuple[str, str] | None:
    """Return what is wrong first: the parameter, and why; None if nothing is."""
    import firewall_macros

    if rule["type"] != "group" and rule["action"] not in ("ACCEPT", "DROP", "REJECT"):
        return "action", f"unknown action '{rule['action']}'"
    if "macro" in rule:
        known = firewall_macros.NAMES.get(rule["macro"].lower())
        if known is None:
            return "macro", f"unknown macro '{rule['macro']}'"
        rule["macro"] = known
    if conf.sort == "vm" and "iface" in rule and not re.fullmatch(r"net\d+", rule["iface"]):
        return "iface", "value does not match the regex pattern 'net\\d+'"
    for port in ("dport", "sport"):
        if port in rule and "proto" not in rule:
            return "proto", f"missing property - '{port}' requires this property"
    for end in ("source", "dest"):
        wrong = _end(conf, rule.get(end, ""))
        if wrong:
            return end, wrong
    return None


def _end(conf: Conf, spec: str) -> str:
    if not spec:
        return ""
    if spec.startswith("+"):
        return "" if conf.named_set(spec[1:]) else f"no such ipset '{spec[1:]}'"
    if NAME.fullmatch(spec) and not is_address(spec):
        return "" if conf.alias(spec) or spec.lower() == "local_network" else f"no such alias '{spec}'"
    versions = set()
    for word in spec.split(","):
        if not is_address(word):
            return f"invalid format - invalid IP address: {word}"
        versions.add(version(word))
    return "detected mixed ipv4/ipv6 addresses in address list" if len(versions) > 1 else ""


def is_address(text: str) -> bool:
    try:
        version(text)
    except ValueError:
        return False
    return True


def version(text: str) -> int:
    """Return 4 or 6 for an address, a network or a range. Raises ValueError."""
    return ipaddress.ip_network(text.partition("-")[0], strict=False).version


def guests() -> dict[str, list[tuple[str, str, str]]]:
    """Return VMID → its network interfaces under the firewall: (number, bridge, MAC)."""
    found = {}
    for folder in ("/etc/pve/lxc", "/etc/pve/qemu-server"):
        try:
            names = sorted(os.listdir(model.path(folder)))
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                found[name.removesuffix(".conf")] = _interfaces(f"{folder}/{name}")
    return found


def _interfaces(path: str) -> list[tuple[str, str, str]]:
    found = []
    with open(model.path(path), encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("["):
                break
            net = re.match(r"net(\d+):\s*(.*)", line)
            if net is None:
                continue
            settings = dict(part.partition("=")[::2] for part in net[2].split(","))
            if settings.get("firewall") == "1":
                found.append((net[1], settings.get("bridge", ""), settings.get("hwaddr", "")))
    return found
