"""A site: the directory with configs/ and inventory/, read as a whole.

Merge order for a node: `defaults` of site.yaml → the profiles the node names, in order → the node's
own file. In every section the settings under the name `*` are laid under each other name's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import registry
from ..errors import InputError, Problem, Where, did_you_mean
from ..resource import Kind, Ref
from . import inventory, rules
from .edges import connect
from .files import read
from .model import Hardware, NodeHead, SiteHead
from .tree import Tree, merge
from .validation import validated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..secrets import Store

EVERY = "*"


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
    profiles = _trees(folder, "profiles", problems, store)
    own = _trees(folder, "nodes", problems, store)
    _profiles_in_their_place(defaults, profiles, own, problems)
    _refuse_guests(folder, problems)
    nodes, resources, places = {}, {}, {}
    for name, tree in own.items():
        node = _node(name, _layers(name, tree, defaults, profiles, problems), problems)
        nodes[name] = node
        for ref, settings in _sections(node, problems):
            places[ref] = settings
            if "name" in settings.value:
                hint = "a resource's name is the key that holds its settings"
                problems.append(Problem(f"{ref}: unknown key `name`", settings.place("name"), hint))
            kind = registry.kind(ref.kind)
            resource = validated(kind, {**settings.plain(), "name": ref.name}, settings, str(ref), problems)
            if resource is not None:
                resources[ref] = resource
    inventory.same_nodes(reach, folder, {name: node.tree for name, node in nodes.items()}, problems)
    if head is None or any(not problem.warning for problem in problems):
        raise InputError(problems)
    needs, ordered = connect(resources, places, problems)
    in_order = {ref: resources[ref] for ref in ordered}
    site = Site(folder, head, nodes, reach, in_order, {ref: needs[ref] for ref in ordered}, places)
    problems += rules.check(site)
    if any(not problem.warning for problem in problems):
        raise InputError(problems)
    return Site(**{**site.__dict__, "warnings": tuple(problems)})


def _head(folder: Path, problems: list[Problem]) -> tuple[SiteHead | None, Tree]:
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
        return None, Tree({}, Where("configs/site.yaml", 1, 1))
    head = validated(SiteHead, tree.plain(), tree, "", problems)
    return head, tree.below("defaults") or Tree({}, tree.where)


def _trees(folder: Path, part: str, problems: list[Problem], store: Store | None) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for path in sorted((folder / "configs" / part).glob("[!.]*")):
        if path.suffix not in (".yaml", ".json"):
            problems.append(
                Problem(
                    "neither .yaml nor .json: it would be ignored",
                    Where(f"configs/{part}/{path.name}", 1, 1),
                    "rename it, or move it out of configs/",
                )
            )
            continue
        if path.stem in found:
            problems.append(
                Problem(
                    f"`{path.stem}` is there twice, as .yaml and .json",
                    Where(f"configs/{part}/{path.name}", 1, 1),
                )
            )
        tree = read(path, f"configs/{part}/{path.name}", problems, store)
        if tree is not None and isinstance(tree.value, dict):
            found[path.stem] = tree
        elif tree is not None:
            problems.append(Problem("the file must hold sections, `name:` with settings below", tree.where))
    return found


def _profiles_in_their_place(
    defaults: Tree, profiles: dict[str, Tree], nodes: dict[str, Tree], problems: list[Problem]
) -> None:
    """Only a node's own file names profiles, and one that no node names does nothing."""
    for tree in (defaults, *profiles.values()):
        below = tree.below("profiles")
        if below is not None:
            hint = "a profile and the defaults cannot name further ones"
            problems.append(Problem("`profiles` belongs into a node's own file", below.key, hint))
    lists = [below.value for tree in nodes.values() if (below := tree.below("profiles")) is not None]
    named = [profile.value for found in lists if isinstance(found, list) for profile in found]
    if any(not problem.warning for problem in problems):
        return  # a node's file that could not be read may well name it
    for name, tree in profiles.items():
        if name not in named:
            problems.append(Problem(f"no node names the profile `{name}`", tree.where, warning=True))


def _refuse_guests(folder: Path, problems: list[Problem]) -> None:
    for path in sorted((folder / "configs" / "guests").glob("[!.]*")):
        place = Where(f"configs/guests/{path.name}", 1, 1)
        problems.append(
            Problem("guests are not managed by this version", place, "move the file out of configs/")
        )


def _layers(
    name: str, tree: Tree, defaults: Tree, profiles: dict[str, Tree], problems: list[Problem]
) -> Tree:
    merged = defaults
    wanted = tree.below("profiles")
    for profile in wanted.value if wanted and isinstance(wanted.value, list) else ():
        if not isinstance(profile.value, str):
            continue  # said when the node's head is read
        if profile.value in profiles:
            merged = merge(merged, profiles[profile.value])
        else:
            hint = did_you_mean(profile.value, profiles) or "profiles are the files of configs/profiles/"
            problems.append(Problem(f"node `{name}`: no profile `{profile.value}`", profile.where, hint))
    return merge(merged, tree)


def _node(name: str, tree: Tree, problems: list[Problem]) -> Node:
    head = {key: below for key, below in tree.value.items() if key in NodeHead.model_fields}
    plain = {key: below.plain() for key, below in head.items()}
    validated_head = validated(NodeHead, plain, Tree(head, tree.where), "", problems)
    return Node(name, validated_head.hardware if validated_head else Hardware(), tree)


def _sections(node: Node, problems: list[Problem]) -> Iterator[tuple[Ref, Tree]]:
    """Yield every resource a node declares, with its settings after the section's `*` is laid under."""
    kinds = registry.homes()
    for key, section in node.tree.value.items():
        if key in NodeHead.model_fields:
            continue
        if key not in kinds:
            hint = did_you_mean(key, [*kinds, *NodeHead.model_fields])
            problems.append(
                Problem(
                    f"unknown key `{key}`", section.key, hint or f"sections are kinds: {', '.join(kinds)}"
                )
            )
        elif not isinstance(section.value, dict):
            problems.append(Problem(f"`{key}` must hold settings", section.key))
        elif registry.kind(key).singleton:
            settings = Tree(_without_nulls(section.value), section.where, section.key)
            yield Ref(node.name, key, node.name), settings
        else:
            yield from _named(node.name, key, section, problems)


def _named(host: str, kind: str, section: Tree, problems: list[Problem]) -> Iterator[tuple[Ref, Tree]]:
    shared = section.value.get(EVERY, Tree({}, section.where))
    if not isinstance(shared.value, dict | None):
        problems.append(Problem(f"`{EVERY}` must hold settings", shared.key))
    shared = _known_only(kind, shared, problems)
    for name, settings in section.value.items():
        if name == EVERY:
            continue
        own = Tree({}, settings.where, settings.key) if settings.value is None else settings
        if not isinstance(own.value, dict):
            problems.append(Problem(f"`{name}` must hold settings", settings.key))
            continue
        merged = merge(shared, own)
        yield Ref(host, kind, name), Tree(_without_nulls(merged.value), own.where, own.key)


def _known_only(kind: str, shared: Tree, problems: list[Problem]) -> Tree:
    """Take what a kind does not know out of shared settings: it is wrong once, not once for each name."""
    if not isinstance(shared.value, dict):
        return shared
    fields = [field for field in registry.kind(kind).model_fields if field != "name"]
    for key, tree in shared.value.items():
        if key not in fields:
            problems.append(
                Problem(f"{kind}:{EVERY}: unknown key `{key}`", tree.key, did_you_mean(key, fields))
            )
    return Tree({key: tree for key, tree in shared.value.items() if key in fields}, shared.where, shared.key)


def _without_nulls(settings: dict[str, Any]) -> dict[str, Any]:
    """A key set to nothing takes back what a lower layer said."""
    return {key: tree for key, tree in settings.items() if tree.value is not None}
