"""A lab node's door: what happens when somebody connects.

Timers that came due while nobody was there are run first. Then the node's own firewall may turn us away: a
person's connections come from the last address of the node's network.
"""

import json
import time
from ipaddress import IPv4Address, ip_interface

from .node import LabNode

SSH = 22
SOURCE_PORT = 50022


def knock(node: LabNode) -> str:
    """Let time have passed on a node; return why it lets nobody in, empty when it does."""
    timers = node.root / "var/lib/phoenix-lab/timers.json"
    if timers.exists() and any(row["due"] <= time.time() for row in json.loads(timers.read_text())):
        node.run("lab-timers")
    if node.model().get("firewall", {}).get("ssh", "ACCEPT") == "ACCEPT":
        return ""
    return f"Connection timed out (its firewall drops what comes from {client(node)[0]})"


def client(node: LabNode) -> tuple[str, str]:
    """Return the addresses between which a connection to a node is: a person's, and the node's own."""
    words = (node.root / "etc/network/interfaces").read_text(encoding="utf-8").split()
    own = ip_interface(words[words.index("address") + 1] if "address" in words else "127.0.1.1/8")
    return str(IPv4Address(int(own.network.broadcast_address) - 1)), str(own.ip)


def shell(node: LabNode) -> list[str]:
    """Return the command of a person's shell there: it knows where the person is, as sshd tells it."""
    source, own = client(node)
    return ["env", f"SSH_CONNECTION={source} {SOURCE_PORT} {own} {SSH}", "sh"]
