"""JSON text as trees: a JSON reader that keeps places, for text that `json.loads` has accepted.

YAML's reader cannot do it: JSON writes characters beyond the first 65,536 as pairs of escapes, which
are not YAML.
"""

import bisect
import json
import re
from typing import Any

from ..errors import Problem, Where
from .tree import DEEPEST, Tree, twice

_BLANK = re.compile(r"[ \t\n\r]*")


def read_json(text: str, shown: str, problems: list[Problem]) -> Tree | None:
    """Return the tree of a JSON text, or None after adding the problem that makes it unreadable."""
    if not text.strip():
        return Tree({}, Where(shown, 1, 1))
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        where = Where(shown, error.lineno, error.colno)
        problems.append(Problem(f"not readable as JSON: {error.msg}", where))
        return None
    except ValueError as error:  # a number with thousands of digits
        problems.append(Problem(f"not readable as JSON: {str(error).partition(';')[0]}", Where(shown, 1, 1)))
        return None
    return _Reader(text, shown, problems).tree()


class _Reader:
    """Walks through one valid text."""

    def __init__(self, text: str, shown: str, problems: list[Problem]) -> None:
        self._text = text
        self._shown = shown
        self._problems = problems
        self._at = self._depth = 0
        self._decoder = json.JSONDecoder()
        self._ends = [found.end() for found in re.finditer("\n", text)]

    def tree(self, key: Where | None = None) -> Tree:
        sign, where = self._next(), self._where()
        self._depth += 1
        if self._depth > DEEPEST:
            raise RecursionError
        if sign == "{":
            value: Any = self._mapping()
        else:
            value = self._list() if sign == "[" else self._scalar(where)
        self._depth -= 1
        return Tree(value, where, key)

    def _mapping(self) -> dict[str, Tree]:
        found: dict[str, Tree] = {}
        while self._step() != "}":
            if self._next() == "}":
                continue
            place = self._where()
            key = self._scalar(place)
            self._next()
            self._at += 1  # the colon
            below = self.tree(place)
            if key in found:
                self._problems.append(twice(key, place, found[key].key))
            else:
                found[key] = below
        return found

    def _list(self) -> list[Tree]:
        found: list[Tree] = []
        while self._step() != "]":
            if self._next() != "]":
                found.append(self.tree())
        return found

    def _scalar(self, where: Where) -> Any:
        value, self._at = self._decoder.raw_decode(self._text, self._at)
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            half = "this text holds half of a character (\\ud800 to \\udfff)"
            self._problems.append(Problem(half, where))
        return value

    def _step(self) -> str:
        """Go beyond the bracket or comma that comes next, and return it."""
        sign = self._next()
        self._at += 1
        return sign

    def _next(self) -> str:
        """Go to the next sign, and return it."""
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._text[self._at]

    def _where(self) -> Where:
        line = bisect.bisect_right(self._ends, self._at)
        return Where(self._shown, line + 1, self._at - (self._ends[line - 1] if line else 0) + 1)
