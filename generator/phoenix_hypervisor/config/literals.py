"""Secrets that stand in plain text: found by the key that holds them, and by how they look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .tree import Path, Tree

_TELLING = re.compile(
    r"(?i)(pass(word|wd|phrase)?|secret|token|credential|(api|private|access)_?key)(_hash)?$"
)
_HOLDING = re.compile(r"(?i)(.*[_-])?(passwords?|passwd|secrets?|credentials?)")
"""A key below which everything is one."""
_NO_SECRET = re.compile(r"(?i)|not_?set|none|null|!secret .*|\$\{?\w+\}?|<[^<>]*>")
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|^\$(1|2[aby]?|5|6|7|y|gy)\$\S{6,}"
    r"|\b(hf|ghp|gho|sk)_?[-_][A-Za-z0-9_-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|AGE-SECRET-KEY-1|\w+://[^/\s:@]*:[^/\s@]+@"
)
_ASSIGNED = re.compile(
    r"(?im)^\s*(?:export\s+|environment\s*=\s*)?[\"']?[\w.-]*?"
    r"(?:passw(?:or)?d|passphrase|secret|token|(?:api|access)[_-]?key)[\"']?\s*[:=]\s*[\"']?([^\s\"'#;,]+)"
)
"""A line of a text that gives such a name a value."""
_NO_VALUE = re.compile(r"(?i)[@$<%{/*!].*|yes|no|true|false|on|off|none|null|files?|[0-9]{1,5}")
"""What such a line may hold: a placeholder, a variable, a path, a switch, a small number."""


def is_secret(root: Tree, path: Path, value: Any) -> bool:
    """Tell whether a leaf of a tree is a secret in plain text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    text = str(value)
    if _SHAPES.search(text):
        return True
    if _NO_SECRET.fullmatch(text):
        return False
    keys = [part for part in path if isinstance(part, str)]
    if any(_HOLDING.fullmatch(key) for key in keys):
        return True
    key = keys[-1] if keys else ""
    if key == "value":  # {name: DATABASE_PASS, value: …}
        around: Tree | None = root
        for part in path[:-1]:
            around = around.below(part) if around else None
        name = around.below("name") if around else None
        key = str(name.value) if name else ""
    flag = _flag_before(root, path) if path and isinstance(path[-1], int) else ""
    return any(_TELLING.search(word) for word in (key, flag) if word)


def _flag_before(root: Tree, path: Path) -> str:
    """The option whose argument this is, in a list of arguments: `--api-key`."""
    around: Tree | None = root
    for part in path[:-1]:
        around = around.below(part) if around else None
    last = path[-1]
    before = around.below(last - 1) if around and isinstance(last, int) and last else None
    text = str(before.value) if before else ""
    return text.replace("-", "_") if text.startswith("--") else ""


def assigned(text: str) -> Iterator[int]:
    """Yield the numbers, from 0, of a text's lines that give a secret's name a value in plain text."""
    for found in _ASSIGNED.finditer(text):
        if not _NO_VALUE.fullmatch(found[1]):
            yield text.count("\n", 0, found.start(1))
