"""Sizes as ZFS spells them: powers of 1024, `K` to `P`, fractions allowed."""

import re

UNITS = "BKMGTPE"
WRITTEN = r"^\s*[0-9]+(\.[0-9]+)?\s*[BKMGTPEbkmgtpe]?([iI]?[bB])?\s*$"
"""What a size in text looks like, as a pattern that JSON Schema knows too."""
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([BKMGTPE]?)(?:i?B)?$", re.IGNORECASE | re.ASCII)


def parse(value: object) -> int:
    """Return bytes for `1M`, `1.4T`, `512`, 512. Raises ValueError for anything else.

    A fraction of a byte is cut off, as ZFS does: 1.4T is 1539316278886.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be a size like `800G`, `1.5T` or a number of bytes")
    number, unit = found[1], (found[2] or "B").upper()
    factor: int = 1024 ** UNITS.index(unit)
    whole, _, fraction = number.partition(".")
    return int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)


def show(size: int) -> str:
    """Return the shortest exact spelling: 1048576 is `1M`, 1539316278886 stays a number."""
    for unit in reversed(UNITS[1:]):
        factor = 1024 ** UNITS.index(unit)
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def about(size: float) -> str:
    """Return a rounded spelling for people: `1.8 TiB`."""
    unit = 0
    while size >= 1024 and unit < len(UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {UNITS[unit]}{'iB' if unit else ''}"
