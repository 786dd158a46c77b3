"""A small site with containers: a layer, what is cloned from it, and one with a volume of its own."""

from pathlib import Path
from typing import Any

from tests.lab.containers import BASE, NODE, Containers
from tests.lab.running import LabSite

from phoenix_hypervisor.observe.kinds_page import yaml

BASE_LAYER, WEB, DATABASE = "900-base", "950-web", "951-database"
GUESTS: dict[str, dict[str, Any]] = {
    BASE_LAYER: {
        "lxc": BASE,
        "lxc_layer": {},
        "host_file": {"/etc/layer.conf": {"content": "layer = 1\n"}},
    },
    WEB: {
        "lxc": {
            "clone": "base",
            "cores": 2,
            "memory": "256M",
            "net": {"eth0": {"bridge": "vmbr0", "ip": "10.0.0.50/24", "gw": "10.0.0.1"}},
            "mounts": {"/one": {"source": "/tank/one", "uid": 0, "gid": 0}},
            "shutdown_seconds": 5,
            "ready": {"seconds": 300},
        },
        "host_file": {"/etc/web.conf": {"content": "port = 80\n"}},
    },
    DATABASE: {
        "lxc": {
            **BASE,
            "rootfs": {"storage": "tank-disks", "size": "2G"},
            "description": "The database",
            "tags": ["ai"],
            "memory": "128M",
            "mounts": {"/data": {"storage": "tank-more", "size": "1G", "backup": True}},
            "raw": {"lxc.cap.drop": ["mac_admin"]},
        },
    },
}


class SmallSite(LabSite):
    """The site; its guests' files are written anew with `declare`."""

    def __init__(self, folder: Path, name: str = NODE) -> None:
        super().__init__(folder, name)

    @classmethod
    def fresh(cls, folder: Path) -> "SmallSite":
        """Return the site with a node that has only just been made."""
        site = cls(Containers.fresh(folder).folder)
        site.declare(GUESTS)
        return site

    def declare(self, guests: dict[str, dict[str, Any]]) -> None:
        """Write guests' files; those of others stay."""
        for name, sections in guests.items():
            (self.folder / f"configs/guests/{name}.yaml").write_text(yaml(sections))

    def change(self, guest: str, kind: str = "lxc", **settings: Any) -> None:
        """Declare a guest of `GUESTS` with other settings in one section."""
        sections = GUESTS[guest]
        self.declare({guest: {**sections, kind: {**sections.get(kind, {}), **settings}}})

    def conf(self, vmid: int) -> str:
        """Return a container's conf file."""
        return (self.node.root / f"etc/pve/nodes/{NODE}/lxc/{vmid}.conf").read_text()

    def all_of_it(self) -> dict[str, str]:
        """Return everything about the node's guests and their data, by what it is about."""
        said = self.on_node(ALL)
        return {name: text for name, _, text in (part.partition("\n") for part in said.split("\036")[1:])}


ALL = r"""
for conf in /etc/pve/nodes/*/*/*.conf; do printf '\036%s\n' "$conf"; cat "$conf"; done
printf '\036running\n'; lxc-ls --running -1
for id in $(lxc-ls --running -1); do printf '\036pid %s\n' "$id"; lxc-info -n "$id" -pH; done
printf '\036datasets\n'; zfs list -Ho name -t all
printf '\036storages\n'; cat /etc/pve/storage.cfg
printf '\036notes\n'; cd /var/lib/phoenix && find made kept pending -type f | sort | xargs grep -H ''
"""
