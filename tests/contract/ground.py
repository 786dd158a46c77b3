"""Where samples are tried: a site in a folder with one lab node, and what plans and applies do there."""

import json
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.copies import note_owners_anew

from phoenix_hypervisor import registry, render
from phoenix_hypervisor.config import Site, load
from phoenix_hypervisor.converge.engine import Engine, Outcome
from phoenix_hypervisor.converge.plan import Consent, Plan, build
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Finding, Look
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.lab.node import Disk, Gpu
from phoenix_hypervisor.lab.site import lab_node
from phoenix_hypervisor.observe import document, screen
from phoenix_hypervisor.observe.kinds_page import GUESTS, yaml
from phoenix_hypervisor.resource import Ref

HOST = "pve1"
ADDRESS = "10.0.0.13"
DISKS = tuple(Disk(f"nvme-SAMPLE_{number}", 10 * 2**30) for number in range(1, 5))
GPUS = (Gpu("0000:01:00.0", "Sample"), Gpu("0000:05:00.0", "Sample"))
HARDWARE = {
    "disks": {f"nvme{n}": {"id": disk.by_id, "size": disk.size} for n, disk in enumerate(DISKS)},
    "gpus": {f"gpu{n}": {"pci": gpu.pci, "model": gpu.model} for n, gpu in enumerate(GPUS)},
}


class Canary:
    """A store whose values can be told from anything else."""

    @staticmethod
    def value(name: str) -> bytes:
        return f"canary-5b1d-{name}".encode()


class Keeping:
    """The same store, and what hosts have told it: kept in the site's folder, so that copies know it too."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "kept-secrets.json"

    def value(self, name: str) -> bytes:
        return self._kept().get(name, Canary.value(name).decode()).encode()

    def has(self, name: str) -> bool:
        return True

    def check_writable(self, name: str) -> None:
        """Any can be kept."""

    def set(self, name: str, value: bytes) -> bool:
        self._file.write_text(json.dumps({**self._kept(), name: value.decode()}))
        return True

    def take_over(self, other: "Keeping") -> None:
        """Know what another knows."""
        self._file.write_text(json.dumps(other._kept()))

    def _kept(self) -> dict[str, str]:
        return dict(json.loads(self._file.read_text())) if self._file.exists() else {}


class Run(NamedTuple):
    """One plan, carried out or not."""

    plan: Plan
    findings: list[Finding]
    orphans: list[Ref]
    outcome: Outcome | None
    acts: list[str]
    """The commands that may have changed the node."""
    shown: str
    """All that a person or a program gets to read of it."""
    trips: int
    """Round trips to the node until there was a plan."""

    @property
    def code(self) -> ExitCode:
        return self.outcome.code if self.outcome else self.plan.code

    @property
    def steps(self) -> list[str]:
        return [step.title for entry in self.plan.entries for step in entry.steps]

    def attributes(self, ref: Ref) -> set[str]:
        """Names of what differs, as the plan says it."""
        return {
            name for entry in self.plan.entries if entry.ref == ref for name in entry.look.change.attributes
        }


def declared(folder: Path, hosts: Mapping[str, Mapping[str, Any]]) -> Site:
    """Write a site whose hosts have these sections, and read it."""
    for part in ("configs/nodes", "inventory"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "site.yaml").write_text("name: contract\n")
    reach = {host: {"hostname": ADDRESS, "data": {"transport": "lab"}} for host in hosts}
    (folder / "inventory" / "hosts.yaml").write_text(yaml(reach))
    guests = folder / "configs" / "guests"
    shutil.rmtree(guests, ignore_errors=True)
    for host, sections in hosts.items():
        own = {name: below for name, below in sections.items() if name != GUESTS}
        (folder / "configs" / "nodes" / f"{host}.yaml").write_text(yaml({"hardware": HARDWARE, **own}))
        for stem, inside in sections.get(GUESTS, {}).items():
            guests.mkdir(exist_ok=True)
            (guests / f"{stem}.yaml").write_text(yaml({"node": host, **inside}))
    return load(folder, Keeping(folder))


class Scene:
    """A site and its one lab node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = lab_node(folder, HOST)

    @classmethod
    def fresh(cls, folder: Path) -> "Scene":
        declared(folder, {HOST: {}})
        scene = cls(folder)
        scene.node.up(HOST, DISKS, ADDRESS, GPUS)
        return scene

    def copy(self, folder: Path) -> "Scene":
        """A site of its own with a node in the same state; the holes of its disks stay holes."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        scene = Scene(folder)
        note_owners_anew(self.node.root, scene.node.root)
        return scene

    def beside(self, folder: Path) -> "Scene":
        """A site of its own with this very node: for what only looks at it."""
        lab = self.node.folder.parent
        (folder / lab.relative_to(self.folder)).parent.mkdir(parents=True)
        (folder / lab.relative_to(self.folder)).symlink_to(lab)
        Keeping(folder).take_over(Keeping(self.folder))
        return Scene(folder)

    def declare(self, sections: Mapping[str, Any]) -> Site:
        """Write what the node should be, and read the site."""
        return declared(self.folder, {HOST: sections})

    def run(
        self,
        *,
        apply: bool = False,
        prune: bool = False,
        destroy: Collection[str] = (),
        orphans: bool = True,
    ) -> Run:
        """Plan what is declared, and carry it out if wanted, as `phoenix plan` and `phoenix apply` do.

        Without `orphans` as they do with `--target`: every kind is asked what it owns otherwise.
        """
        site = load(self.folder, Keeping(self.folder))
        opened = OpenSite(site, Fleet(site.inventory, self.folder, guests=site.guests.values()))
        consent, before = Consent(prune, frozenset(destroy), apply), len(self.node.actions())
        outcome = None
        try:
            seen = inspect(opened, opened.scope(()), probes=apply, orphans=orphans)
            looks, found = seen.looks(), seen.orphans()
            plan, trips = build(site, looks, found, consent), opened.fleet.trips()[HOST]
            if apply and plan.pending:
                outcome = Engine(opened, plan, looks, consent, lambda *_: None).run()
        finally:
            opened.fleet.close()
        acts = [act["command"] for act in self.node.actions()[before:]]
        shown = _shown(site, plan, looks, outcome)
        return Run(plan, seen.findings, found, outcome, acts, shown, trips)


def _shown(site: Site, plan: Plan, looks: Mapping[Ref, Look], outcome: Outcome | None) -> str:
    lines = list(screen.plan_lines(plan, looks, {}))
    planned = document.plan_document(plan, looks, {})
    lines.append(document.text(planned))
    if outcome:
        lines += screen.outcome_lines(outcome)
        lines.append(document.text(document.outcome_document(planned, outcome, outcome.code)))
    files = render.render(site.resources.items(), render.Renderer(site.folder))
    return "\n".join([*lines, *(file.text for file in files)])


def kinds() -> list[str]:
    """Every kind there is, plugins' kinds among them."""
    return list(registry.homes())
