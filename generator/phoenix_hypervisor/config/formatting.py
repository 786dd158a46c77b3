"""`phoenix fmt`: the same file with its keys in their order. Lines are moved, never written anew.

So comments, quotes, and what stands on one line stay as they are; a comment above a key goes with it. The
result is read again, and is not used unless it means the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ..errors import Problem, Where
from .canonical import Shape, arranged, below
from .yaml_reader import read_yaml

_LINE = re.compile("[^\n\x85\u2028\u2029]*[\n\x85\u2028\u2029]|[^\n\x85\u2028\u2029]+$")
"""A line as YAML counts them."""
_BLANKS = " \t\n\x85\u2028\u2029"


def formatted(text: str, shown: str, shape: Shape, files: Path | None, problems: list[Problem]) -> str | None:
    """Return the text of a file as it should be; None after adding problems: then it stays as it is.

    `files` is the folder of what `!file NAME` names.
    """
    before: list[Problem] = []
    tree = read_yaml(text, shown, before, None, files)
    if tree is None or before:
        problems += before
        return None
    found = _tidy(_in_order(text, shape))
    after: list[Problem] = []
    again = read_yaml(found, shown, after, None, files)
    if again is None or after or _exactly(again.plain()) != _exactly(tree.plain()):
        said = "it cannot be put in order without a change of its meaning"
        hint = "anchors, or what stands between its keys: put it in order by hand, or leave it"
        problems.append(Problem(said, Where(shown, 1, 1), hint))
        return None
    return found


def _exactly(value: Any) -> Any:
    """A value in which 1, 1.0 and true are three things, and keys have no order."""
    if isinstance(value, dict):
        return {key: _exactly(one) for key, one in value.items()}
    return [_exactly(one) for one in value] if isinstance(value, list) else (type(value), repr(value))


def _composed(text: str) -> Node | None:
    found: Node | None = YAML(typ="safe", plug_ins=[]).compose(text)
    return found


def _in_order(text: str, shape: Shape) -> str:
    """Put one mapping after the other in order; what cannot be moved stays."""
    done: set[tuple[str | int, ...]] = set()
    while True:
        root = _composed(text)
        misplaced = _misplaced(root, shape, (), done, set()) if root is not None else None
        if misplaced is None:
            return text
        path, node, wanted = misplaced
        moved = _moved_inside(text, node, wanted) if node.flow_style else _moved(text, node, wanted, not path)
        done.add(path)
        if moved is not None and _same(moved, root):
            text = moved


def _same(moved: str, root: Node | None) -> bool:
    """Whether a text is YAML still, and nothing but the order of its keys is another."""
    try:
        return bool(_meaning(_composed(moved)) == _meaning(root))
    except (YAMLError, ValueError, RecursionError):
        return False


def _meaning(node: Node | None) -> Any:
    if isinstance(node, MappingNode):
        return len(node.value), {str(key.value): _meaning(one) for key, one in node.value}
    if isinstance(node, SequenceNode):
        return [_meaning(one) for one in node.value]
    return (str(node.tag), node.value) if node is not None else None


class _Misplaced(NamedTuple):
    path: tuple[str | int, ...]
    node: MappingNode
    wanted: list[int]
    """The places of its keys as they should follow each other."""


def _misplaced(
    node: Node, shape: Shape, path: tuple[str | int, ...], done: set[Any], seen: set[int]
) -> _Misplaced | None:
    """The first mapping, from outside, whose keys are not in order."""
    if id(node) in seen:  # an alias: its text stands elsewhere
        return None
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        parts: list[tuple[str | int, Shape, Node]] = [
            (number, below(shape, number), one) for number, one in enumerate(node.value)
        ]
    elif isinstance(node, MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        wanted = [keys.index(key) for key in arranged(shape, keys)]
        if path not in done and wanted != [*range(len(keys))]:
            return _Misplaced(path, node, wanted)
        parts = [(key, below(shape, key, keys), one) for key, (_, one) in zip(keys, node.value, strict=True)]
    else:
        return None
    found = (_misplaced(one, part, (*path, name), done, seen) for name, part, one in parts if part)
    return next((one for one in found if one is not None), None)


def _moved_inside(text: str, node: MappingNode, wanted: list[int]) -> str | None:
    """Move what stands between brackets; None where a comment is in the way."""
    lines = _LINE.findall(text)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    spans = [
        (starts[key.start_mark.line] + key.start_mark.column, starts[one.end_mark.line] + one.end_mark.column)
        for key, one in node.value
    ]
    between = [text[end:start] for (_, end), (start, _) in pairwise(spans)]
    if any("#" in part or not part.strip() for part in between):
        return None
    parts = [text[start:end].rstrip() for start, end in (spans[place] for place in wanted)]
    middle = "".join(part + gap for part, gap in zip(parts, [*between, ""], strict=True))
    return text[: spans[0][0]] + middle + text[spans[-1][1] :]


class _Part(NamedTuple):
    """A key with all below it, as lines."""

    blank: list[str]
    """The empty lines above it."""
    lines: list[str]


def _moved(text: str, node: MappingNode, wanted: list[int], whole: bool) -> str | None:
    """Move the lines of keys; None where keys share a line."""
    lines = _LINE.findall(text if text.endswith("\n") else f"{text}\n")
    at = [key.start_mark.line for key, _ in node.value]
    column = node.value[0][0].start_mark.column
    dash = lines[at[0]][:column]
    if len({*at}) < len(at) or any(lines[line][:column].strip() for line in at[1:]):
        return None
    first = _above_the_first(lines, at[0], column, whole) if not dash.strip() else at[0]
    starts = [first]
    for pair, line in zip(node.value[:-1], at[1:], strict=True):
        starts.append(_begin(lines, _end_of(pair, lines), line, column))
    starts.append(_deeper(lines, _end_of(node.value[-1], lines), column))
    above = [line for start, end in zip(starts[1:-1], at[1:], strict=True) for line in lines[start:end]]
    if dash.strip() and any(line.strip() for line in above):
        return None  # a comment would come between the dash and its key
    lines[at[0]] = " " * column + lines[at[0]][column:]
    parts = [_part(lines[start:end]) for start, end in pairwise(starts)]
    moved = [parts[place] for place in wanted]
    blanks = {wanted[0]: [], 0: parts[wanted[0]].blank}
    made: list[str] = []
    for place, part in zip(wanted, moved, strict=True):
        made += [*blanks.get(place, part.blank), *part.lines]
    if dash.strip():
        made[0] = dash + made[0][column:]
    return "".join([*lines[:first], *made, *lines[starts[-1] :]])


def _part(lines: list[str]) -> _Part:
    blank = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    return _Part(lines[:blank], lines[blank:])


def _comment(line: str) -> int | None:
    """The column of a comment that has a line for itself."""
    return line.index("#") if line.lstrip(" ").startswith("#") else None


def _above_the_first(lines: list[str], line: int, column: int, whole: bool) -> int:
    """Where the first key begins: with the comment right above it, unless that is the file's own."""
    start = line
    while start and _comment(lines[start - 1]) == column:
        start -= 1
    heading = whole and not any(one.strip() for one in lines[:start])
    return line if heading else start


def _begin(lines: list[str], end: int, line: int, column: int) -> int:
    """Where a key begins, of which what comes before it ends at `end`: with the comments above it."""
    deeper = (n for n in range(line - 1, end - 1, -1) if (_comment(lines[n]) or 0) > column)
    return next(deeper, end - 1) + 1


def _deeper(lines: list[str], end: int, column: int) -> int:
    """Where the last key ends: with the comments that stand deeper than it."""
    found = end
    while end < len(lines) and (not lines[end].strip() or (_comment(lines[end]) or 0) > column):
        end += 1
        found = end if lines[end - 1].strip() else found
    return found


def _end_of(pair: tuple[Node, Node], lines: list[str]) -> int:
    """The line behind a key and its value; an alias's value stands elsewhere."""
    key, value = pair
    behind: int = key.end_mark.line + 1
    return max(behind, _end(value, lines))


def _end(node: Node, lines: list[str]) -> int:
    """The line behind what a node has written."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last, lines) if isinstance(last, tuple) else _end(last, lines)
    end: int = node.end_mark.line
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        end -= node.end_mark.column == 0
        keeps = "+" in lines[node.start_mark.line][node.start_mark.column :].split("#")[0]
        while not keeps and end > node.start_mark.line and not lines[min(end, len(lines) - 1)].strip():
            end -= 1
    return end + 1


def _tidy(text: str) -> str:
    """Take out blanks at the ends of lines, and empty lines beyond one; what is text itself stays."""
    root = _composed(text)
    lines = _LINE.findall(text if text.endswith("\n") or not text else f"{text}\n")
    spans = _spans(root, lines, set()) if root is not None else ()
    texts = {number for span in spans for number in range(*span)}
    kept: list[str] = []
    for number, line in enumerate(lines):
        tidy = line if number in texts else line.rstrip(_BLANKS) + "\n"
        if tidy.strip() or number in texts or (kept and kept[-1].strip()):
            kept.append(tidy)
    while kept and not kept[-1].strip() and len(lines) - 1 not in texts:
        kept.pop()
    return "".join(kept)


def _spans(node: Node, lines: list[str], seen: set[int]) -> Iterator[tuple[int, int]]:
    """The lines of texts that go over several."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode):
        end = _end(node, lines)
        if end > node.start_mark.line + 1:
            yield node.start_mark.line, end
        return
    for one in node.value:
        for part in one if isinstance(one, tuple) else (one,):
            yield from _spans(part, lines, seen)
