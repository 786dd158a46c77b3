"""Containers declared on one of the nodes: a layer, a clone of it, one that shares an id with the node."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from . import template
from .cluster import Cluster
from .nodes import Node
from .site import Result, Site

ON = "alpha"
NODE = """\
zfs_dataset:
  tank/ours: {{}}
  tank/same: {{}}
ct_template:
  busybox: {{ storage: tank-iso, file: {name}, url: "file://{path}", sha256: {digest} }}
"""
GUESTS = {
    "900-base": """\
node: alpha
lxc:
  template: busybox
  rootfs: { storage: tank-guests, size: 1G }
  net: { eth0: { bridge: vmbr0, ip: 10.77.0.50/24 } }
lxc_layer: { mode: snapshot }
host_file:
  /etc/made: { content: "once, in the layer\\n" }
""",
    "951-chat": """\
node: alpha
lxc:
  clone: base
  memory: 64M
  swap: 0
  onboot: true
  restart: auto
  net: { eth0: { bridge: vmbr0, ip: 10.77.0.51/24 } }
  mounts:
    /data: { storage: tank-guests, size: 1G }
    /mnt/theirs: { source: /tank/work }
    /mnt/ours: { source: /tank/ours, uid: 1000, gid: 1000 }
  devices:
    /dev/fuse: { mode: "0660", gid: 1000 }
  raw: { lxc.environment: SAID=raw }
  ready: { network: true, command: "test -s /etc/machine-id" }
host_file:
  /etc/chat.conf: { content: "port = 8000\\n", mode: "0640", group: chat }
""",
    "952-web": """\
node: alpha
lxc:
  template: busybox
  restart: auto
  rootfs: { storage: tank-guests, size: 1G }
  net: { eth0: { bridge: vmbr0, ip: 10.77.0.52/24 } }
  mounts:
    /mnt/same: { source: /tank/same, uid: 1000, gid: 1000 }
  shared_ids: { uids: { 1000: 1000 }, gids: { 1000: 1000 } }
""",
}


class Housed:
    """The nodes with the containers, and what tests do with these."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.node: Node = cluster[ON]
        self.site: Site = cluster.site

    def declare_all(self) -> None:
        """Declare the containers as GUESTS has them."""
        for name, text in GUESTS.items():
            (self.site.folder / f"configs/guests/{name}.yaml").write_text(text)

    def apply(self, *words: str) -> Result:
        """Run `phoenix apply --yes` for the node and its containers."""
        return self.cluster.apply("--host", ON, *words)

    def declare(self, guest: str, old: str, new: str) -> None:
        """Change what a container should be."""
        path = self.site.folder / f"configs/guests/{guest}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def inside(self, vmid: int, script: str) -> str:
        """Run a script in a container, past phoenix; what it said, and its status when it fails."""
        status, said = self.node.try_(f"lxc-attach -n {vmid} --clear-env -- sh", script)
        return said if status == 0 else f"{said}[{status}]"


@contextmanager
def declared(cluster: Cluster) -> Iterator[Housed]:
    """Declare the containers for a while."""
    folder = cluster.site.folder / "configs"
    node = folder / f"nodes/{ON}.yaml"
    before = node.read_text()
    node.write_text(before + NODE.format(name=template.NAME, path=template.PATH, digest=cluster.template))
    (folder / "guests").mkdir()
    try:
        housed = Housed(cluster)
        housed.declare_all()
        yield housed
    finally:
        node.write_text(before)
        shutil.rmtree(folder / "guests")
        cluster.settled = False
