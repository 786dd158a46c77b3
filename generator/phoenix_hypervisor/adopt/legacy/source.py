"""The predecessor's files as trees whose every leaf has a place, and without any secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...config.literals import is_secret
from ...config.tree import Path, Tree, leaves
from ...secrets import Secret

HYPERVISOR, CONTAINERS, MACHINES, STACKS = "hypervisor", "containers", "machines", "stacks"
_MARKS = {
    "lxc_configs": CONTAINERS,
    "vms": MACHINES,
    "docker_stacks": STACKS,
    **dict.fromkeys(("zfs", "users", "core_paths", "proxmox_storage_ids", "nfs", "samba"), HYPERVISOR),
}
"""A key of a file's root → what the file is. The order decides where a file has several."""
_SHORTEST = 6
"""Shorter values of secrets are not looked for in other texts: `admin` is in many."""


@dataclass(frozen=True)
class File:
    """One file of the predecessor's."""

    name: str
    sort: str
    """HYPERVISOR, CONTAINERS, MACHINES, STACKS, or empty when nothing is known of it."""
    tree: Tree


def sort_of(tree: Tree) -> str:
    """Say what a file is, by the keys of its root."""
    keys = tree.value if isinstance(tree.value, dict) else {}
    return next((sort for key, sort in _MARKS.items() if key in keys), "")


def spelled(path: Path) -> str:
    """Return a path as jq takes it, without its first dot."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_$-]+", part):
            text += f".{part}"
        else:
            text += '."' + part.encode("unicode_escape").decode().replace('"', '\\"') + '"'
    return text.removeprefix(".")


def concealed(trees: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return the trees with a reference in the place of every literal secret; its value is nowhere else."""
    named: dict[tuple[str, Path], str] = {}
    values: dict[str, str] = {}
    for file, tree in trees.items():
        for path, leaf in leaves(tree):
            if is_secret(tree, path, leaf.value):
                name = values.get(str(leaf.value)) or _name(path, tree, named.values())
                named[file, path] = name
                values[str(leaf.value)] = name
    sought = {value: name for value, name in values.items() if len(value) >= _SHORTEST}
    return {file: _without(tree, file, (), named, sought) for file, tree in trees.items()}


def _name(path: Path, root: Tree, taken: Iterable[str]) -> str:
    words = [re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") for part in path]
    if path and path[-1] == "value":
        around: Tree | None = root
        for part in path[:-1]:
            around = around.below(part) if around else None
        name = around.below("name") if around else None
        said = str(name.value).lower() if name and isinstance(name.value, str) else ""
        words = [*words[:-3], re.sub(r"[^a-z0-9]+", "-", said).strip("-") or "value"]
    text = "/".join(word[:40] for word in [word for word in words if word][-3:]) or "secret"
    names, number, found = {*taken}, 2, text
    while found in names:
        found, number = f"{text}-{number}", number + 1
    return found


def _without(
    tree: Tree, file: str, path: Path, named: Mapping[tuple[str, Path], str], sought: Mapping[str, str]
) -> Tree:
    if isinstance(tree.value, dict):
        below = {key: _without(part, file, (*path, key), named, sought) for key, part in tree.value.items()}
        return Tree(below, tree.where, tree.key)
    if isinstance(tree.value, list):
        listed = [_without(part, file, (*path, at), named, sought) for at, part in enumerate(tree.value)]
        return Tree(listed, tree.where, tree.key)
    name = named.get((file, path))
    if name is None and isinstance(tree.value, str):
        name = next((sought[value] for value in sought if value in tree.value), None)
    return tree if name is None else Tree(Secret(name), tree.where, tree.key)
