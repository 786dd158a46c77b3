"""Defects of firewalls and name servers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from .estate import Estate, each, text_of, words_of
from .ledger import Part
from .rules_guests import Found, Machine, at, features, machines


def _rules(machine: Machine) -> list[Part]:
    return [rule for _, rule in each(machine.part.get("firewall", "rules"))]


def _all_rules(estate: Estate) -> Iterator[tuple[str, list[Part]]]:
    for machine in machines(estate).values():
        yield machine.id, _rules(machine)
    for keys in (("firewall",), ("shared_volumes", "firewall")):
        yield "the node", [rule for _, rule in each(estate.hypervisor(*keys, "global_firewall_rules"))]


def closed(estate: Estate) -> Found:
    """V-32: a firewall that is on has rules, and a port that is served has one."""
    for machine in machines(estate).values():
        enabled = machine.part.get("firewall", "enabled")
        on = bool(enabled and enabled.flag())
        if enabled and on and not _rules(machine):
            yield at(
                enabled, f"{machine.id}: its firewall is on and has no rules", "V-32", "say who may reach it"
            )
            continue
        opened = {port for rule in _rules(machine) for port in words_of(rule.get("port"))}
        served = [(part, text_of(part).rpartition(":")[2]) for _, part in each(machine.part.get("ports"))]
        if served and not on:
            part = machine.place("ports")
            yield at(
                part, f"{machine.id} serves {', '.join(p for _, p in served)} and has no firewall", "V-32"
            )
        for part, port in served if on else ():
            if port not in opened:
                yield at(
                    part, f"{machine.id} serves {port}, which no rule lets in", "V-32", "a rule, or `none`"
                )


def doubled(estate: Estate) -> Found:
    """V-33: a rule that is there twice."""
    keys = ("type", "action", "source", "dest", "proto", "port")
    for who, rules in _all_rules(estate):
        seen: set[tuple[str, ...]] = set()
        for rule in rules:
            meaning = tuple(text_of(rule.get(key)) for key in keys)
            if meaning in seen and any(meaning):
                yield at(rule, f"{who}: this rule is there already", "V-33", "take it out", warning=True)
            seen.add(meaning)


def from_anywhere(estate: Estate) -> Found:
    """V-34: a rule that lets in everybody, and does not say so."""
    for who, rules in _all_rules(estate):
        for rule in rules:
            if text_of(rule.get("type")) == "in" and not text_of(rule.get("source")):
                message = f"{who}: this rule lets everybody in to {text_of(rule.get('port')) or 'all ports'}"
                yield at(rule, message, "V-34", "name a `source`, or `any`", warning=True)


def strangers(estate: Estate) -> Found:
    """V-35: addresses in rules belong to somebody who is declared, or to a declared network."""
    known = {estate.address} | {
        text_of(machine.part.get("network_config", "ip")).partition("/")[0]
        for machine in machines(estate).values()
    }
    subnet = text_of(estate.hypervisor("network", "default_subnet"))
    for who, rules in _all_rules(estate):
        for rule in rules:
            for part in (rule.get("source"), rule.get("dest")):
                text = text_of(part)
                if part and text and _is_address(text) and text not in known and text != subnet:
                    yield at(
                        part, f"{who}: {text} belongs to nobody who is declared", "V-35", "mend the address"
                    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def name_servers(estate: Estate) -> Found:
    """V-42: who is asked for names answers."""
    owners = {
        text_of(machine.part.get("network_config", "ip")).partition("/")[0]: machine
        for machine in machines(estate).values()
    }
    enabled = estate.hypervisor("dns_server", "enabled")
    lists = [estate.hypervisor("network", "interfaces", "dns_nameservers")]
    for machine in machines(estate).values():
        lists += [machine.part.get("network_config", key) for key in ("nameservers", "nameserver")]
    for part in lists:
        for server in words_of(part):
            owner = owners.get(server)
            if part and owner and "dns_server" not in features(owner):
                yield at(
                    part,
                    f"{server} is {owner.id} {owner.name}, which runs no DNS",
                    "V-42",
                    "mend the address",
                )
            elif part and server == estate.address and not (enabled and enabled.flag()):
                yield at(part, f"{server} is the node, which runs no DNS", "V-42", "mend the address")
