"""ip: links, addresses and the way out, in JSON; and the small changes people make by hand."""

import ipaddress
import json
import sys

import model
import network_live
from hints import Any


def main(argv: list[str]) -> int:
    words = [word for word in argv if word != "-j"]
    if words == ["-d", "addr", "show"] and "-j" in argv:
        print(json.dumps(_rows(), separators=(",", ":")))
        return 0
    if words in (["-4", "route", "show", "default"], ["-6", "route", "show", "default"]) and "-j" in argv:
        print(json.dumps(_routes(words[0] == "-6"), separators=(",", ":")))
        return 0
    if words[:4] == ["-br", "link", "show", "master"] and len(words) == 5:
        return _below(words[4])
    if len(words) == 5 and words[:2] in (["addr", "add"], ["addr", "del"]) and words[3] == "dev":
        return _address(words[1] == "add", words[2], words[4])
    if words[:2] == ["link", "set"] and len(words) in (4, 5):
        return _set(words[2], words[3:])
    return model.not_simulated("ip", argv)


def _rows() -> list[dict[str, Any]]:
    links, guests = network_live.read(), network_live.guest_ports()
    masters = {port: name for name, link in links.items() for port in link.get("ports", ())} | guests
    links = links | {port: {"kind": "veth", "up": True, "mtu": 1500, "addresses": []} for port in guests}
    return [_row(number, name, link, masters) for number, (name, link) in enumerate(links.items(), 1)]


def _row(number: int, name: str, link: dict[str, Any], masters: dict[str, str]) -> dict[str, Any]:
    flags = ["LOOPBACK"] if name == "lo" else ["BROADCAST", "MULTICAST"]
    state = "UNKNOWN" if name == "lo" else "UP" if link["up"] else "DOWN"
    row: dict[str, Any] = {"ifindex": number, "ifname": name}
    row |= {"link": link["parent"]} if "parent" in link else {}
    row |= {"flags": flags + (["UP", "LOWER_UP"] if link["up"] else []), "mtu": link["mtu"]}
    row |= {"master": masters[name]} if name in masters else {}
    row |= {"operstate": state, "link_type": "loopback" if name == "lo" else "ether"}
    kind = link["kind"]
    if kind not in ("", "loopback"):
        row["linkinfo"] = {"info_kind": kind, "info_data": _facts(link)}
    static = [_address_row(one, name) for one in link["addresses"]]
    leased = [{**_address_row(one, name), "dynamic": True} for one in link.get("dynamic", ())]
    return row | {"addr_info": static + leased}


def _facts(link: dict[str, Any]) -> dict[str, Any]:
    if link["kind"] == "bridge":
        facts = {"forward_delay": int(link["fd"] * 100), "stp_state": int(link["stp"])}
        return facts | {"vlan_filtering": int(link["aware"]), "vlan_protocol": "802.1Q"}
    if link["kind"] == "vlan":
        return {"protocol": "802.1Q", "id": link["tag"], "flags": ["REORDER_HDR"]}
    return {"mode": link["mode"]} if link["kind"] == "bond" else {}


def _address_row(text: str, name: str) -> dict[str, Any]:
    one = ipaddress.ip_interface(text)
    scope = "host" if name == "lo" else "global"
    family = "inet" if one.version == 4 else "inet6"
    return {"family": family, "local": str(one.ip), "prefixlen": one.network.prefixlen, "scope": scope}


def _routes(six: bool) -> list[dict[str, Any]]:
    return [
        {"dst": "default", "gateway": gateway, "dev": name, "protocol": "kernel", "flags": ["onlink"]}
        for name, link in network_live.read().items()
        for gateway in (link.get("gateways", ()) if link["up"] else ())
        if (":" in gateway) is six
    ]


def _below(master: str) -> int:
    rows = _rows()
    if all(row["ifname"] != master for row in rows):
        return _missing(master)
    for row in rows:
        if row.get("master") == master:
            print(f"{row['ifname']:<16} {row['operstate']:<14} <{','.join(row['flags'])}>")
    return 0


def _missing(name: str) -> int:
    print(f'Device "{name}" does not exist.', file=sys.stderr)
    return 1


def _address(add: bool, text: str, name: str) -> int:
    links = network_live.read()
    if name not in links:
        print(f'Cannot find device "{name}"', file=sys.stderr)
        return 1
    there, one = links[name]["addresses"], str(ipaddress.ip_interface(text))
    if (one in there) is add:
        said = "File exists" if add else "Cannot assign requested address"
        print(f"RTNETLINK answers: {said}", file=sys.stderr)
        return 2
    network_live.change(name, addresses=[*there, one] if add else [other for other in there if other != one])
    return 0


def _set(name: str, words: list[str]) -> int:
    if words in (["up"], ["down"]):
        done = network_live.change(name, up=words == ["up"])
    elif len(words) == 2 and words[0] == "mtu" and words[1].isdecimal():
        done = network_live.change(name, mtu=int(words[1]))
    else:
        model.not_simulated("ip", ["link", "set", name, *words])
    return 0 if done else _missing(name)
