"""What a node says of its firewall, asked in one go; read by the checks of all three kinds."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network
from typing import Any, NamedTuple

from ..dialects import firewall_fw as fw
from ..dialects import firewall_verdict as verdict
from ..resource import STATE_FOLDER
from .policy import Serving
from .proof import Proof, prove

SEPARATOR = "\x1e"
NODE_FILE = "/etc/pve/local/host.fw"
CONNECTION = r"""connection=${SSH_CONNECTION:-} pid=$$
while [ -z "$connection" ] && [ "${pid:-1}" -gt 1 ]; do
    connection=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CONNECTION=//p')
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
printf '\036connection %s\n' "$connection" """
"""Where we come from: sudo forgets it, its parents do not."""
FILES = f"""\
for file in {fw.FOLDER}/*.fw {NODE_FILE}; do
    [ ! -e "$file" ] || {{ printf '\\036file %s\\n' "$file"; cat "$file"; }} || exit
done
for name in cluster host; do
    if [ -e {STATE_FOLDER}/firewall/$name.armed ]; then waits=yes; else waits=no; fi
    printf '\\036armed %s %s\\n' "$name" "$waits"
done
{CONNECTION}"""
"""Every file, what waits to be confirmed, and where we come from."""
DAEMON = "pve-firewall status && pve-firewall localnet"
INTERFACES = r"""for file in /etc/pve/lxc/*.conf /etc/pve/qemu-server/*.conf; do
    [ ! -e "$file" ] || awk 'BEGIN { on = 1 } /^\[/ { on = 0 }
        on && /^net[0-9]+:/ { print FILENAME " " $0 }' "$file" || exit
done"""
"""The network interfaces of all guests, as they are now: not those of snapshots."""


class Files(NamedTuple):
    """The firewall's files of a node."""

    texts: Mapping[str, str]
    armed: frozenset[str]
    connection: tuple[str, int] | None

    def firewall(self, file: str) -> fw.Firewall | None:
        """Return what a file says; None when there is none."""
        return fw.parse(self.texts[file]) if file in self.texts else None


@dataclass(frozen=True)
class Sight:
    """What the steps depend on besides what differs."""

    ours: bool
    """Whether the file that is there is ours."""
    proof: Proof
    probes: tuple[str, ...]
    """What is simulated on the node once the file is there: `10.0.0.5 22`."""
    files: Files = field(default=Files({}, frozenset(), None), compare=False)
    """All files as they are, for people to be told what changes; no step depends on them."""
    local_network: str = field(default="", compare=False)
    """The node's own, as Proxmox finds it; of a guest's file, empty."""
    filtered: bool | None = field(default=None, compare=False)
    """Of a guest's file: whether one of its interfaces is under the firewall; None: it has none yet."""


@cache
def files(said: str) -> Files:
    """Read the answer to FILES."""
    texts: dict[str, str] = {}
    armed: set[str] = set()
    connection = None
    for part in said.split(SEPARATOR)[1:]:
        head, _, body = part.partition("\n")
        sort, _, name = head.partition(" ")
        if sort == "file":
            texts[name] = body
        elif sort == "armed":
            about, _, waits = name.partition(" ")
            armed |= {about} if waits == "yes" else set()
        elif name:
            source, _, _, port = name.split()
            connection = (source.partition("%")[0], int(port))
    return Files(texts, frozenset(armed), connection)


def ours(found: Files, file: str, mark: str) -> bool:
    """Tell whether a file is there and ours."""
    return file in found.texts and fw.marked(found.texts[file], mark)


def foreign(found: Files, file: str, mark: str) -> str:
    """Say whose file it is, when it is there and not ours; empty otherwise."""
    if file not in found.texts or ours(found, file, mark):
        return ""
    return f"{file} is somebody else's, or was changed in the web interface (our mark is gone)"


def short(file: str) -> str:
    """Return what a file is called where its state is kept: `cluster`, `host`, `950`."""
    return file.rpartition("/")[2].removesuffix(".fw")


class Daemon(NamedTuple):
    """What `pve-firewall` says of itself."""

    status: str
    """`enabled/running`, and whether something waits."""
    address: str
    """The node's own, as Proxmox knows it."""
    local_network: str


@cache
def daemon(said: str) -> Daemon:
    """Read the answer to DAEMON. Raises ValueError."""
    lines = said.splitlines()
    status = [line.removeprefix("Status: ") for line in lines if line.startswith("Status: ")]
    own = [line.rpartition(" ")[2] for line in lines if line.startswith("local IP address: ")]
    local = [line.rpartition(" ")[2] for line in lines if line.startswith("using ")]
    if (len(status), len(own), len(local)) != (1, 1, 1):
        raise ValueError(f"`pve-firewall` said something unknown: {said.strip()}")
    ip_network(local[0], strict=False)
    return Daemon(status[0], own[0], local[0])


def proof_for_cluster(candidate: fw.Firewall, found: Files, local: str, management: tuple[str, ...]) -> Proof:
    """Prove that cluster.fw may become this, beside the host.fw that is there."""
    return prove(candidate, found.firewall(NODE_FILE), found.connection, management, local)


def proof_for_node(candidate: fw.Firewall, found: Files, local: str) -> Proof:
    """Prove that host.fw may become this, beside the cluster.fw that is there."""
    cluster = found.firewall(fw.CLUSTER) or fw.Firewall()
    return prove(cluster, candidate, found.connection, managed(cluster), local)


def managed(cluster: fw.Firewall) -> tuple[str, ...]:
    """Return the networks of the management set, without what it excludes."""
    found = cluster.sets.get("management", fw.Set())
    return tuple(m.address for m in found.members if not m.excluded and _plain(m.address))


def _plain(address: str) -> bool:
    try:
        ip_network(address, strict=False)
    except ValueError:
        return False
    return True


def probes(found: Files, management: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is to be simulated: this connection, and an address of each management network."""
    one = [f"{found.connection[0]} {found.connection[1]}"] if found.connection else []
    each = [str(next(iter(ip_network(net, strict=False).hosts()))) for net in management if ":" not in net]
    return tuple(dict.fromkeys(word for word in [*one, *(f"{net} 22" for net in each)] if ":" not in word))


SIMULATE = """\
for probe in {probes}; do
    printf '\\036%s\\n' "$probe"
    set -- "${{probe% *}}" "${{probe#* }}"
    pve-firewall simulate --from outside --to host --protocol tcp --source "$1" --dport "$2"
    status=$?
    case $status in {may_end}) ;; *) exit "$status" ;; esac
done
"""
MAY_END = (0, 1, 2, 5, 9, 13, 22, 25, 255)
"""Proxmox's simulation ends with whatever errno is left when it meets a rule it does not know."""
STRANGER = "192.0.2.77"
"""An address nobody has (RFC 5737)."""
LET_IN, KEPT_OUT = "let in", "kept out"


def simulated(host: Any, probes: Iterable[str]) -> dict[str, str]:
    """Ask Proxmox what happens to each of these connections; without those of which it cannot tell."""
    asked = SIMULATE.format(probes=shlex.join(probes), may_end="|".join(map(str, MAY_END)))
    found = {}
    for said in host.run_expect([0], asked).stdout.split(SEPARATOR)[1:]:
        probe, *lines = said.splitlines()
        actions = [line.removeprefix("ACTION: ") for line in lines if line.startswith("ACTION: ")]
        if actions:
            found[probe] = LET_IN if actions == ["ACCEPT"] else KEPT_OUT
    return found


def expected(found: Files, probe: str, known: Daemon) -> str:
    """Say what the files there make of a connection to the node, from where the simulation lets it come."""
    source, port = probe.split()
    cluster = found.firewall(fw.CLUSTER) or fw.Firewall()
    packet = verdict.Packet(source, int(port), dest=known.address, interface="vmbr0")
    accepted = verdict.node_in(cluster, found.firewall(NODE_FILE), packet, known.local_network).accepted
    return LET_IN if accepted else KEPT_OUT


def strangers() -> tuple[str, ...]:
    """Return connections from where nobody is."""
    return f"{STRANGER} 22", f"{STRANGER} 8006"


def clients(firewall: fw.Firewall) -> tuple[str, ...]:
    """Return connections that the rules of a file name: an address and a port each."""
    found = []
    for rule in firewall.rules:
        source = rule.source.partition(",")[0]
        if rule.direction == "IN" and rule.proto == "tcp" and rule.dport.isdecimal() and _plain(source):
            net = ip_network(source, strict=False)
            found += [f"{next(iter(net.hosts()))} {rule.dport}"] if net.version == 4 else []
    return tuple(dict.fromkeys(found))


def switched(found: Files) -> str:
    """Say whether the datacenter's firewall is on."""
    cluster = found.firewall(fw.CLUSTER)
    return "on" if cluster is not None and cluster.enabled else "off"


HERE = "-"
"""Stands for the node itself, where a connection is tried from."""


class Try(NamedTuple):
    """A connection to a guest that can be tried, and what should come of it."""

    origin: str
    """The VMID of the guest it is tried from, or HERE."""
    address: str
    port: str
    expected: str

    @property
    def words(self) -> tuple[str, str, str]:
        """From where, to where."""
        return self.origin, self.address, self.port


def tries(found: Files, guest: Serving, node: str) -> Iterator[Try]:
    """Yield what can be tried: each port of its rules from its node, and from each guest that gets in."""
    cluster, network = found.firewall(fw.CLUSTER) or fw.Firewall(), guest.network
    ports = dict.fromkeys(rule.dport for rule in guest.firewall.rules if rule.dport.isdecimal())
    origins = [(node, HERE), *((name, vmid) for name, vmid in network.vmids.items() if name != guest.host)]
    for name, origin in origins:
        theirs = found.firewall(f"{fw.FOLDER}/{origin}.fw")
        for address in _version_4(network.addresses.get(guest.host, ())):
            for source in _version_4(network.addresses.get(name, ())):
                for port in ports:
                    packet = verdict.Packet(source, int(port), dest=address)
                    accepted = verdict.guest("IN", cluster, found.firewall(guest.file), packet).accepted
                    if origin == HERE:
                        yield Try(origin, address, port, LET_IN if accepted else KEPT_OUT)
                    elif accepted and verdict.guest("OUT", cluster, theirs, packet).accepted:
                        yield Try(origin, address, port, LET_IN)


def _version_4(addresses: Iterable[str]) -> Iterator[str]:
    return (one for one in addresses if ":" not in one)


def interfaces(said: str, vmid: str) -> dict[str, bool]:
    """Return a guest's interfaces, and whether each is under the firewall, from the answer to INTERFACES."""
    found = {}
    for line in said.splitlines():
        path, _, rest = line.partition(" ")
        name, _, settings = rest.partition(":")
        if path.rpartition("/")[2] == f"{vmid}.conf":
            found[name] = "firewall=1" in settings.strip().split(",")
    return found


POLICIES = {"policy_in": "DROP", "policy_out": "ACCEPT"}
"""What holds where a file says nothing else (pve-firewall(8)); a node's own file has none of them."""


def shown(firewall: fw.Firewall) -> dict[str, object]:
    """Return what a file says of names, to be compared one by one: options, aliases, sets and groups."""
    same = fw.bare(firewall)
    found: dict[str, object] = {**POLICIES, **same.options}
    found |= {f"alias {name}": " # ".join(filter(None, one)) for name, one in same.aliases.items()}
    found |= {
        f"set {name}": [f"{'!' if m.excluded else ''}{m.address}" for m in one.members]
        for name, one in same.sets.items()
    }
    found |= {f"group {name}": [str(rule) for rule in one.rules] for name, one in same.groups.items()}
    return found
