"""Network interfaces as the files of a node define them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...dialects import interface_definitions as written
from ...dialects import interfaces
from . import texts
from .found import Found, Left, Thing

QUESTION = texts.question([interfaces.MAIN, f"{interfaces.FOLDER}/*"])


def network(answers: Mapping[str, str]) -> Found:
    """Yield the interfaces, but for the loopback and plain ones of which nothing is said."""
    parsed = interfaces.read(texts.split(answers["network"]))
    for name in dict.fromkeys(stanza.name for stanza in parsed.stanzas):
        definition = written.definition(parsed, name)
        if name == "lo" or definition is None:
            continue
        if any(option.startswith("ovs") for option, _ in definition.others):
            yield Left("network_interface", name, "it is Open vSwitch's, which cannot be declared")
            continue
        for option, value in definition.others:
            why = f"its line `{option} {value}` cannot be declared; it stays as it is"
            yield Left("network_interface", name, why)
        settings = dict(_said(definition))
        if settings or definition.others:
            yield Thing("network_interface", name, settings)


def _said(found: written.Definition) -> Iterator[tuple[str, Any]]:
    four = any(":" not in one for one in found.addresses)
    six = any(":" in one for one in found.addresses)
    if (found.method or "manual") != ("static" if four else "manual"):
        yield "method", found.method
    if found.method6 != ("static" if six else ""):
        yield "method6", found.method6
    if found.addresses:
        yield "addresses", list(found.addresses)
    yield from ((name, value) for name in ("gateway", "gateway6") if (value := getattr(found, name)))
    if found.mtu is not None:
        yield "mtu", found.mtu
    plain = found.bridge is None and found.bond is None and found.tag is None
    if not found.auto and not (plain and found.method in ("", "manual") and not found.method6):
        yield "auto", False
    if found.bridge is not None:
        yield from _bridge(found.bridge)
    if found.tag is not None and (found.parent, found.tag) != written.vlan_of(found.name):
        yield from (("parent", found.parent), ("tag", found.tag))
    if found.bond is not None:
        options = {name.replace("-", "_"): _number(value) for name, value in found.bond.options}
        yield "bond", {"members": list(found.bond.members), "mode": found.bond.mode, **options}


def _bridge(found: written.Bridge) -> Iterator[tuple[str, Any]]:
    yield "ports", list(found.ports)
    yield from ((name, True) for name in ("vlan_aware", "stp") if getattr(found, name))
    if found.vids:
        yield "vids", written.spelled(found.vids)
    if found.fd:
        yield "fd", int(found.fd) if found.fd == int(found.fd) else found.fd


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
