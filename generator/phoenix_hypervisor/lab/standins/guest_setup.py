"""The files Proxmox writes into a container's root: host name, /etc/hosts, resolver, network, time zone.

It does so when a container is created and again before each start, so what is changed inside is lost then.
"""

import os

import guest_nets
import model
from guest_conf import Conf
from guest_paths import inner

BEGIN, END = "# --- BEGIN PVE ---\n", "# --- END PVE ---\n"
LOOPBACK = "auto lo\niface lo inet loopback\n"


def write(root: str, conf: Conf) -> None:
    """Bring the files below a root folder in line with the configuration."""
    ostype = conf.values.get("ostype", "unmanaged")
    if ostype == "unmanaged":
        return
    os.makedirs(inner(root, "/etc"), exist_ok=True)
    nets = list(guest_nets.every(conf).values())
    if ostype in ("ubuntu", "archlinux", "fedora", "centos", "opensuse"):
        _write_networkd(root, nets)
    else:
        _write_interfaces(root, nets)
    _write_names(root, conf, nets)
    _write_resolver(root, conf)
    _write_timezone(root, conf.values.get("timezone", ""))


def read(root: str, name: str) -> str:
    """Return a file of the guest; empty if there is none."""
    try:
        with open(inner(root, name), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def put(root: str, name: str, text: str) -> None:
    """Write a file of the guest."""
    place = inner(root, name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _section(text: str, content: str) -> str:
    """Return a text with Proxmox's own section in it renewed."""
    section = BEGIN + content + END
    before, begin, rest = text.partition(BEGIN)
    if begin:
        return before + section + rest.partition(END)[2]
    return text + ("\n" if text and not text.endswith("\n") else "") + section


def _write_names(root: str, conf: Conf, nets: list[dict[str, str]]) -> None:
    name = conf.values.get("hostname", "localhost")
    short = name.partition(".")[0]
    put(root, "/etc/hostname", short + "\n")
    domains = conf.values.get("searchdomain", "").replace(",", " ").split()
    names = (
        f"{name} {short}" if "." in name else " ".join([*(f"{name}.{domain}" for domain in domains), name])
    )
    text = read(root, "/etc/hosts")
    others = text.partition(BEGIN)[0] + text.partition(END)[2]
    known = {line.split()[0] for line in others.splitlines() if line.split()}
    content = "".join(
        f"{address} localhost.localnet localhost\n"
        for address in ("127.0.0.1", "::1")
        if address not in known
    )
    content += f"{_address(nets) or '127.0.1.1'} {names}\n"
    put(root, "/etc/hosts", _section(text, content))


def _address(nets: list[dict[str, str]]) -> str:
    for key, words in (("ip", ("dhcp", "manual", "")), ("ip6", ("dhcp", "manual", "auto", ""))):
        for net in nets:
            if net.get(key, "") not in words:
                return net[key].partition("/")[0]
    return ""


def _write_resolver(root: str, conf: Conf) -> None:
    """The node's own resolver where the guest has none declared."""
    node: dict[str, list[str]] = {}
    for line in read(model.ROOT, "/etc/resolv.conf").splitlines():
        key, *words = line.split() or [""]
        node.setdefault(key, []).extend(words)
    domains = conf.values.get("searchdomain") or " ".join(node.get("search", []))
    servers = conf.values.get("nameserver") or " ".join(node.get("nameserver", [])[:3])
    content = f"search {' '.join(domains.replace(',', ' ').split())}\n" if domains else ""
    content += "".join(f"nameserver {server}\n" for server in servers.replace(",", " ").split())
    put(root, "/etc/resolv.conf", BEGIN + content + END)


def _write_timezone(root: str, zone: str) -> None:
    if not zone:
        return
    target = f"/usr/share/zoneinfo/{zone}"
    if zone == "host":
        target = os.path.realpath(model.path("/etc/localtime"))
        zone = read(model.ROOT, "/etc/timezone").strip()
    place = inner(root, "/etc") + "/localtime"
    if os.path.lexists(place):
        os.unlink(place)
    os.symlink(target, place)
    if os.path.exists(inner(root, "/etc/timezone")):
        put(root, "/etc/timezone", zone + "\n")


def _write_interfaces(root: str, nets: list[dict[str, str]]) -> None:
    """/etc/network/interfaces: the stanzas of the guest's interfaces are renewed, all others stay."""
    names = {net["name"] for net in nets if "name" in net}
    kept: list[str] = []
    dropping = False
    for line in read(root, "/etc/network/interfaces").splitlines():
        words = line.split()
        if words and not line[0].isspace():
            dropping = (
                words[0] in ("auto", "allow-hotplug", "iface") and words[1:2] != [] and words[1] in names
            )
        if not (dropping and words):
            kept.append(line)
    text = "\n".join(kept).strip("\n")
    if "iface lo " not in text:
        text = LOOPBACK + ("\n" + text if text else "")
    stanzas = "".join(_stanza(net) + "\n" for net in nets if "name" in net)
    text = text.rstrip("\n") + "\n" + ("\n" + stanzas if stanzas else "")
    put(root, "/etc/network/interfaces", text)


def _stanza(net: dict[str, str]) -> str:
    lines = [f"auto {net['name']}"]
    for key, gateway, family in (("ip", "gw", "inet"), ("ip6", "gw6", "inet6")):
        how = net.get(key, "manual" if key == "ip" else "")
        if not how:
            continue
        static = how not in ("dhcp", "manual", "auto")
        lines.append(f"iface {net['name']} {family} {'static' if static else how}")
        if static:
            lines.append(f"\taddress {how}")
            lines += [f"\tgateway {net[gateway]}"] if gateway in net else []
    return "\n".join(lines) + "\n"


def _write_networkd(root: str, nets: list[dict[str, str]]) -> None:
    for net in nets:
        lines = ["[Match]", f"Name = {net['name']}", "", "[Network]"]
        lines.append(f"Description = Interface {net['name']} autoconfigured by PVE")
        for key, gateway in (("ip", "gw"), ("ip6", "gw6")):
            if net.get(key, "manual") not in ("dhcp", "manual", "auto"):
                lines.append(f"Address = {net[key]}")
            lines += [f"Gateway = {net[gateway]}"] if gateway in net else []
        leases = (net.get("ip") == "dhcp", net.get("ip6") == "dhcp")
        how = {(False, False): "no", (True, False): "ipv4", (False, True): "ipv6"}.get(leases, "yes")
        lines += [f"DHCP = {how}", f"IPv6AcceptRA = {'true' if net.get('ip6') == 'auto' else 'false'}"]
        put(root, f"/etc/systemd/network/{net['name']}.network", "\n".join(lines) + "\n")
