"""Firewalls: of guests, and the node's own that stood in the wrong place."""

from __future__ import annotations

from typing import Any

from .estate import Estate, Section, Written, each, text_of
from .ledger import Part

LAN = "lan"


def guest_rules(estate: Estate, guest: Part, file: str) -> Section | None:
    """Return a guest's `firewall_guest`, or None where none is declared."""
    part = guest.get("firewall")
    enabled = part.get("enabled") if part else None
    if part is None:
        return None
    if enabled is not None and enabled.flag() is False:
        part.obsolete("switched off")
        return None
    if enabled is not None:
        enabled.normalised("firewall_guest", "the section itself says it")
    rules = [rule for _, one in each(part.get("rules")) if (rule := _rule(estate, one))]
    if not rules:
        estate.decide(
            "who may reach it: its firewall is on and has no rules. `expose`, rules, or no firewall",
            part,
            file,
        )
        return {"enable": Written(True, part.origin)}
    return {"rules": Written(rules, part.origin)}


def cluster(estate: Estate) -> Section | None:
    """Return `firewall_cluster`, or None where nothing is declared of it."""
    top, inside = estate.hypervisor("firewall"), estate.hypervisor("shared_volumes", "firewall")
    part = top or inside
    if top is not None and inside is not None:
        inside.refused("the one at the root counts")
    if part is None or not isinstance(part.tree.value, dict):
        return None
    found: Section = {}
    enabled = part.get("enabled")
    if enabled is not None and enabled.flag() is not None:
        found["enable"] = Written(enabled.flag(), enabled.origin)
        enabled.normalised("firewall_cluster.enable")
    for key, to in (("default_input_policy", "policy_in"), ("default_output_policy", "policy_out")):
        policy = part.get(key)
        if policy is not None and text_of(policy):
            found[to] = Written(text_of(policy), policy.origin)
            policy.used(f"firewall_cluster.{to}")
    subnet = estate.hypervisor("network", "default_subnet")
    if subnet is not None and text_of(subnet):
        found["management"] = Written([text_of(subnet)], subnet.origin)
        found["aliases"] = {LAN: Written(text_of(subnet), subnet.origin)}
        subnet.normalised("firewall_cluster.management, aliases.lan")
    else:
        estate.decide("from where the node is administered: `firewall_cluster: management`", part)
    rules = [rule for _, one in each(part.get("global_firewall_rules")) if (rule := _rule(estate, one))]
    if rules:
        found["rules"] = Written(rules, part.origin)
    return found or {"enable": Written(True, part.origin)}


def _rule(estate: Estate, part: Part) -> dict[str, Any] | None:
    """Return a rule in our words; None, and it is refused, where it is none."""
    direction, action = text_of(part.get("type")), text_of(part.get("action"))
    if direction not in ("in", "out") or not action:
        part.refused("needs `type` (in or out) and `action`")
        return None
    found: dict[str, Any] = {"direction": direction, "action": action}
    for key in ("source", "dest"):
        end = part.get(key)
        if end is not None and text_of(end):
            found[key] = _end(estate, text_of(end))
            if found[key] == text_of(end):
                end.used(key)
            else:
                end.normalised(f"{key}: {found[key]}", "called by its name")
    for key in ("proto", "port", "comment"):
        end = part.get(key)
        if end is not None and text_of(end):
            found[key] = text_of(end).strip()
            end.used(key)
    for key in ("type", "action"):
        if end := part.get(key):
            end.used("direction" if key == "type" else key)
    if direction == "in" and "source" not in found:
        found["source"] = "any"
        what = f"{found.get('proto', 'all')} {found.get('port', '')}".strip()
        estate.decide(f"who may reach {what} (no source is said: `any` is written)", part)
    return found


def _end(estate: Estate, address: str) -> str:
    if address and address == text_of(estate.hypervisor("network", "default_subnet")):
        return LAN
    return estate.owners.get(address, address)
