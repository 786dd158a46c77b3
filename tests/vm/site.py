"""The storage half of the reference site, on small disks, with the node as a virtual machine.

`phoenix` is a process here as anybody starts it. The machine dies with the test run, however that ends.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from phoenix_hypervisor.lab.faults import Faults
from phoenix_hypervisor.lab.node import Disk
from phoenix_hypervisor.lab.vm.node import VmNode

REPOSITORY = Path(__file__).resolve().parents[2]
NODE = "phoenix"
ADDRESS = "10.0.0.13"
PASSWORD = "canary-Kq7#vW2z"  # no secret: only ever on machines made by these tests
MIB = 1 << 20
DISKS = {"A": 1024, "B": 1024, "C": 1024, "D": 96, "E": 96, "F": 96}
"""By-id name after `nvme-LAB_` → MiB. A to C are the pools', the others are for what must not be touched."""
LONGEST = 900
SITE = """\
name: machine
secrets: { file: secrets.age }
defaults:
  zfs_dataset:
    "*": { compression: lz4, sync: standard, atime: off }
"""
PROFILE = """\
zfs_arc: { max: 128M, min: 64M }
unix_user:
  heads:
    uid: 1501
    shell: /usr/sbin/nologin
    comment: Owner of the shares
    groups: [users]
    expires: "2099-12-31"
samba_user:
  heads: { password: !secret samba/heads }
apt_package:
  nfs-kernel-server: {}
  samba: {}
"""
STORAGE = """\
zfs_pool:
  quickOS:
    comment: what must not be lost
    vdevs:
      - { type: mirror, disks: [nvme-LAB_A, nvme-LAB_B] }
  fastData:
    vdevs:
      - { type: stripe, disks: [nvme-LAB_C] }
zfs_dataset:
  quickOS: {}
  quickOS/lxc-disks: { recordsize: 16K, quota: 400M }
  quickOS/shared-prod-data: { recordsize: 128K, quota: 200M, owner: heads, group: heads, mode: "0770" }
  quickOS/shared-prod-data-sync:
    recordsize: 16K
    sync: always
    quota: 100M
    logbias: throughput
    reservation: 4M
    refreservation: 2M
    relatime: off
    primarycache: metadata
    secondarycache: none
    redundant_metadata: most
    special_small_blocks: 4K
    exec: off
    setuid: off
    devices: off
    canmount: on
    mountpoint: /srv/sync
  fastData: {}
  fastData/shared-backups: { recordsize: 1M, compression: zstd, quota: 300M, refquota: 250M }
  fastData/small: { recordsize: 128K, quota: 4M, exact: true }
  fastData/shared-bulk-data:
    recordsize: 1M
    quota: 300M
    xattr: sa
    acltype: posixacl
    dnodesize: auto
    snapdir: visible
pve_storage:
  quickOS-lxc-disks: { type: zfspool, pool: quickOS/lxc-disks, content: [rootdir], sparse: true }
  fastData-shared-backups:
    type: dir
    path: /fastData/shared-backups
    content: [backup]
    is_mountpoint: true
    nodes: [phoenix]
    shared: false
    disable: false
nfs_export:
  /fastData/shared-bulk-data:
    clients:
      10.0.0.0/24: [rw, sync, no_subtree_check]
samba_share:
  "*": { valid_users: [heads], read_only: false, create_mask: "0660", directory_mask: "0770" }
  prod:
    path: /quickOS/shared-prod-data
    browseable: false
    guest_ok: false
    force_user: heads
    force_group: heads
    comment: What is kept
    options: { max connections: "20" }
"""
INVENTORY = f"""\
{NODE}:
  hostname: {ADDRESS}
  data: {{ transport: lab, connect_seconds: 60, command_seconds: 300 }}
"""


class Result(NamedTuple):
    """How a verb ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    @property
    def steps(self) -> list[str]:
        """The titles of the steps that were taken, each with its resource."""
        return [f"{step['resource'].partition('/')[2]}: {step['title']}" for step in self.document["steps"]]


class VmSite:
    """The site's folder, its machine, and runs of verbs on both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = VmNode(folder / ".phoenix" / "lab" / NODE)
        self.node.mortal = True
        self.faults = Faults(self.node.folder)
        self.guests = folder / "configs/guests"
        self.disks = [Disk(f"nvme-LAB_{letter}", size * MIB) for letter, size in DISKS.items()]

    def make(self) -> None:
        """Write the files and the secret."""
        for name in ("configs/profiles", "configs/nodes", "inventory"):
            (self.folder / name).mkdir(parents=True)
        listed = "".join(
            f"    disk{number}: {{ id: {disk.by_id}, size: {disk.size} }}\n"
            for number, disk in enumerate(self.disks)
        )
        self._head = f"profiles: [storage]\nhardware:\n  disks:\n{listed}"
        (self.folder / "configs/site.yaml").write_text(SITE)
        (self.folder / "configs/profiles/storage.yaml").write_text(PROFILE)
        (self.folder / "inventory/hosts.yaml").write_text(INVENTORY)
        self.declare(STORAGE)
        for words, stdin in ((("init",), ""), (("set", "samba/heads"), PASSWORD)):
            made = self.run("secrets", *words, stdin=stdin)
            assert made.status == 0, made

    def declare(self, sections: str) -> None:
        """Declare these sections for the node, and no others; and no guests."""
        shutil.rmtree(self.guests, ignore_errors=True)
        (self.folder / f"configs/nodes/{NODE}.yaml").write_text(self._head + sections)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a verb and do not wait for it."""
        return subprocess.Popen(self._argv(words), env=self._environment(), text=True, **_PIPES)

    def run(self, *words: str, stdin: str = "") -> Result:
        """Run a verb to its end."""
        ended = subprocess.run(
            self._argv(words),
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        return Result(ended.returncode, ended.stdout, ended.stderr)

    def apply(self, *words: str) -> Result:
        """Run `phoenix apply --yes --json`; the document is there whatever came of it."""
        result = self.run("apply", "--yes", "--json", *words)
        assert result.out, result
        return result

    def _argv(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "phoenix_hypervisor", "--site", str(self.folder), *words]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return kept | {"NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY / "generator")}

    def on_node(self, script: str, *, timeout: float = 300) -> str:
        """Run a script on the node past phoenix; it must succeed. What it said."""
        status, said = self.try_on_node(script, timeout=timeout)
        assert status == 0, (script, status, said)
        return said

    def try_on_node(self, script: str, *, timeout: float = 300) -> tuple[int, str]:
        """Run a script on the node past phoenix that may fail; its status, and all it said."""
        ended = self.node.run(f"set -eu; {script}", timeout=timeout)
        return ended.status, (ended.stdout + ended.stderr).decode(errors="replace")


_PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
