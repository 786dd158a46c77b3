"""Rules about firewalls: what is served can be reached or is said not to be; what is named is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_interface, ip_network
from typing import TYPE_CHECKING, NamedTuple

from ...dialects import firewall_fw as fw
from ...dialects import firewall_verdict as verdict
from ...errors import Problem, Where, did_you_mean
from ...firewall.policy import Policy, Serving
from ...firewall.ports import Network
from ...firewall.rules import Rule, flat
from ...firewall.words import is_address
from ...resource import Ref
from .. import policies

if TYPE_CHECKING:
    from ..site import Site

NO_EXPOSE = "`expose: {PORT: [WHO]}` says who may use it, `expose: {PORT: none}` that nobody may"


class _File(NamedTuple):
    """One declared file, and what the names in it can mean."""

    ref: Ref
    policy: Policy
    cluster: Policy | None
    network: Network
    node: str


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    network = policies.network(site)
    found = []
    for ref in site.resources:
        policy = policies.policy(site, ref)
        if policy is not None:
            found.append(_File(ref, policy, policies.cluster_of(site, ref.host), network, ref.host))
    for file in found:
        yield from _in_effect(site, file)
        yield from _doubles(site, file)
        yield from _open_to_all(site, file)
        yield from _names(site, file)
        yield from _addresses(site, file)
    yield from _served(site, network)


def _in_effect(site: Site, file: _File) -> Iterator[Problem]:
    """A policy that is declared is not off (V-32)."""
    if not file.policy.enable or not isinstance(file.policy, Serving):
        return
    place = site.place(file.ref)
    if file.cluster is None or not file.cluster.enable:
        said = "the firewall of the datacenter is off: none of this would do anything"
        hint = f"declare `firewall_cluster` for the node `{file.node}`"
        yield Problem(f"{file.ref}: {said}", place, hint, "V-32")
    guest = site.guest_of(file.ref)
    if guest is None:
        return
    if not any(net.get("firewall") for net in policies.nets_of(site, guest.name).values()):
        said = "no interface of the guest is under the firewall: none of this would do anything"
        yield Problem(f"{file.ref}: {said}", place, "`firewall: true` for one of its `net`", "V-32")
    if "expose" not in file.policy.model_fields_set and not file.policy.all_rules:
        said = f"the firewall of `{guest.name}` is on and lets nothing in"
        yield Problem(f"{file.ref}: {said}", place, "rules, or `expose: {}` if that is meant", "V-32")


def _served(site: Site, network: Network) -> Iterator[Problem]:
    """A port that is served is open to somebody, or said to be closed (V-32)."""
    for host, all_served in network.served.items():
        own = _own_file(site, host)
        cluster = policies.cluster_of(site, site.node_of(host))
        if cluster is None or not cluster.enable or (host in site.guests and own is None):
            continue  # nothing is kept out there
        if own is not None and not own.enable:
            continue
        for served in all_served:
            if served.clients is None and not _mentioned(served.port.key, own, cluster, host in site.guests):
                kind = "firewall_guest" if host in site.guests else "firewall_node"
                said = f"nothing says who may reach {served.port.key} of {served.who}"
                yield Problem(said, site.place(served.who), f"in `{kind}`: {NO_EXPOSE}", "V-32")
        if own is None and any(served.clients for served in all_served):
            said = f"`{host}` serves others, and its firewall is on without rules of its own"
            yield Problem(said, site.place(all_served[0].who), "declare `firewall_node: {}`", "V-32")


def _own_file(site: Site, host: str) -> Serving | None:
    guest = site.guests.get(host)
    ref = guest.ref("firewall_guest") if guest else Ref(host, "firewall_node", host)
    found = policies.policy(site, ref)
    return found if isinstance(found, Serving) else None


def _mentioned(key: str, own: Serving | None, cluster: Policy, in_guest: bool) -> bool:
    """Whether a rule or `expose` speaks of every port of this."""
    if own is not None and key in own.exposed:
        return True
    rules = [*(own.all_rules if own else ()), *(() if in_guest else cluster.firewall.rules)]
    names = verdict.Names(cluster.firewall, own.firewall if own else None)
    ports, _, proto = key.partition("/")
    packets = [verdict.Packet(None, verdict.first_port(port), proto) for port in ports.split(",")]
    return all(any(verdict.speaks_of(names, rule, packet) for rule in rules) for packet in packets)


def _doubles(site: Site, file: _File) -> Iterator[Problem]:
    """The same rule twice: the second does nothing (V-33)."""
    seen: set[tuple[tuple[str, ...], fw.Rule]] = set()
    for where, rule in _rules(file.policy):
        for line in rule.lines(file.network):
            bare = (where[:-1], line._replace(comment="", log=""))
            if bare in seen:
                said = f"{file.ref}: the rule `{line}` is there twice"
                yield Problem(said, _place(site, file, where), rule="V-33", warning=True)
            seen.add(bare)


def _open_to_all(site: Site, file: _File) -> Iterator[Problem]:
    """A rule that lets everybody in, and does not say that it means to (V-34)."""
    for where, rule in _rules(file.policy):
        pings = (rule.proto or "").startswith(("icmp", "ipv6-icmp")) or rule.macro == "Ping"
        inwards = rule.direction == "in" and rule.action == "ACCEPT" and rule.enabled and not rule.group
        if inwards and not rule.source and not pings:
            said = f"{file.ref}: this rule lets in everybody"
            hint = "name a `source`; `source: any` if that is meant"
            yield Problem(said, _place(site, file, where), hint, "V-34", warning=True)


def _names(site: Site, file: _File) -> Iterator[Problem]:
    """What a rule names is declared: guests with an address, aliases, sets, groups (V-35)."""
    cluster = file.cluster.firewall if file.cluster else fw.Firewall()
    own = file.policy.firewall
    aliases = {*cluster.aliases, *own.aliases, verdict.LOCAL_NETWORK}
    sets = {*cluster.sets, *own.sets, verdict.MANAGEMENT}
    for where, word in _words(file.policy):
        bare = word.rpartition("/")[2].lstrip("+!")
        place = _place(site, file, where)
        known = sets if word.startswith("+") else aliases | file.network.addresses.keys()
        if bare not in known:
            what = "set" if word.startswith("+") else "guest, node or alias"
            said = f"{file.ref}: there is no {what} `{bare}`"
            yield Problem(said, place, did_you_mean(bare, known), "V-35")
        elif not word.startswith("+") and bare in aliases and bare in file.network.addresses:
            said = f"{file.ref}: `{bare}` is both a host and an alias"
            yield Problem(said, place, "give the alias another name", "V-35")
        elif bare not in known - file.network.addresses.keys() and not file.network.addresses.get(bare):
            said = f"{file.ref}: `{bare}` has no static address a rule could name"
            yield Problem(said, place, "give it one in `net`, or name its network by an alias", "V-35")
    for where, rule in _rules(file.policy):
        if rule.group and rule.group not in cluster.groups:
            said = f"{file.ref}: there is no group `{rule.group}`"
            hint = did_you_mean(rule.group, cluster.groups) or "declare it in `groups` of `firewall_cluster`"
            yield Problem(said, _place(site, file, where), hint, "V-35")


def _addresses(site: Site, file: _File) -> Iterator[Problem]:
    """An address in a rule belongs to something that is declared (V-35)."""
    cluster = file.cluster.firewall if file.cluster else fw.Firewall()
    declared = [
        alias.address for found in (cluster, file.policy.firewall) for alias in found.aliases.values()
    ]
    declared += [m.address for m in cluster.sets.get(verdict.MANAGEMENT, fw.Set()).members]
    declared += [one for addresses in file.network.addresses.values() for one in addresses]
    for guest in site.guests:
        for net in policies.nets_of(site, guest).values():
            declared += [str(net[key]) for key in ("ip", "ip6") if "/" in str(net.get(key) or "")]
    networks = [ip_interface(one).network for one in declared if is_address(one) and "-" not in one]
    for where, rule in _rules(file.policy):
        for attribute, word in rule.ends:
            if is_address(word) and not _within(word, networks):
                said = f"{file.ref}: {word} is neither a declared guest's nor in a declared network"
                hint = "declare its network in `aliases`, and name that; a guest is named by its name"
                yield Problem(said, _place(site, file, (*where, attribute)), hint, "V-35")


def _within(word: str, networks: Sequence[object]) -> bool:
    return any(
        verdict.inside(str(ip_network(end, strict=False).network_address), str(network))
        for end in word.split("-")[:1]
        for network in networks
    )


def _rules(policy: Policy) -> Iterator[tuple[tuple[str, ...], Rule]]:
    yield from flat(getattr(policy, "groups", {}), policy.rules)


def _words(policy: Policy) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every name in a file, with where it stands."""
    for where, rule in _rules(policy):
        for attribute, word in rule.names:
            yield (*where, attribute), word
    for name, members in getattr(policy, "ipsets", {}).items():
        for word in members:
            if not is_address(word.removeprefix("!")):
                yield ("ipsets", name), word
    for key, ends in getattr(policy, "expose", {}).items():
        for word in ends:
            if not is_address(word) and word not in ("any", "none"):
                yield ("expose", key), word


def _place(site: Site, file: _File, where: tuple[str, ...]) -> Where:
    numbered = where[0] in ("rules", "groups")
    path = [int(part) if numbered and part.isdecimal() else part for part in where]
    return site.place(file.ref, *path)
