"""The rule that secrets are references (V-40), and what is allowed against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Problem, did_you_mean
from ...secrets import Secret
from ..literals import assigned, is_secret
from ..tree import Tree, leaves

if TYPE_CHECKING:
    from ...resource import Ref
    from ..site import Site


def check(site: Site) -> Iterator[Problem]:
    """Yield what this rule finds. No message repeats a value."""
    allowed = set(site.head.allow.literals)
    seen: set[int] = set()
    yield from _for_nobody(site)
    for ref, tree in site.places.items():
        if not allowed & {str(ref), ref.full}:
            yield from _in(ref, tree, seen)


def _for_nobody(site: Site) -> Iterator[Problem]:
    """What is allowed in writing is allowed to somebody (V-39)."""
    known = {name for ref in site.resources for name in (str(ref), ref.full)}
    for number, name in enumerate(site.head.allow.literals):
        if name not in known:
            place = site.head_tree.place("allow", "literals", number)
            hint = did_you_mean(name, known) or "take it out"
            yield Problem(f"`allow.literals`: there is no `{name}`", place, hint, "V-39", warning=True)


def _in(ref: Ref, tree: Tree, seen: set[int]) -> Iterator[Problem]:
    """`seen`: leaves of profiles that were looked at for another host already."""
    for path, leaf in leaves(tree):
        if id(leaf) in seen or isinstance(leaf.value, Secret):
            continue
        seen.add(id(leaf))
        if is_secret(tree, path, leaf.value):
            yield _problem(f"{ref}: a secret stands here in plain text", leaf)
        elif isinstance(leaf.value, str) and next(assigned(leaf.value), None) is not None:
            yield _problem(f"{ref}: this text gives a password, token or key its value in plain text", leaf)


def _problem(said: str, leaf: Tree) -> Problem:
    hint = (
        "`!secret NAME`, and `phoenix secrets set NAME`; what stood here was read: change it. If it is none: "
        "`allow: {literals: [KIND:NAME]}` in configs/site.yaml"
    )
    return Problem(said, leaf.where, hint, "V-40")
