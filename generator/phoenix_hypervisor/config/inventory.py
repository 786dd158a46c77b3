"""inventory/: how nodes are reached, in Nornir's three files. Read with places, resolved by Nornir later."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import Problem, Where, did_you_mean
from ..graph import Loop, order
from .files import read
from .guests import Guest
from .model import InventoryEntry
from .tree import Tree
from .validation import validated


class Inventory(NamedTuple):
    """The three files, checked; `places` is where each host stands."""

    hosts: Mapping[str, InventoryEntry]
    groups: Mapping[str, InventoryEntry]
    defaults: InventoryEntry
    places: Mapping[str, Where]
    readable: bool
    """Whether the hosts' file is a mapping at all; otherwise its problem says enough."""

    def transport_of(self, host: str) -> str:
        """Return the transport as Nornir resolves it: the host's own, its groups' in order, the default."""
        found = (entry.data.transport for entry in self._entries(self.hosts[host]))
        return next((transport for transport in found if transport), "ssh")

    def ssh_of(self, host: str) -> tuple[str, int] | None:
        """Return the address and port a guest is reached at by ssh of its own; None through its node."""
        if host not in self.hosts:
            return None
        entries = list(self._entries(self.hosts[host]))
        ports = (entry.port for entry in entries)
        return entries[0].hostname or host, next((port for port in ports if port), 22)

    def _entries(self, entry: InventoryEntry) -> Iterator[InventoryEntry]:
        yield entry
        yield from self._of_groups(entry.groups)
        yield self.defaults

    def _of_groups(self, groups: Collection[str]) -> Iterator[InventoryEntry]:
        for name in groups:
            if name in self.groups:
                yield self.groups[name]
                yield from self._of_groups(self.groups[name].groups)


def read_inventory(folder: Path, problems: list[Problem]) -> Inventory:
    """Read hosts.yaml (which must be there), groups.yaml and defaults.yaml."""
    found = len(problems)
    hosts, places = _entries(folder, "hosts.yaml", problems, required=True)
    readable = bool(places) or len(problems) == found
    groups, group_places = _entries(folder, "groups.yaml", problems)
    defaults, _ = _entries(folder, "defaults.yaml", problems, single=True)
    for named, stands in ((hosts, places), (groups, group_places)):
        for name, entry in named.items():
            problems.extend(
                Problem(f"`{name}`: no group `{group}`", stands[name], did_you_mean(group, groups))
                for group in entry.groups
                if group not in group_places
            )
    _no_loop(groups, group_places, problems)
    if "" in defaults and defaults[""].groups:
        where = Where("inventory/defaults.yaml", 1, 1)
        problems.append(Problem("`groups` does not belong into the defaults", where, "name them at hosts"))
    return Inventory(hosts, groups, defaults.get("", InventoryEntry()), places, readable)


def _no_loop(
    groups: Mapping[str, InventoryEntry], places: Mapping[str, Where], problems: list[Problem]
) -> None:
    try:
        order({name: entry.groups for name, entry in groups.items()})
    except Loop as loop:
        problems.append(Problem(f"groups are in each other in a loop: {loop}", places[str(loop.path[0])]))


def same_nodes(
    inventory: Inventory,
    folder: Path,
    nodes: Mapping[str, Tree],
    guests: Mapping[str, Guest],
    problems: list[Problem],
) -> None:
    """Add a problem for each node that only one of inventory/ and configs/nodes/ knows, and for guests in it.

    A virtual machine may be there: it is reached by ssh then, and not through its node.
    """
    for name in inventory.hosts.keys() & guests.keys() - nodes.keys():
        if guests[name].entered != "agent":
            said = f"`{name}` is a container, which is entered through its node"
            problems.append(Problem(said, inventory.places[name], "leave it out here"))
        elif (transport := inventory.transport_of(name)) != "ssh":
            said = f"the machine `{name}` is reached by ssh or through its node, not by `{transport}`"
            hint = "`data: {transport: ssh}`, or leave it out here: then its guest agent is the way in"
            problems.append(Problem(said, inventory.places[name], hint))
    # a file that cannot be read is there all the same, and an entry that is wrong
    files = {path.stem for path in (folder / "configs" / "nodes").glob("*")}
    for name in inventory.places.keys() - nodes.keys() - files - guests.keys():
        hint = did_you_mean(name, [*nodes, *guests]) or f"write configs/nodes/{name}.yaml"
        problems.append(Problem(f"host `{name}` has no file in configs/nodes/", inventory.places[name], hint))
    for name in nodes.keys() - inventory.places.keys() if inventory.readable else ():
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
