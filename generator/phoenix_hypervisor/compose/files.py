"""What is inside a compose file: variables that are named, words that mean something."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_]\w*)[^}]*\}|([A-Za-z_]\w*))")


def interpolated(value: Any) -> set[str]:
    """Return the names of the variables anywhere in a value; `$$` is a dollar sign."""
    found = (match for text in _texts(value) for match in _VARIABLE.finditer(text))
    return {name for match in found for name in match.groups() if name}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, Sequence):
        for below in value:
            yield from _texts(below)
