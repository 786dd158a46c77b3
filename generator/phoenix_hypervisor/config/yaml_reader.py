"""YAML text as trees, read by ruamel.yaml: 1.2, in which `on`, `off` and `yes` are words, not booleans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ..errors import Problem, Where, did_you_mean
from ..secrets import Secret, Store
from ..secretstore.settings import NAME_RULE, is_name
from .tree import DEEPEST, Tree, twice

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_HINTS = {
    "cannot start any token": "YAML does not allow tabs for indentation",
    "found unexpected ':'": "inside brackets, put what has a colon in it in quotes: an address, a URL",
}
"""What a person may not know: words of the parser's message → what to do."""
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = frozenset({"str", "int", "float", "bool", "null", "timestamp"})


def read_yaml(
    text: str, shown: str, problems: list[Problem], store: Store | None, files: Path | None = None
) -> Tree | None:
    """Read YAML text; `shown` is the file's name in places. Returns None when it is not YAML.

    `files` is the folder of what `!file NAME` names; None where nothing may be named.
    """
    try:
        # compose() keeps one parser per YAML instance: not shared, so that loading may be parallel
        node = YAML(typ="safe", plug_ins=[]).compose(text)
    except MarkedYAMLError as error:
        problems.append(_syntax(error, shown))
        return None
    except (YAMLError, ValueError) as error:
        problems.append(Problem(f"not readable as YAML: {str(error).splitlines()[0]}", Where(shown, 1, 1)))
        return None
    tree = _Reader(shown, problems, store, files).tree(node) if node is not None else None
    return Tree({}, Where(shown, 1, 1)) if tree is None or tree.value is None else tree


def _syntax(error: MarkedYAMLError, shown: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Where(shown, mark.line + 1, mark.column + 1) if mark else Where(shown, 1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    hints = (hint for sign, hint in _HINTS.items() if sign in said)
    return Problem(f"not readable as YAML: {said}", where, next(hints, ""))


class _Reader:
    """Turns the nodes of one file into trees."""

    def __init__(self, shown: str, problems: list[Problem], store: Store | None, files: Path | None) -> None:
        self._shown = shown
        self._problems = problems
        self._store = store
        self._files = files
        self._scalars = YAML(typ="safe", plug_ins=[]).constructor
        self._depth = 0

    def tree(self, node: Node, key: Where | None = None) -> Tree:
        self._depth += 1
        try:
            return Tree(self._value(node), self._where(node), key)
        finally:
            self._depth -= 1

    def _value(self, node: Node) -> Any:
        where = self._where(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node, where)
        if str(node.tag) not in (f"{_STANDARD}map", f"{_STANDARD}seq"):
            self._unknown_tag(node, where)
        elif self._depth > DEEPEST:
            self._problems.append(Problem(f"nested deeper than {DEEPEST} levels", where))
        elif isinstance(node, MappingNode):
            return self._mapping(node)
        else:
            assert isinstance(node, SequenceNode)
            return [self.tree(child) for child in node.value]
        return None

    def _mapping(self, node: MappingNode) -> dict[str, Tree]:
        mapping: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            place = self._where(key_node)
            if not isinstance(key_node, ScalarNode):
                self._problems.append(Problem("a key must be a plain word", place, rule="V-05"))
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
                self._problems.append(twice(key, place, mapping[key].key))
            else:
                mapping[key] = self.tree(value_node, place)
        return mapping

    def _scalar(self, node: ScalarNode, where: Where) -> Any:
        tag = str(node.tag)
        sort = tag.removeprefix(_STANDARD)
        if tag == "!secret":
            if not is_name(str(node.value)):
                self._problems.append(Problem("`!secret` takes the name of a secret", where, NAME_RULE))
            return Secret(str(node.value), self._store)
        if tag == "!file":
            return self._text_of(str(node.value), where)
        if sort == tag or sort not in _SCALARS:
            return self._unknown_tag(node, where)
        if sort in ("str", "timestamp"):
            return str(node.value)  # dates and the like stay the text they were written as
        try:
            return self._scalars.construct_object(node, deep=True)
        except (ValueError, KeyError):
            self._problems.append(Problem(f"not readable as {_shown_tag(tag)}", where))
            return None

    def _text_of(self, name: str, where: Where) -> str:
        """The text of a file in configs/files/: what is too long, or too odd, to stand here itself."""
        if self._files is None:
            self._problems.append(Problem("`!file` belongs into the files of configs/", where))
            return ""
        there = (path for path in sorted(self._files.rglob("*")) if path.is_file())
        known = {path.relative_to(self._files).as_posix(): path for path in there}
        if name not in known:
            hint = did_you_mean(name, known) or "the files are those of configs/files/"
            self._problems.append(Problem(f"no file `{name}`", where, hint, "V-09"))
            return ""
        try:
            return known[name].read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
            self._problems.append(Problem(f"cannot read `{name}`: {reason}", where))
            return ""

    def _unknown_tag(self, node: Node, where: Where) -> None:
        tag = _shown_tag(str(node.tag))
        self._problems.append(
            Problem(f"unknown tag `{tag}`", where, "the tags are `!secret NAME` and `!file NAME`")
        )

    def _where(self, node: Node) -> Where:
        return Where(self._shown, node.start_mark.line + 1, node.start_mark.column + 1)


def _shown_tag(tag: str) -> str:
    return f"!!{tag.removeprefix(_STANDARD)}" if tag.startswith(_STANDARD) else tag
