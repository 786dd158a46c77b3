"""A site with one lab node and containers on it, planned and applied in this very process."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.copies import note_owners_anew

from phoenix_hypervisor.config import load
from phoenix_hypervisor.converge.engine import Engine, Outcome
from phoenix_hypervisor.converge.plan import Consent, Entry, Plan, build
from phoenix_hypervisor.errors import ExitCode, PhoenixError
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.lab.node import Disk, Gpu
from phoenix_hypervisor.lab.site import lab_node
from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.resource import Effect, Ref, Step

NODE = "pve1"
ADDRESS = "10.0.0.13"
DISKS = tuple(Disk(f"nvme-SAMPLE_{number}", 10 * 2**30) for number in (1, 2))
PCI = {"gpu0": "0000:01:00.0", "gpu1": "0000:05:00.0"}
HARDWARE = {
    "disks": {f"nvme{n}": {"id": disk.by_id, "size": disk.size} for n, disk in enumerate(DISKS)},
    "gpus": {name: {"pci": pci} for name, pci in PCI.items()},
}
DATASETS = ("disks", "more", "archives", "hooks", "one", "two")
STORAGES = {
    "tank-disks": {"type": "zfspool", "pool": "tank/disks", "content": ["images", "rootdir"]},
    "tank-more": {"type": "zfspool", "pool": "tank/more", "content": ["images", "rootdir"]},
    "tank-archives": {"type": "dir", "path": "/tank/archives", "content": ["vztmpl"]},
    "tank-hooks": {"type": "dir", "path": "/tank/hooks", "content": ["snippets"]},
}
NODE_SECTIONS = {
    "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": [disk.by_id for disk in DISKS]}]}},
    "zfs_dataset": {f"tank/{name}": {} for name in DATASETS},
    "pve_storage": STORAGES,
    "ct_template": {
        "base": {"storage": "tank-archives", "file": "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"}
    },
    "host_file": {
        f"/tank/hooks/snippets/{name}.sh": {"content": "#!/bin/sh\nexit 0\n", "mode": "0755"}
        for name in ("one", "two")
    },
}
BASE = {"template": "base", "rootfs": {"storage": "tank-disks", "size": "1G"}}
"""The least that makes a container."""


class Run(NamedTuple):
    """One plan, carried out or not."""

    plan: Plan
    outcome: Outcome | None
    notices: list[str]
    orphans: list[str]

    @property
    def code(self) -> ExitCode:
        return self.outcome.code if self.outcome else self.plan.code

    def entry(self, vmid: str = "101") -> Entry:
        return next(entry for entry in self.plan.entries if entry.ref == Ref(NODE, "lxc", vmid))

    def differences(self, vmid: str = "101") -> dict[str, tuple[Any, Any]]:
        found = self.entry(vmid).look.change.attributes
        return {name: (one.actual, one.desired) for name, one in found.items()}

    @property
    def steps(self) -> list[Step]:
        return [step for entry in self.plan.entries for step in entry.steps]

    @property
    def titles(self) -> list[str]:
        return [step.title for step in self.steps]

    @property
    def reasons(self) -> list[str]:
        return [refusal.reason for entry in self.plan.entries for refusal in entry.refusals]

    @property
    def effect(self) -> Effect:
        return max((step.effect for step in self.steps), default=Effect.HOT)

    @property
    def nothing(self) -> bool:
        return not self.plan.entries


class Containers:
    """The site, by the names of its guests' files: `101-sample` → the sections in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = lab_node(folder, NODE)

    @classmethod
    def fresh(cls, folder: Path) -> "Containers":
        """A site whose node is up and has all that containers need."""
        for part in ("configs/nodes", "configs/guests", "inventory"):
            (folder / part).mkdir(parents=True)
        (folder / "configs/site.yaml").write_text("name: containers\n")
        reach = {NODE: {"hostname": ADDRESS, "data": {"transport": "lab"}}}
        (folder / "inventory/hosts.yaml").write_text(yaml(reach))
        node = {"hardware": HARDWARE, **NODE_SECTIONS}
        (folder / f"configs/nodes/{NODE}.yaml").write_text(yaml(node))
        site = cls(folder)
        gpus = tuple(Gpu(pci, name) for name, pci in PCI.items())
        site.node.up(NODE, DISKS, ADDRESS, gpus)
        try:
            site.on_node("true")
        except PhoenixError as error:
            pytest.skip(f"this machine does not let us make a lab: {error}")
        return site

    def copy(self, folder: Path) -> "Containers":
        """A site of its own with a node in the same state."""
        subprocess.run(["cp", "-a", "--sparse=always", self.folder, folder], check=True)
        copied = Containers(folder)
        note_owners_anew(self.node.root, copied.node.root)
        return copied

    def declare(self, guests: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the guests' files; what is not among them is there no longer."""
        shutil.rmtree(self.folder / "configs/guests")
        (self.folder / "configs/guests").mkdir()
        for name, sections in guests.items():
            (self.folder / f"configs/guests/{name}.yaml").write_text(yaml(sections))

    def run(
        self,
        *,
        apply: bool = False,
        prune: bool = False,
        destroy: tuple[str, ...] = (),
        orphans: bool = True,
    ) -> Run:
        """Plan what is declared, and carry it out if wanted, as `phoenix plan` and `phoenix apply` do.

        Without `orphans` as they do with `--target`: every kind is asked what it owns otherwise.
        """
        site = load(self.folder)
        opened = OpenSite(site, Fleet(site.inventory, self.folder, guests=site.guests.values()))
        consent, outcome = Consent(prune, frozenset(destroy)), None
        try:
            seen = inspect(opened, opened.scope(()), probes=apply, orphans=orphans)
            looks, found = seen.looks(), seen.orphans()
            plan = build(site, looks, found, consent)
            if apply and plan.pending:
                outcome = Engine(opened, plan, looks, consent, lambda *_: None).run()
        finally:
            opened.fleet.close()
        notices = [notice for look in looks.values() for notice in look.notices]
        return Run(plan, outcome, notices, [str(ref) for ref in found])

    def apply(self, **further: Any) -> Run:
        return self.run(apply=True, **further)

    def on_node(self, command: str) -> str:
        """Run a shell command on the node past phoenix; what it said."""
        ended = self.node.run(command)
        assert ended.status == 0, (command, ended)
        return ended.stdout.decode()

    def conf(self, vmid: str = "101") -> str:
        return self.on_node(f"cat /etc/pve/lxc/{vmid}.conf")
