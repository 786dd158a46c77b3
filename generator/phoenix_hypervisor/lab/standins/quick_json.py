"""JSON for the files that stand-ins keep: json imports re and enum, which is a third of a stand-in's start.

Only its C half is taken here, and json itself from a Python in which that half is another one.
"""

from hints import IO, Any


class _Reading:
    """What the scanner asks for: as json.JSONDecoder has it."""

    strict = True
    object_hook = object_pairs_hook = parse_constant = None
    parse_float, parse_int = float, int


_scan: Any = None
_parts: Any = None
try:
    import _json

    _scan = _json.make_scanner(_Reading)  # type: ignore[arg-type]
    _parts = _json.make_encoder(
        None,
        None,  # type: ignore[arg-type]
        _json.encode_basestring_ascii,
        None,
        ": ",
        ", ",
        True,
        False,
        False,
    )
except (ImportError, AttributeError, TypeError):
    import json


def loads(text: str) -> Any:
    """Return what a text says. Raises ValueError."""
    if _scan is None or _parts is None:
        return json.loads(text)
    try:
        return _scan(text, len(text) - len(text.lstrip()))[0]
    except StopIteration:
        raise ValueError("no JSON") from None


def dumps(value: Any) -> str:
    """Return a value's text, its keys sorted."""
    if _scan is None or _parts is None:
        return json.dumps(value, sort_keys=True)
    return "".join(_parts(value, 0))


def load(file: IO[str]) -> Any:
    """Read a file. Raises ValueError."""
    return loads(file.read())


def dump(value: Any, file: IO[str]) -> None:
    """Write a file."""
    file.write(dumps(value))
