"""Reading the YAML that cloud-init documents of ours and of Proxmox are in: blocks, plain or quoted words.

No anchors, no flow collections but empty ones and those that are JSON, no folded text; `|` is read.
"""

import json

from hints import Any


class NotReadError(ValueError):
    """A document in another YAML than this one reads."""


def read(text: str) -> Any:
    """Return a document's value."""
    rows = [(len(line) - len(line.lstrip(" ")), line.strip(), line) for line in text.split("\n")]
    kept = [row for row in rows if row[1] and not (row[1].startswith("#") and row[0] == 0)]
    if not kept:
        return {}
    value, rest = _block(kept, kept[0][0])
    if rest:
        raise NotReadError(f"cannot read `{rest[0][2]}`")
    return value


Rows = list[tuple[int, str, str]]


def _block(rows: Rows, indent: int) -> tuple[Any, Rows]:
    if rows[0][1].startswith("- ") or rows[0][1] == "-":
        return _sequence(rows, indent)
    return _mapping(rows, indent)


def _sequence(rows: Rows, indent: int) -> tuple[list[Any], Rows]:
    found = []
    while rows and rows[0][0] == indent and (rows[0][1].startswith("- ") or rows[0][1] == "-"):
        word = rows[0][1][1:].strip()
        if not word:
            value, rows = _block(rows[1:], rows[1][0])
        elif _is_pair(word):
            deeper = indent + len(rows[0][1]) - len(word)
            value, rows = _mapping([(deeper, word, " " * deeper + word), *rows[1:]], deeper)
        elif word.startswith("- "):
            deeper = indent + 2
            value, rows = _sequence([(deeper, word, " " * deeper + word), *rows[1:]], deeper)
        else:
            value, rows = _scalar_or_text(word, rows)
        found.append(value)
    return found, rows


def _is_pair(word: str) -> bool:
    if word[:1] in "\"'[{":
        return word.startswith('"') and '": ' in word and not word.endswith('"') and _key(word) is not None
    return ": " in word or word.endswith(":")


def _key(word: str) -> tuple[str, str] | None:
    if word.startswith('"'):
        try:
            key, end = json.JSONDecoder().raw_decode(word)
        except ValueError:
            return None
        return (str(key), word[end + 1 :].strip()) if word[end : end + 1] == ":" else None
    key, colon, rest = word.partition(":")
    return (key.strip(), rest.strip()) if colon else None


def _mapping(rows: Rows, indent: int) -> tuple[dict[str, Any], Rows]:
    found: dict[str, Any] = {}
    while rows and rows[0][0] == indent and not rows[0][1].startswith("- "):
        pair = _key(rows[0][1])
        if pair is None:
            raise NotReadError(f"cannot read `{rows[0][2]}`")
        key, word = pair
        if word:
            found[key], rows = _scalar_or_text(word, rows)
        elif len(rows) > 1 and (rows[1][0] > indent or (rows[1][0] == indent and rows[1][1].startswith("-"))):
            found[key], rows = _block(rows[1:], rows[1][0])
        else:
            found[key], rows = None, rows[1:]
    return found, rows


def _scalar_or_text(word: str, rows: Rows) -> tuple[Any, Rows]:
    if word not in ("|", "|-"):
        return _scalar(word), rows[1:]
    indent, left = rows[0][0], rows[1:]
    lines = []
    first = left[0][0] if left else 0
    while left and left[0][0] > indent:
        lines.append(left[0][2][first:])
        left = left[1:]
    return "\n".join(lines) + ("" if word == "|-" else "\n"), left


def _scalar(word: str) -> Any:
    if word[:1] in ('"', "[", "{"):
        try:
            return json.loads(word)
        except ValueError as error:
            plain = word[1:-1].split(",")
            if word[0] == "[" and word.endswith("]") and not any(sign in word[1:-1] for sign in "[]{}\"'"):
                return [_scalar(one.strip()) for one in plain]
            raise NotReadError(f"cannot read `{word}`: {error}") from None
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    words = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None}
    if word in words:
        return words[word]
    return int(word) if word.lstrip("-").isdecimal() else word
