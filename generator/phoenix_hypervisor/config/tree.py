"""Text as trees whose every value knows its place: file, line, column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import Problem, Where

Path = tuple[str | int, ...]
"""Keys and indices, from the root down."""
DEEPEST = 50
"""How many levels a file may nest. No section needs ten; what is deeper holds itself, or is no config."""


@dataclass(frozen=True)
class Tree:
    """A value and its place; `key` is where the key that holds it stands."""

    value: Any
    """dict[str, Tree], list[Tree], a scalar, or a Secret."""
    where: Where
    key: Where | None = None

    def plain(self) -> Any:
        """Return the value as ordinary dicts and lists."""
        if isinstance(self.value, dict):
            return {key: tree.plain() for key, tree in self.value.items()}
        if isinstance(self.value, list):
            return [tree.plain() for tree in self.value]
        return self.value

    def place(self, *path: str | int) -> Where:
        """Return the place of what lies at `path`: its key's, as far down as the path exists."""
        tree = self
        for part in path:
            below = tree.below(part)
            if below is None:
                break
            tree = below
        return tree.key or tree.where

    def below(self, part: str | int) -> Tree | None:
        """Return the child of that key or index, or None."""
        if isinstance(self.value, dict):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            found: Tree = self.value[part]
            return found
        return None


def twice(key: str, place: Where, first: Where | None) -> Problem:
    """Return the problem of a key that a mapping holds already."""
    line = first.line if first else "?"
    return Problem(f"`{key}` stands here twice", place, f"the first is at line {line}", "V-44")


def merge(base: Tree, over: Tree) -> Tree:
    """Lay `over` on `base`: mappings merge key by key, anything else replaces. Places stay as they were."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, tree in over.value.items():
        merged[key] = merge(merged[key], tree) if key in merged else tree
    return Tree(merged, over.where, over.key)


def leaves(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Yield every leaf: a scalar, or a mapping or list with nothing in it."""
    below = _below(tree)
    if not below:
        yield path, tree
    for key, part in below:
        yield from leaves(part, (*path, key))


def _below(tree: Tree) -> list[tuple[str | int, Tree]]:
    if isinstance(tree.value, dict):
        return [*tree.value.items()]
    return [*enumerate(tree.value)] if isinstance(tree.value, list) else []
