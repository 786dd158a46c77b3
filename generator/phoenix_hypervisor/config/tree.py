"""Text files as trees whose every value knows its place: file, line, column.

YAML is read by ruamel.yaml (1.2: `on`, `off`, `yes` are words, not booleans), `.json` by the JSON
reader, because some JSON is not YAML. All problems of a file are collected, none raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ..errors import Problem, Where
from ..secrets import Secret, Store

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node


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


def read(path: Path, shown: str, problems: list[Problem], store: Store | None = None) -> Tree | None:
    """Read one file; `shown` is the name used in places. Returns None when it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        problems.append(Problem(f"cannot read the file: {reason}", Where(shown, 1, 1)))
        return None
    try:
        # compose() keeps one parser per YAML instance: not shared, so that loading may be parallel
        node = YAML(typ="safe").compose(text)
    except MarkedYAMLError as error:
        problems.append(_syntax(error, shown))
        return None
    except (YAMLError, ValueError) as error:
        problems.append(Problem(f"not readable as YAML: {str(error).splitlines()[0]}", Where(shown, 1, 1)))
        return None
    if node is None:
        return Tree({}, Where(shown, 1, 1))
    tree = _Reader(shown, problems, store).tree(node)
    return _json_values(tree, text, shown, problems) if path.suffix == ".json" else tree


def _syntax(error: MarkedYAMLError, shown: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Where(shown, mark.line + 1, mark.column + 1) if mark else Where(shown, 1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "YAML does not allow tabs for indentation" if "cannot start any token" in said else ""
    return Problem(f"not readable as YAML: {said}", where, hint)


class _Reader:
    """Turns the nodes of one file into trees."""

    def __init__(self, shown: str, problems: list[Problem], store: Store | None) -> None:
        self._shown = shown
        self._problems = problems
        self._store = store
        self._scalars = YAML(typ="safe").constructor

    def tree(self, node: Node, key: Where | None = None) -> Tree:
        where = self._where(node)
        if isinstance(node, MappingNode):
            return Tree(self._mapping(node), where, key)
        if isinstance(node, SequenceNode):
            return Tree([self.tree(child) for child in node.value], where, key)
        assert isinstance(node, ScalarNode)
        return Tree(self._scalar(node, where), where, key)

    def _mapping(self, node: MappingNode) -> dict[str, Tree]:
        mapping: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            place = self._where(key_node)
            if not isinstance(key_node, ScalarNode):
                self._problems.append(Problem("a key must be a plain word", place))
                continue
            key = str(key_node.value)
            if key == "<<":
                self._problems.append(
                    Problem(
                        "`<<` is not supported",
                        place,
                        "put what is shared into a profile (configs/profiles/)",
                    )
                )
            elif key in mapping:
                first = mapping[key].key
                self._problems.append(
                    Problem(
                        f"`{key}` stands here twice",
                        place,
                        f"the first is at line {first.line if first else '?'}",
                    )
                )
            else:
                mapping[key] = self.tree(value_node, place)
        return mapping

    def _scalar(self, node: ScalarNode, where: Where) -> Any:
        tag = str(node.tag)
        if tag == "!secret":
            return Secret(str(node.value), self._store)
        if tag.startswith("!"):
            self._problems.append(Problem(f"unknown tag `{tag}`", where, "the only tag is `!secret NAME`"))
            return None
        if tag.endswith((":int", ":float", ":bool", ":null")):
            return self._scalars.construct_object(node, deep=True)
        return str(node.value)  # dates and the like stay the text they were written as

    def _where(self, node: Node) -> Where:
        return Where(self._shown, node.start_mark.line + 1, node.start_mark.column + 1)


def _json_values(tree: Tree, text: str, shown: str, problems: list[Problem]) -> Tree | None:
    """Take the places from the YAML reading and the values from the JSON reader."""
    import json

    try:
        return _zip(tree, json.loads(text))
    except json.JSONDecodeError as error:
        problems.append(
            Problem(f"not readable as JSON: {error.msg}", Where(shown, error.lineno, error.colno))
        )
        return None


def _zip(tree: Tree, value: Any) -> Tree:
    if isinstance(tree.value, dict) and isinstance(value, dict):
        return Tree({k: _zip(t, value.get(k)) for k, t in tree.value.items()}, tree.where, tree.key)
    if isinstance(tree.value, list) and isinstance(value, list):
        return Tree([_zip(t, v) for t, v in zip(tree.value, value, strict=True)], tree.where, tree.key)
    return Tree(value, tree.where, tree.key)


def merge(base: Tree, over: Tree) -> Tree:
    """Lay `over` on `base`: mappings merge key by key, anything else replaces. Places stay as they were."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, tree in over.value.items():
        merged[key] = merge(merged[key], tree) if key in merged else tree
    return Tree(merged, over.where, over.key)
