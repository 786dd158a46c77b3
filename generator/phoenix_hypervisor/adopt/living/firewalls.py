"""The firewall's files as they are on a node.

Somebody else's file is declared with `overwrite`: nothing changes until something else is declared, and then
the file that was there is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...dialects import firewall_fw as fw
from ...firewall.sight import NODE_FILE
from . import texts
from .found import Found, Left, Thing

QUESTION = texts.question([f"{fw.FOLDER}/*.fw", NODE_FILE])
_KINDS = {fw.CLUSTER: "firewall_cluster", NODE_FILE: "firewall_node"}
_COMMON = frozenset({"enable", "policy_in", "policy_out"})
_WORDS = frozenset({"0", "1"})


def firewalls(answers: Mapping[str, str], guests: Mapping[str, str]) -> Found:
    """Yield what each file says; `guests` are those described, VMID → stem of the file."""
    for path, text in texts.split(answers["firewalls"]).items():
        kind = _KINDS.get(path, "firewall_guest")
        vmid = path.rpartition("/")[2].removesuffix(".fw") if kind == "firewall_guest" else ""
        found = fw.parse(text)
        if vmid and vmid not in guests:
            yield Left(kind, vmid, f"{path}: no guest of that number on this node is described")
            continue
        yield from (Left(kind, vmid, f"{path}: `{line}` is no line of a firewall") for line in found.faults)
        marks = {"firewall_guest": f"firewall_guest:{vmid}"}
        ours = fw.marked(text, marks.get(kind, kind))
        settings = {} if ours else {"overwrite": True}
        settings |= dict(_said(kind, found))
        yield Thing(kind, vmid, settings, guests.get(vmid, ""))


def _said(kind: str, found: fw.Firewall) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a kind."""
    # the node's own is on unless it says otherwise; the others are off (pve-firewall(8))
    if found.options.get("enable", "1" if kind == "firewall_node" else "0") != "1":
        yield "enable", False
    options = {name: _value(name, value) for name, value in found.options.items()}
    if kind == "firewall_cluster":
        yield from ((name, value) for name, value in options.items() if name != "enable")
    else:
        policies = {name for name in _COMMON if kind == "firewall_guest"} | {"enable"}
        yield from ((name, options[name]) for name in sorted(policies - {"enable"}) if name in options)
        if rest := {name: value for name, value in options.items() if name not in policies}:
            yield "options", rest
    if kind != "firewall_node":
        yield from _names(kind, found)
    if found.rules:
        yield "rules", [_rule(rule) for rule in found.rules]


def _names(kind: str, found: fw.Firewall) -> Iterator[tuple[str, Any]]:
    if found.aliases:
        yield "aliases", {name: one.address for name, one in found.aliases.items()}
    sets = {
        name: [f"{'!' if member.excluded else ''}{member.address}" for member in one.members]
        for name, one in found.sets.items()
    }
    managed = sets.get("management", [])
    if kind == "firewall_cluster" and managed and all(_is_network(word) for word in managed):
        yield "management", sets.pop("management")
    if sets:
        yield "ipsets", sets
    if found.groups:
        yield "groups", {name: [_rule(rule) for rule in one.rules] for name, one in found.groups.items()}


def _is_network(word: str) -> bool:
    return word[:1].isdigit() or ":" in word


def _value(name: str, value: str) -> Any:
    if name == "log_ratelimit":
        said = dict(part.partition("=")[::2] for part in value.split(","))
        found: dict[str, Any] = {"enable": said["enable"] == "1"} if "enable" in said else {}
        found |= {"rate": said["rate"]} if "rate" in said else {}
        return found | ({"burst": int(said["burst"])} if said.get("burst", "").isdecimal() else {})
    if value in _WORDS and not name.startswith(("nf_", "policy_")) and "level" not in name:
        return value == "1"
    return int(value) if value.isdecimal() else value


def _rule(rule: fw.Rule) -> dict[str, Any]:
    group = rule.direction == "GROUP"
    found: dict[str, Any] = {"group": rule.action} if group else {}
    if not group and rule.direction != "IN":
        found["direction"] = rule.direction.lower()
    if not group:
        found["action"] = rule.action
    named = {"macro": rule.macro, "interface": rule.interface}
    found |= {name: value for name, value in named.items() if value}
    found |= {name: words for name in ("source", "dest") if (words := _listed(getattr(rule, name)))}
    if (rule.direction, rule.action, rule.source) == ("IN", "ACCEPT", ""):
        found["source"] = "any"  # it is so, and said where somebody looks for it
    if rule.proto and not (rule.proto == "tcp" and (rule.dport or rule.sport)):
        found["proto"] = rule.proto
    found |= {
        name: words
        for name, value in (("port", rule.dport), ("sport", rule.sport))
        if (words := _listed(value))
    }
    texts_of = {"icmp_type": rule.icmp_type, "log": rule.log, "comment": rule.comment}
    found |= {name: value for name, value in texts_of.items() if value}
    return found if rule.enabled else {**found, "enabled": False}


def _listed(text: str) -> list[str] | str:
    """One word as itself, several as a list."""
    listed = text.split(",") if text else []
    return listed[0] if len(listed) == 1 else listed
