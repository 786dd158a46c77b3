"""A lab node's door: what happens when somebody connects.

A node that went down refuses us, and boots when it is time. Timers that came due while nobody was there are
run. Then the node's own firewall may turn us away: a person's connections come from the last address of the
node's network.
"""

import json
import shlex
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_interface

from . import boots
from .faults import Faults
from .node import LabNode

SSH = 22
SOURCE_PORT = 50022
END = "{{ tail -n 0 -f {0} | {{ read -r _; kill -9 -1; }}; }} </dev/null >/dev/null 2>&1 &\n"
"""Shell that ends everything in its sandbox when the node goes down."""


def knock(node: LabNode) -> str:
    """Let time have passed on a node; return why it lets nobody in, empty when it does."""
    booting = boot(node)
    if booting:
        return booting
    timers = node.root / "var/lib/phoenix-lab/timers.json"
    if timers.exists() and any(row["due"] <= time.time() for row in json.loads(timers.read_text())):
        node.run("lab-timers")
    if away(node):
        return f"No route to host (nothing leads from outside to {client(node)[1]})"
    if node.model().get("firewall", {}).get("ssh", "ACCEPT") == "ACCEPT":
        return ""
    return f"Connection timed out (its firewall drops what comes from {client(node)[0]})"


def boot(node: LabNode) -> str:
    """Boot a node that went down, when it is time; return why it refuses connections, empty when it is up."""
    since = boots.down_since(node.root)
    if since is None:
        return ""
    takes = Faults(node.folder).boot_seconds()
    if takes is None or time.time() < since + takes:
        return "Connection refused"
    ended = node.run("lab-boot", timeout=120)
    said = ended.stderr.decode(errors="replace").strip()
    return f"No route to host (it does not boot: {said})" if ended.status else ""


def away(node: LabNode) -> bool:
    """Tell whether nothing leads from outside to the node's own address any more."""
    network = node.model().get("network")
    return network is not None and client(node)[1] not in network["reached"]


def client(node: LabNode) -> tuple[str, str]:
    """Return the addresses between which a connection to a node is: a person's, and the node's own."""
    own = ip_interface(node.address)
    return str(IPv4Address(int(own.network.broadcast_address) - 1)), str(own.ip)


def mortal(command: Sequence[str]) -> list[str]:
    """Return the command that runs another one until that ends, or the node goes down."""
    return ["sh", "-c", f'{END.format(shlex.quote(f"/{boots.GOING}"))}exec "$@"', "sh", *command]


def shell(node: LabNode) -> list[str]:
    """Return the command of a person's shell there: it knows where the person is, as sshd tells it."""
    source, own = client(node)
    return ["env", f"SSH_CONNECTION={source} {SOURCE_PORT} {own} {SSH}", *mortal(["sh"])]
