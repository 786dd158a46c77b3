"""What the conversion of all parts shares: the files, names, addresses, and what a person must decide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ...errors import Problem, Where
from .ledger import Ledger, Part
from .source import CONTAINERS, HYPERVISOR, MACHINES, STACKS, File

NODE = "phoenix"
"""The name the predecessor gave a node that says none."""
MOUNT_BASE = "/mnt/pve/"


class Written(NamedTuple):
    """A value for the site's files, and where it came from."""

    value: Any
    origin: str


class Decision(NamedTuple):
    """What a person must say before the site is whole."""

    what: str
    where: Where | None
    """In the predecessor's files."""
    there: str = ""
    """The file of the new site it concerns."""


Section = dict[str, Any]
"""Nested keys, with a Written at each end."""


@dataclass(eq=False)
class Estate:
    """All of the input, and what has been found out about it."""

    files: list[File]
    ledger: Ledger = field(default_factory=Ledger)
    decisions: list[Decision] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Defects that only the conversion sees."""

    def of(self, sort: str) -> Iterator[Part]:
        """Yield the files of a sort."""
        for file in self.files:
            if file.sort == sort:
                yield Part(self.ledger, file, file.tree)

    def hypervisor(self, *keys: str) -> Part | None:
        """Return what lies at a path of the node's file."""
        return next((part for root in self.of(HYPERVISOR) if (part := root.get(*keys))), None)

    @cached_property
    def containers(self) -> dict[str, Part]:
        """Return the containers by id; the first where two files have one."""
        found: dict[str, Part] = {}
        for root in self.of(CONTAINERS):
            for vmid, part in each(root.get("lxc_configs")):
                if isinstance(part.tree.value, dict):
                    found.setdefault(vmid, part)
        return found

    @cached_property
    def machines(self) -> list[Part]:
        """Return the virtual machines."""
        return [
            part
            for root in self.of(MACHINES)
            for _, part in each(root.get("vms"))
            if isinstance(part.tree.value, dict)
        ]

    def stacks(self) -> list[Part]:
        """Return the files of stacks."""
        return [*self.of(STACKS)]

    def decide(self, what: str, part: Part | None, there: str = "") -> None:
        """Leave something to a person."""
        decision = Decision(what, part.where if part else None, there)
        if decision not in self.decisions:
            self.decisions.append(decision)

    @cached_property
    def node(self) -> str:
        """The node's name."""
        said = text_of(self.hypervisor("network", "hostname"))
        return said if said and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", said) else NODE

    @cached_property
    def address(self) -> str:
        """The node's address, without its length; empty when the files do not say it."""
        return text_of(self.hypervisor("network", "interfaces", "address")).partition("/")[0]

    @cached_property
    def datasets(self) -> dict[str, Part]:
        """The declared datasets, by `pool/name`."""
        found: dict[str, Part] = {}
        for _, part in each(self.hypervisor("zfs", "datasets")):
            pool, name = text_of(part.get("pool")), text_of(part.get("name"))
            if pool and name:
                found.setdefault(f"{pool}/{name}", part)
        return found

    @cached_property
    def storages(self) -> dict[str, str]:
        """Return dataset → id of the storage on it."""
        ids = self.hypervisor("proxmox_storage_ids")
        return {
            name: text_of(ids.get(storage_key(name)) if ids else None) or name.replace("/", "-", 1)
            for name, part in self.datasets.items()
            if part.get("proxmox_storage_type")
        }

    @cached_property
    def numbered(self) -> dict[str, Part]:
        """Return the virtual machines by VMID, templates among them; not one whose VMID is another's."""
        found: dict[str, Part] = {}
        for part in self.machines:
            vmid = text_of(part.get("vmid"))
            if re.fullmatch(r"[1-9][0-9]{2,8}", vmid) and vmid not in self.containers:
                found.setdefault(vmid, part)
        return found

    @cached_property
    def images(self) -> dict[str, str]:
        """Return VMID of a template → the name of the image that it becomes."""
        templates = {vmid: part for vmid, part in self.numbered.items() if is_template(part)}
        return _named(templates, set())

    @cached_property
    def names(self) -> dict[str, str]:
        """Return id → the guest's name here: small letters, digits and `-`, and each only once."""
        machines = {vmid: part for vmid, part in self.numbered.items() if vmid not in self.images}
        return _named({**self.containers, **machines}, {self.node.lower()})

    @cached_property
    def owners(self) -> dict[str, str]:
        """Return address → name of the guest that has it; the first of several."""
        found: dict[str, str] = {}
        for vmid, name in self.names.items():
            part = self.containers.get(vmid) or self.numbered[vmid]
            found.setdefault(text_of(part.get("network_config", "ip")).partition("/")[0], name)
        return found


def _named(parts: Mapping[str, Part], taken: set[str]) -> dict[str, str]:
    """Return id → a name that nobody else has."""
    found: dict[str, str] = {}
    for vmid, part in parts.items():
        slug = re.sub(r"[^a-z0-9]+", "-", text_of(part.get("name")).lower()).strip("-")[:63].strip("-")
        name = slug or f"{'vm' if part.get('vmid') else 'ct'}{re.sub('[^0-9]+', '', vmid)}"
        while name in taken:
            name = f"{name}-{re.sub('[^0-9]+', '', vmid) or len(found)}"
        found[vmid] = name
        taken.add(name)
    return found


def storage_key(dataset: str) -> str:
    """Return the key under which the predecessor's script looked for a dataset's storage id."""
    pool, _, name = dataset.partition("/")
    return f"{pool}_{name.replace('-', '_')}"


def each(part: Part | None) -> Iterator[tuple[str, Part]]:
    """Yield what is in a part that may not be there."""
    if part is not None:
        yield from part.each()


def text_of(part: Part | None) -> str:
    """Return the text of a part, or an empty one."""
    return (part.text() or "") if part is not None else ""


def words_of(part: Part | None) -> list[str]:
    """Return the texts of a part, or none."""
    return part.words() if part is not None else []


def is_layer(part: Part) -> bool:
    """Tell whether a container was snapshotted to be cloned."""
    return bool(text_of(part.get("template_snapshot_name")))


def is_template(part: Part) -> bool:
    """Tell whether a virtual machine is one that others are cloned from."""
    template = part.get("is_template")
    return bool(template and template.flag())


def as_mounted(path: str) -> str:
    """Return a host path where ZFS mounts it: below /<pool>, not below the base of Proxmox's storages."""
    return "/" + path.removeprefix(MOUNT_BASE) if path.startswith(MOUNT_BASE) else path


def under(path: str, datasets: Mapping[str, Any]) -> bool:
    """Tell whether a path lies in a declared dataset that is mounted at its name."""
    return any(f"{path}/".startswith(f"/{name}/") for name in datasets)


def put(section: Section, path: tuple[str, ...], part: Part, value: Any, why: str = "") -> None:
    """Write a value to a place of the new site, and say so of what it came from."""
    at = section
    for key in path[:-1]:
        at = at.setdefault(key, {})
    at[path[-1]] = Written(value, part.origin)
    to = ".".join(path)
    if value == part.tree.value and type(value) is type(part.tree.value):
        part.used(to)
    else:
        part.normalised(to, why)
