"""A site: the directory with configs/ and inventory/, read as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import registry
from ..errors import InputError, Problem, Where
from ..firewall.ports import FACT
from ..resource import GuestFacts, Kind, Ref
from . import inventory, rules
from .declared import Declared
from .edges import Surroundings, connect
from .files import read
from .graphics import facts_of_cards
from .guests import Guest, guests_of
from .layers import layered, profiles_in_their_place, trees
from .model import GuestHead, Hardware, NodeHead, SiteHead
from .network import INTERFACES, interfaces_of, network_of
from .tree import Tree
from .validation import validated

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    after: dict[Ref, tuple[Ref, ...]]
    """What a resource does not need, and waits for while it may still become right; most have nothing."""
    places: dict[Ref, Tree] = field(repr=False)
    facts: Mapping[str, GuestFacts] = field(default_factory=dict, repr=False)
    """Guest → what the files say of it."""
    warnings: tuple[Problem, ...] = ()
    head_tree: Tree = field(default=Tree({}, Where("configs/site.yaml", 1, 1)), repr=False)
    """configs/site.yaml, for places in it."""

    def of_host(self, host: str) -> list[Ref]:
        """Return the refs of one host, in order."""
        return list(self._by_host.get(host, ()))

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

    def made_from(self, name: str) -> list[str]:
        """Return the layers that a guest is cloned from, its parent first; whose files it took over."""
        found: list[str] = []
        while name in self.guests and name not in found[1:]:
            found.append(name)
            own = (self.resources[ref] for ref in self.of_guest(name))
            name = str(getattr(next((kind for kind in own if kind.inhabited), None), "clone", None))
        return found[1:]

    def only_to_make(self, ref: Ref) -> frozenset[Ref]:
        """Return what a resource needs no longer once it is there."""
        resource = self.resources[ref]
        wanted = {(want.topic, want.key) for want in resource.consumes() if want.making}
        given = (given for topic, _ in wanted for given in resource.given(topic))
        return frozenset(one.ref for one in given if one.ref and (one.topic, one.key) in wanted)

    def of_guest(self, name: str) -> list[Ref]:
        """Return the refs about a guest and inside it, in order."""
        return list(self._by_guest.get(name, ()))

    def guest_of(self, ref: Ref) -> Guest | None:
        """Return the guest a resource is about or inside of."""
        if ref.host in self.guests:
            return self.guests[ref.host]
        return self._by_vmid.get((ref.host, ref.name)) if registry.kind(ref.kind).scope == "guest" else None

    @cached_property
    def _by_host(self) -> dict[str, list[Ref]]:
        found: dict[str, list[Ref]] = {}
        for ref in self.resources:
            found.setdefault(ref.host, []).append(ref)
        return found

    @cached_property
    def _by_guest(self) -> dict[str, list[Ref]]:
        found: dict[str, list[Ref]] = {}
        for ref in self.resources:
            if guest := self.guest_of(ref):
                found.setdefault(guest.name, []).append(ref)
        return found

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
    declared = Declared(problems)
    for node in nodes.values():
        declared.add(node.name, node.tree, NodeHead.model_fields)
    for guest in guests.values():
        declared.add(guest.name, guest.tree, GuestHead.model_fields, guest)
        declared.leave_out_what_goes_with(guest)
    inventory.same_nodes(reach, folder, {name: node.tree for name, node in nodes.items()}, guests, problems)
    if head is None or any(not problem.warning for problem in problems):
        raise InputError(problems)
    facts = {
        name: declared.facts_of(guest)._replace(ssh=reach.ssh_of(name)) for name, guest in guests.items()
    }
    around = _around(nodes, guests, facts, declared.resources, reach)
    edges = connect(declared.resources, declared.places, problems, around)
    in_order = {ref: declared.resources[ref] for ref in edges.ordered}
    in_need = {ref: edges.needs[ref] for ref in edges.ordered}
    site = Site(folder, head, nodes, guests, reach, in_order, in_need, edges.after, declared.places, facts)
    site = replace(site, head_tree=defaults.head)
    problems += rules.check(site)
    if any(not problem.warning for problem in problems):
        raise InputError(problems)
    return replace(site, warnings=tuple(problems))


def _around(
    nodes: Mapping[str, Node],
    guests: Mapping[str, Guest],
    said: Mapping[str, GuestFacts],
    resources: Mapping[Ref, Kind],
    reach: inventory.Inventory,
) -> Surroundings:
    facts: dict[str, dict[tuple[str, str], Any]] = {
        name: facts_of_cards(name, node.hardware, resources) for name, node in nodes.items()
    }
    network = network_of(reach, said.values(), resources)
    for name in nodes:
        facts[name][FACT] = network
        facts[name][INTERFACES] = interfaces_of(name, resources)
    for guest in guests.values():
        facts[guest.node]["guest", guest.name] = said[guest.name]
    by_vmid = {one.vmid: one for one in said.values()}
    about = {ref: by_vmid[ref.name] for ref in resources if registry.kind(ref.kind).scope == "guest"}
    return Surroundings({name: guest.node for name, guest in guests.items()}, about, facts)


class _Defaults(NamedTuple):
    nodes: Tree
    guests: Tree
    head: Tree
    """The whole file."""


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
        return None, _Defaults(nothing, nothing, nothing)
    head = validated(SiteHead, tree.plain(), tree, "", problems)
    nothing = Tree({}, tree.where)
    nodes, guests = tree.below("defaults"), tree.below("guest_defaults")
    return head, _Defaults(nodes or nothing, guests or nothing, tree)


def _node(name: str, tree: Tree, problems: list[Problem]) -> Node:
    head = {key: below for key, below in tree.value.items() if key in NodeHead.model_fields}
    plain = {key: below.plain() for key, below in head.items()}
    validated_head = validated(NodeHead, plain, Tree(head, tree.where), "", problems)
    return Node(name, validated_head.hardware if validated_head else Hardware(), tree)
