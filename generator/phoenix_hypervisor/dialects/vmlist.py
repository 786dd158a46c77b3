"""/etc/pve/.vmlist: which guest lies on which node. A VMID is there once in a cluster."""

import json
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

QUESTION = "cat /etc/pve/.vmlist"


class Place(NamedTuple):
    """Where a guest lies: the node's name, and `lxc` or `qemu`."""

    node: str
    type: str


@cache
def parse(text: str) -> Mapping[str, Place]:
    """Read the file's text into VMID → Place; a VMID that Proxmox itself refuses (below 100) is left out."""
    guests = json.loads(text).get("ids", {})
    return {
        vmid: Place(entry["node"], entry["type"])
        for vmid, entry in sorted(guests.items(), key=lambda entry: int(entry[0]))
        if int(vmid) >= 100
    }
