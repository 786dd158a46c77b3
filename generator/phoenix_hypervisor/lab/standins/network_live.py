"""What the kernel of the simulated node has of the network, and who gets to it from outside.

Of its cards, eno1 is plugged into the network from which people come: an address is reached when its
interface leads there, through bridges, bonds and VLANs. The door (lab/door.py) lets nobody in otherwise.
"""

import model
import network_files
from hints import Any

CARDS = ("eno1", "eno2", "eno3", "eno4")
UPLINK = CARDS[0]
Links = dict[str, dict[str, Any]]


def read() -> Links:
    """Return the links as they are now."""
    return _links(model.read())


def _links(state: model.Model) -> Links:
    known = state.get("network")
    return known["links"] if known else booted()[0]


def booted() -> tuple[Links, list[str]]:
    """Return what a boot makes of the files, and which interfaces it brings up."""
    files = network_files.Read()
    links: Links = {
        "lo": {"kind": "loopback", "up": True, "mtu": 65536, "addresses": ["127.0.0.1/8", "::1/128"]}
    }
    for card in CARDS:
        links[card] = {"kind": "", "up": False, "mtu": 1500, "addresses": []}
    applied = [name for name in files.auto if name in files.stanzas and name != "lo"]
    for name in applied:
        links[name] = network_files.link_of(name, files.stanzas[name])
    _settle(links)
    return links, applied


def _settle(links: Links) -> None:
    """What something else is made of is up with it."""
    for link in links.values():
        if link.get("up"):
            for below in link.get("ports", ()):
                if below in links:
                    links[below]["up"] = True


def boot() -> None:
    """The node boots: only what the files say is there."""
    links, applied = booted()
    with model.change() as state:
        _save(state, links, applied)


def reload(files: network_files.Read) -> list[str]:
    """Bring up what is `auto`, and down what is no longer there; return complaints."""
    said: list[str] = []
    with model.change() as state:
        before = state.get("network")
        links, applied = (before["links"], before["applied"]) if before else booted()
        auto = [name for name in files.auto if name in files.stanzas and name != "lo"]
        for name in [name for name in applied if name not in files.stanzas]:
            if name in CARDS:
                links[name] = {"kind": "", "up": False, "mtu": 1500, "addresses": []}
            else:
                links.pop(name, None)
        wanted = {name: network_files.link_of(name, files.stanzas[name]) for name in auto}
        for name, link in wanted.items():
            below = link.get("ports", []) + ([link["parent"]] if "parent" in link else [])
            missing = [one for one in below if one not in links and one not in wanted]
            plain = link["kind"] == "" and name not in CARDS
            said += [f"error: {name}: bridge port {one} does not exist" for one in missing]
            said += [
                f"warning: {name}: interface not recognized - please check interface configuration"
            ] * plain
            if not plain and (link["kind"] == "bridge" or not missing):
                link["ports"] = [one for one in link.get("ports", ()) if one not in missing]
                links[name] = link
        _settle(links)
        _save(state, links, auto)
    return said


def change(name: str, **parts: Any) -> bool:
    """Change a link by hand; False if there is none of that name."""
    with model.change() as state:
        before = state.get("network")
        links, applied = (before["links"], before["applied"]) if before else booted()
        if name not in links:
            return False
        links[name] |= parts
        _save(state, links, applied)
    return True


def _save(state: model.Model, links: Links, applied: list[str]) -> None:
    reached = [
        address.partition("/")[0]
        for name, link in links.items()
        if leads(links, name)
        for address in (*link["addresses"], *link.get("dynamic", ()))
    ]
    state["network"] = {"links": links, "applied": applied, "reached": reached}


def leads(links: Links, name: str) -> bool:
    """Tell whether packets of an interface get to the network from which people come."""
    link = links.get(name)
    if link is None or not link["up"]:
        return False
    below = [*link.get("ports", ()), *([link["parent"]] if "parent" in link else [])]
    return name == UPLINK or any(leads(links, one) for one in below)


def own_address() -> str:
    """Return the node's first address with its prefix."""
    up = [one for name, link in read().items() if name != "lo" for one in link["addresses"]]
    written = [one for options in network_files.Read().stanzas.values() for one in options.get("address", ())]
    return next((one for one in (*up, *written) if ":" not in one), "127.0.1.1/8")


def guest_ports() -> dict[str, str]:
    """Return the ports of running guests, and the bridges on which they hang."""
    found = {}
    for vmid, row in model.read().get("guests", {}).items():
        for number, bridge in row.get("plan", {}).get("bridges", ()) if row.get("running") else ():
            found[f"veth{vmid}i{number}"] = bridge
    return found
