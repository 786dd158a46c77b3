"""What comes before what. Needs give the order; a loop is shown as a loop."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


class Loop(Exception):  # noqa: N818  (it is a finding; the caller says it as an error)
    """Things that need each other in a circle; `path` begins and ends with the same one."""

    def __init__(self, path: Sequence[Hashable]) -> None:
        super().__init__(" → ".join(str(node) for node in path))
        self.path = tuple(path)


def order(needs: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Return all nodes so that each comes after what it needs, otherwise in the order given.

    Needs that are not keys themselves are ignored. Raises Loop.
    """
    done: dict[Node, None] = {}
    for start in needs:
        # An explicit stack: chains may be longer than Python's recursion limit.
        stack: list[tuple[Node, list[Node]]] = [(start, _open(start, needs, done))]
        path: dict[Node, None] = {start: None}
        while stack:
            node, left = stack[-1]
            if not left:
                stack.pop()
                path.pop(node, None)
                done[node] = None
                continue
            need = left.pop(0)
            if need in path:
                trail = list(path)
                raise Loop([*trail[trail.index(need) :], need])
            if need not in done:
                path[need] = None
                stack.append((need, _open(need, needs, done)))
    return list(done)


def _open(node: Node, needs: Mapping[Node, Iterable[Node]], done: Mapping[Node, None]) -> list[Node]:
    return [] if node in done else [need for need in needs[node] if need in needs and need not in done]


def closure(starts: Iterable[Node], needs: Mapping[Node, Iterable[Node]]) -> set[Node]:
    """Return the starts and everything they need, directly or not."""
    reached: set[Node] = set()
    left = list(starts)
    while left:
        node = left.pop()
        if node not in reached:
            reached.add(node)
            left.extend(needs.get(node, ()))
    return reached
