"""What the loaded rules mean to programs in guests: who may connect to which port, as a file in each guest.

The lab has no packet filter of the kernel's. A listening socket of a program there has one of its own
(lab/programs/packets.py), which drops connections that no rule lets in, so that nobody hears an answer.
"""

import json
import os
import re

import firewall_conf
import firewall_simulate
import model
import network_live
from firewall_chains import Compiled
from hints import Any

FILE = "/var/lib/phoenix-lab/firewall.json"
"""In the guest: `{"own": addresses, "ports": {port: who may}, "else": who may connect to any other}`."""
OTHER = 1
"""A port that no rule names."""
TAKES = 0.15
"""Seconds in which programs notice; the real daemon's rules are there at once."""

Row = dict[str, Any]


def tell(compiled: Compiled | None) -> bool:
    """Write each running guest's file, or take it away (None: the firewall is off). Whether any changed."""
    running = {vmid: row for vmid, row in model.section(model.read(), "guests").items() if row.get("running")}
    filtered = firewall_conf.guests() if compiled else {}
    around = _addresses(running)
    changed = False
    for vmid, row in running.items():
        changed |= _put(row, _policy(compiled, vmid, row, filtered.get(vmid), around))
    return changed


def _addresses(running: dict[str, Row]) -> list[str]:
    """Everybody in the lab who could connect."""
    found = [address for link in network_live.read().values() for address in link["addresses"]]
    found += [net["ip"] for row in running.values() for _, net in row["plan"].get("nets", ()) if "ip" in net]
    return sorted({address.partition("/")[0] for address in found if "/" in address and ":" not in address})


def _policy(
    compiled: Compiled | None,
    vmid: str,
    row: Row,
    interfaces: list[tuple[str, str, str]] | None,
    around: list[str],
) -> Row | None:
    own = {
        number: net["ip"].partition("/")[0]
        for number, net in row["plan"].get("nets", ())
        if "/" in net.get("ip", "")
    }
    under = [(number, bridge) for number, bridge, _ in interfaces or () if number in own]
    if compiled is None or not under:
        return None
    number, bridge = under[0]

    def admitted(port: int) -> list[str]:
        packets = [firewall_simulate.Packet(source, own[number], "tcp", port, None) for source in around]
        return [
            packet.source
            for packet in packets
            if firewall_simulate.to_guest(compiled, packet, f"{vmid}i{number}", bridge) == "ACCEPT"
        ]

    ports = {str(port): admitted(port) for port in sorted(_named(compiled, f"veth{vmid}i{number}-IN", set()))}
    return {"own": sorted(own.values()), "ports": ports, "else": admitted(OTHER)}


def _named(compiled: Compiled, chain: str, seen: set[str]) -> set[int]:
    """Return the ports that a chain, and those it leads to, are about."""
    found: set[int] = set()
    seen.add(chain)
    for line in compiled.v4.get(chain, ()):
        for word in re.findall(r"--dports? ([0-9,]+)", line):
            found |= {int(port) for port in word.split(",")}
        for target in re.findall(r"-[jg] (\S+)", line):
            if target in compiled.v4 and target not in seen:
                found |= _named(compiled, target, seen)
    return found


def _put(row: Row, policy: Row | None) -> bool:
    place = model.path(row["plan"]["root"] + FILE)
    text = json.dumps(policy) if policy else None
    try:
        with open(place, encoding="utf-8") as file:
            before = file.read()
    except OSError:
        before = None
    if text == before or not os.path.isdir(os.path.dirname(place)):
        return False
    if text is None:
        os.unlink(place)
        return True
    with open(f"{place}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{place}.new", place)
    return True
