"""What the age file holds: JSON from the names of secrets to their values. No message here shows a value."""

import json
import re
import secrets as random
import string
from typing import Any

from .settings import NAME_RULE, is_name

ALPHABET = string.ascii_letters + string.digits  # safe in every file format and on every console
LENGTH = 32


def dump(values: dict[str, str]) -> bytes:
    """Return the mapping as JSON, sorted, one secret a line: the form that people edit."""
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parse(plain: bytes) -> tuple[dict[str, str], str]:
    """Return the mapping and "", or an empty mapping and what is wrong.

    It returns and does not raise: JSON's own exceptions carry the whole text they failed on.
    """
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice.extend(name for name in names if names.count(name) > 1)
        return dict(pairs)

    try:
        found = json.loads(plain.decode(), object_pairs_hook=once)
    except UnicodeDecodeError:
        return {}, "it is not UTF-8 text"
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno}, column {error.colno}: {_reason(error.msg)}"
    except RecursionError:
        return {}, "it is not a mapping from names to strings"
    wrong = _wrong(found, twice)
    return ({}, wrong) if wrong else (found, "")


def wrong_value(value: str) -> str:
    """Return why a text cannot be the value of a secret, or ""."""
    if not value:
        return "it is empty"
    if "\0" in value:
        return "it holds a NUL byte"
    if any("\ud800" <= char <= "\udfff" for char in value):
        return "it holds half of a character (\\ud800 to \\udfff)"
    return ""


def draw(length: int = LENGTH) -> str:
    """Draw a random value: letters and digits, about 6 bits each."""
    return "".join(random.choice(ALPHABET) for _ in range(length))


def _wrong(found: Any, twice: list[str]) -> str:
    if not isinstance(found, dict):
        return "it is not a mapping from names to strings"
    for number, (name, value) in enumerate(found.items(), 1):
        if not is_name(name):
            # Not shown: with name and value swapped, this would be the value.
            return f"name {number} is not one: {NAME_RULE}"
        if name in twice:
            return f"`{name}` is there twice"
        if not isinstance(value, str):
            return f"the value of `{name}` is not a string: put it in quotes"
        if reason := wrong_value(value):
            return f"the value of `{name}`: {reason}"
    return ""


def _reason(message: str) -> str:
    """JSON's message without what it quotes from the text."""
    return re.sub(r":.*", "", message, flags=re.DOTALL).strip().lower()
