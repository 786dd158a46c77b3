"""A site: the directory with configs/ and inventory/, read as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import registry
from ..errors import InputError, Problem, Where
from ..firewall.ports import FACT
from ..resource import Kind, Ref
from . import inventory, rules
from .edges import Surroundings, connect
from .files import read
from .guests import Guest, facts_of, guests_of
from .layers import layered, profiles_in_their_place, sections, trees
from .model import GuestHead, Hardware, NodeHead, SiteHead
from .network import network_of
from .tree import Tree
from .validation import validated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..secrets import Store


@dataclass(frozen=True)
class Node:
    """One Proxmox host: its hardware; its resources are the site's with `ref.host` of this name."""

    name: str
    hardware: Hardware
    tree: Tree


@dataclass(frozen=True)
class Site:
    """Everything the files say."""

    folder: Path
    head: SiteHead
    nodes: dict[str, Node]
    guests: dict[str, Guest]
    inventory: inventory.Inventory
    resources: dict[Ref, Kind]
    """All resources, each after what it needs."""
    needs: dict[Ref, tuple[Ref, ...]]
    """What each resource needs, in the same order."""
    places: dict[Ref, Tree] = field(repr=False)
    warnings: tuple[Problem, ...] = ()

    def of_host(self, host: str) -> list[Ref]:
        """Return the refs of one host, in order."""
        return [ref for ref in self.resources if ref.host == host]

    def place(self, ref: Ref, *path: str | int) -> Where:
        """Return where a resource, or a field of it, is declared."""
        return self.places[ref].place(*path)

    @property
    def hosts(self) -> list[str]:
        """The names of all nodes and guests."""
        return [*self.nodes, *self.guests]

    def node_of(self, host: str) -> str:
        """Return the node a host is or lives on."""
        return self.guests[host].node if host in self.guests else host

    def only_to_make(self, ref: Ref) -> frozenset[Ref]:
        """Return what a resource needs no longer once it is there."""
        resource = self.resources[ref]
        wanted = {(want.topic, want.key) for want in resource.consumes() if want.making}
        given = (given for topic, _ in wanted for given in resource.given(topic))
        return frozenset(one.ref for one in given if one.ref and (one.topic, one.key) in wanted)

    def of_guest(self, name: str) -> list[Ref]:
        """Return the refs about a guest and inside it, in order."""
        return [ref for ref in self.resources if (found := self.guest_of(ref)) and found.name == name]

    def guest_of(self, ref: Ref) -> Guest | None:
        """Return the guest a resource is about or inside of."""
        if ref.host in self.guests:
            return self.guests[ref.host]
        return self._by_vmid.get((ref.host, ref.name)) if registry.kind(ref.kind).scope == "guest" else None

    @cached_property
    def _by_vmid(self) -> dict[tuple[str, str], Guest]:
        return {(guest.node, guest.vmid): guest for guest in self.guests.values()}


def load_settings(folder: Path) -> SiteHead:
    """Read configs/site.yaml alone. Raises InputError."""
    problems: list[Problem] = []
    head, _ = _head(folder, problems)
    if problems or head is None:
        raise InputError(problems)
    return head


def load(folder: Path, store: Store | None = None) -> Site:
    """Read a site and everything in it. Raises InputError with every problem found.

    `store` is where `!secret NAME` gets its values from, when they are needed at all.
    """
    problems: list[Problem] = []
    head, defaults = _head(folder, problems)
    reach = inventory.read_inventory(folder, problems)
    profiles = trees(folder, "profiles", problems, store)
    own, files = (trees(folder, part, problems, store) for part in ("nodes", "guests"))
    profiles_in_their_place(defaults, profiles, [*own.values(), *files.values()], problems)
    nodes = {
        name: _node(name, layered(f"node `{name}`", tree, defaults.nodes, profiles, problems), problems)
        for name, tree in own.items()
    }
    merged = {
        stem: layered(f"guest `{stem}`", tree, defaults.guests, profiles, problems)
        for stem, tree in files.items()
    }
    guests = guests_of(merged, nodes, problems)
    declared = _Declared(problems)
    for node in nodes.values():
        declared.add(node.name, node.tree, NodeHead.model_fields)
    for guest in guests.values():
        declared.add(guest.name, guest.tree, GuestHead.model_fields, guest)
        declared.leave_out_what_goes_with(guest)
    inventory.same_nodes(reach, folder, {name: node.tree for name, node in nodes.items()}, problems)
    if head is None or any(not problem.warning for problem in problems):
        raise InputError(problems)
    needs, ordered = connect(
        declared.resources, declared.places, problems, _around(nodes, guests, declared.resources, reach)
    )
    in_order = {ref: declared.resources[ref] for ref in ordered}
    in_need = {ref: needs[ref] for ref in ordered}
    site = Site(folder, head, nodes, guests, reach, in_order, in_need, declared.places)
    problems += rules.check(site)
    if any(not problem.warning for problem in problems):
        raise InputError(problems)
    return replace(site, warnings=tuple(problems))


class _Declared:
    """The resources found so far, and where they stand."""

    def __init__(self, problems: list[Problem]) -> None:
        self.resources: dict[Ref, Kind] = {}
        self.places: dict[Ref, Tree] = {}
        self._problems = problems

    def add(self, host: str, tree: Tree, head: Collection[str], guest: Guest | None = None) -> None:
        """Add what a node's or guest's merged file declares."""
        for key, name, settings in sections(tree, head, self._problems):
            kind = registry.kind(key)
            if kind.scope == ("guest" if guest is None else "node"):
                about, whose = ("a guest", "a node") if guest is None else ("a node", "a guest")
                where = {
                    "a guest": "configs/guests/<vmid>-<name>.yaml",
                    "a node": "configs/nodes/<node>.yaml",
                }
                hint = f"it is about {about}: write it in {where[about]}"
                self._problems.append(Problem(f"`{key}` does not belong to {whose}", settings.key, hint))
                continue
            ref = guest.ref(key) if guest and kind.scope == "guest" else Ref(host, key, name or host)
            self.places[ref] = settings
            if "name" in settings.value:
                hint = "a resource's name is the key that holds its settings"
                place = settings.place("name")
                self._problems.append(Problem(f"{ref}: unknown key `name`", place, hint))
            plain = {**settings.plain(), "name": ref.name}
            resource = validated(kind, plain, settings, str(ref), self._problems)
            if resource is not None:
                self.resources[ref] = resource

    def leave_out_what_goes_with(self, guest: Guest) -> None:
        """Of a guest that is declared absent nothing else is wanted, and nothing in it is looked at."""
        own = [ref for ref in self.resources if ref == guest.ref(ref.kind)]
        if all(self.resources[ref].present for ref in own if self.resources[ref].inhabited):
            return
        about = [ref for ref in own if not self.resources[ref].inhabited]
        inside = [ref for ref in self.resources if ref.host == guest.name]
        for ref in [*about, *inside]:
            del self.resources[ref]


def _around(
    nodes: Mapping[str, Node],
    guests: Mapping[str, Guest],
    resources: Mapping[Ref, Kind],
    reach: inventory.Inventory,
) -> Surroundings:
    facts: dict[str, dict[tuple[str, str], Any]] = {
        name: {("gpu", gpu): found for gpu, found in _gpus(node)} for name, node in nodes.items()
    }
    own = {guest.vmid: facts_of(guest, resources) for guest in guests.values()}
    network = network_of(reach, own.values(), resources)
    for name in nodes:
        facts[name][FACT] = network
    for guest in guests.values():
        facts[guest.node]["guest", guest.name] = own[guest.vmid]
    about = {ref: own[ref.name] for ref in resources if registry.kind(ref.kind).scope == "guest"}
    return Surroundings({name: guest.node for name, guest in guests.items()}, about, facts)


def _gpus(node: Node) -> list[tuple[str, dict[str, Any]]]:
    """The node's cards; the driver numbers them in the order of their PCI addresses."""
    in_order = sorted(node.hardware.gpus.items(), key=lambda pair: pair[1].pci)
    return [
        (name, {"pci": gpu.pci, "minor": n, "memory": gpu.memory}) for n, (name, gpu) in enumerate(in_order)
    ]


class _Defaults(NamedTuple):
    nodes: Tree
    guests: Tree


def _head(folder: Path, problems: list[Problem]) -> tuple[SiteHead | None, _Defaults]:
    path = folder / "configs" / "site.yaml"
    if not path.is_file():
        problems.append(
            Problem(
                f"{folder} is not a site: it has no configs/site.yaml",
                hint="go to the site's folder, name it with --site, or make one with `phoenix init`",
            )
        )
        raise InputError(problems)
    tree = read(path, "configs/site.yaml", problems)
    if tree is None:
        nothing = Tree({}, Where("configs/site.yaml", 1, 1))
        return None, _Defaults(nothing, nothing)
    head = validated(SiteHead, tree.plain(), tree, "", problems)
    nothing = Tree({}, tree.where)
    return head, _Defaults(tree.below("defaults") or nothing, tree.below("guest_defaults") or nothing)


def _node(name: str, tree: Tree, problems: list[Problem]) -> Node:
    head = {key: below for key, below in tree.value.items() if key in NodeHead.model_fields}
    plain = {key: below.plain() for key, below in head.items()}
    validated_head = validated(NodeHead, plain, Tree(head, tree.where), "", problems)
    return Node(name, validated_head.hardware if validated_head else Hardware(), tree)
