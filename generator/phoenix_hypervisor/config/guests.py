"""configs/guests/: one file a guest, `<vmid>-<name>.yaml`. The file's name is where both are said, once."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .. import registry
from ..errors import Problem, did_you_mean
from ..resource import Ref
from .model import GuestHead
from .tree import Tree
from .validation import validated

FILE = re.compile(r"([1-9][0-9]{2,8})-([a-z0-9]([a-z0-9-]*[a-z0-9])?)")
"""Proxmox's VMIDs begin at 100 and have at most nine digits (PVE::JSONSchema, pve-vmid)."""


@dataclass(frozen=True)
class Guest:
    """A container or virtual machine: a host of its own, reached through its node."""

    name: str
    vmid: str
    node: str
    tree: Tree

    @property
    def entered(self) -> str:
        """How its node gets inside: what its kind says of itself."""
        kinds = (registry.kind(name) for name in registry.homes() if name in self.tree.value)
        return next((kind.entered for kind in kinds if kind.inhabited), "attach")

    def ref(self, kind: str) -> Ref:
        """Return the ref of one of its sections of scope `guest`: it lives on the node."""
        return Ref(self.node, kind, self.vmid)


def guests_of(files: Mapping[str, Tree], nodes: Collection[str], problems: list[Problem]) -> dict[str, Guest]:
    """Return the guests by name; `files` are the merged contents by file stem. Notes what is wrong."""
    found: dict[str, Guest] = {}
    vmids: dict[str, str] = {}
    for stem, tree in files.items():
        named = FILE.fullmatch(stem)
        if named is None:
            hint = "like 950-vllm-chat.yaml: a VMID from 100 on, then small letters, digits and `-`"
            problems.append(Problem(f"`{stem}` is no guest's name", tree.where, hint, "V-47"))
            continue
        vmid, name = named[1], named[2]
        if vmid in vmids:
            problems.append(
                Problem(f"VMID {vmid} is taken by the guest `{vmids[vmid]}`", tree.where, rule="V-02")
            )
        if name in found or name in nodes:
            what = "guest" if name in found else "node"
            said = f"there is another {what} named `{name}`"
            problems.append(Problem(said, tree.where, "a name is one host's", "V-02"))
        vmids[vmid] = name
        node = _node_of(tree, nodes, problems)
        if node is not None:
            found[name] = Guest(name, vmid, node, tree)
            _one_guest_in_it(found[name], problems)
    return found


def _node_of(tree: Tree, nodes: Collection[str], problems: list[Problem]) -> str | None:
    below = {key: tree.value[key] for key in GuestHead.model_fields if key in tree.value}
    plain = {key: part.plain() for key, part in below.items()}
    head = validated(GuestHead, plain, Tree(below, tree.where), "", problems)
    if head is None:
        return None
    if head.node is None and len(nodes) == 1:
        return next(iter(nodes))
    if head.node is None:
        hint = f"`node: {next(iter(nodes), 'NAME')}`, here or in `guest_defaults` of site.yaml"
        problems.append(Problem("`node` is missing: which node it lives on", tree.where, hint))
    elif head.node not in nodes:
        problems.append(Problem(f"no node `{head.node}`", tree.place("node"), did_you_mean(head.node, nodes)))
        return None
    return head.node


def _one_guest_in_it(guest: Guest, problems: list[Problem]) -> None:
    """A guest's file says what the guest is, once."""
    kinds = [kind for kind in registry.homes() if registry.kind(kind).inhabited]
    there = [kind for kind in kinds if kind in guest.tree.value]
    if len(there) == 1:
        return
    which = " or ".join(f"`{kind}`" for kind in kinds)
    said = f"has both {' and '.join(there)}" if there else f"has no section {which}: what kind of guest it is"
    rule = "V-44" if there else ""
    problems.append(Problem(f"guest `{guest.name}` {said}", guest.tree.where, rule=rule))
