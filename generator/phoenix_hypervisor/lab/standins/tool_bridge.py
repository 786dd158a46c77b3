"""bridge: the VLANs of ports, in JSON."""

import json

import model
import network_live
from hints import Any


def main(argv: list[str]) -> int:
    if argv != ["-j", "-compressvlans", "vlan", "show"]:
        model.not_simulated("bridge", argv)
    rows = []
    for name, link in network_live.read().items():
        if link["kind"] == "bridge":
            rows += [{"ifname": port, "vlans": _vlans(link)} for port in link["ports"]]
            rows.append({"ifname": name, "vlans": _vlans({})})
    print(json.dumps(rows, separators=(",", ":")))
    return 0


def _vlans(link: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"vlan": 1, "flags": ["PVID", "Egress Untagged"]}]
    for word in link.get("vids", "").replace(",", " ").split() if link.get("aware") else ():
        low, _, high = word.partition("-")
        row: dict[str, Any] = {"vlan": int(low)}
        found.append(row | ({"vlanEnd": int(high)} if high else {}))
    return found
