"""inventory/: how nodes are reached, in Nornir's three files. Read with places, resolved by Nornir later."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import Problem, Where, did_you_mean
from .model import InventoryEntry
from .tree import Tree, read
from .validation import validated


class Inventory(NamedTuple):
    """The three files, checked; `places` is where each host stands."""

    hosts: Mapping[str, InventoryEntry]
    groups: Mapping[str, InventoryEntry]
    defaults: InventoryEntry
    places: Mapping[str, Where]


def read_inventory(folder: Path, problems: list[Problem]) -> Inventory:
    """Read hosts.yaml (which must be there), groups.yaml and defaults.yaml."""
    hosts, places = _entries(folder, "hosts.yaml", problems, required=True)
    groups, _ = _entries(folder, "groups.yaml", problems)
    defaults, _ = _entries(folder, "defaults.yaml", problems, single=True)
    for name, entry in [*hosts.items(), *groups.items()]:
        problems.extend(
            Problem(f"`{name}`: no group `{group}`", places.get(name), did_you_mean(group, groups))
            for group in entry.groups
            if group not in groups
        )
    return Inventory(hosts, groups, defaults.get("", InventoryEntry()), places)


def same_nodes(inventory: Inventory, nodes: Mapping[str, Tree], problems: list[Problem]) -> None:
    """Add a problem for each node that only one of inventory/ and configs/nodes/ knows."""
    for name in inventory.hosts.keys() - nodes.keys():
        hint = did_you_mean(name, nodes) or f"write configs/nodes/{name}.yaml"
        problems.append(Problem(f"host `{name}` has no file in configs/nodes/", inventory.places[name], hint))
    for name in nodes.keys() - inventory.hosts.keys():
        hint = did_you_mean(name, inventory.hosts) or "add it there: how it is reached"
        problems.append(Problem(f"node `{name}` is not in inventory/hosts.yaml", nodes[name].where, hint))


def _entries(
    folder: Path, file: str, problems: list[Problem], *, required: bool = False, single: bool = False
) -> tuple[dict[str, InventoryEntry], dict[str, Where]]:
    path, shown = folder / "inventory" / file, f"inventory/{file}"
    if not path.is_file():
        if required:
            problems.append(
                Problem(f"{shown} is missing", Where(shown, 1, 1), "it says how the nodes are reached")
            )
        return {}, {}
    tree = read(path, shown, problems)
    if tree is None:
        return {}, {}
    if not isinstance(tree.value, dict):
        problems.append(Problem("the file must map names to settings", tree.where))
        return {}, {}
    entries: dict[str, InventoryEntry] = {}
    places: dict[str, Where] = {}
    for name, below in ({"": tree} if single else tree.value).items():
        settings = Tree({}, below.where, below.key) if below.value is None else below
        if not isinstance(settings.value, dict):
            problems.append(Problem(f"`{name}` must hold settings", below.key))
            continue
        places[name] = settings.place()
        entry = validated(InventoryEntry, settings.plain(), settings, name, problems)
        if entry is not None:
            entries[name] = entry
    return entries, places
