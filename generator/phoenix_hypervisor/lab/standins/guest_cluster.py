"""/etc/pve/.vmlist: which guests there are on which nodes, as Proxmox' cluster file system tells it.

There it is made up at each read. Here it is a file, renewed by all that adds or removes a guest through
the tools, and by lxc-ls: what was moved by hand is in it from then on.
"""

import os

import quick_json
from hints import Any

FILE = "etc/pve/.vmlist"
KINDS = {"lxc": "lxc", "qemu-server": "qemu"}


def refresh(root: str) -> None:
    """Bring the list of the node below `root` up to date."""
    found = _guests(os.path.join(root, "etc/pve/nodes"))
    file = os.path.join(root, FILE)
    known = _known(file)
    rows_before = known.get("ids", {})
    before = {vmid: (row["node"], row["type"]) for vmid, row in rows_before.items()}
    if known and before == found:
        return
    version = int(known.get("version", 0)) + 1
    rows = []
    for vmid, (node, kind) in found.items():
        own = rows_before[vmid]["version"] if before.get(vmid) == (node, kind) else version
        rows.append(f'\n"{vmid}": {{ "node": "{node}", "type": "{kind}", "version": {own} }}')
    # a name of our own: others may be at it too
    mine = f"{file}.{os.getpid()}"
    with open(mine, "w", encoding="utf-8") as new:
        new.write(f'{{\n"version": {version},\n"ids": {{{",".join(rows)}}}\n\n}}\n')
    os.replace(mine, file)


def _guests(nodes: str) -> dict[str, tuple[str, str]]:
    found = {}
    for node in sorted(os.listdir(nodes)) if os.path.isdir(nodes) else []:
        for folder, kind in KINDS.items():
            place = os.path.join(nodes, node, folder)
            names = os.listdir(place) if os.path.isdir(place) else []
            for name in sorted(names):
                if name.endswith(".conf") and name[:-5].isdecimal():
                    found[name[:-5]] = (node, kind)
    return found


def _known(file: str) -> dict[str, Any]:
    try:
        with open(file, encoding="utf-8") as old:
            found: dict[str, Any] = quick_json.load(old)
    except (OSError, ValueError):
        return {}
    return found
