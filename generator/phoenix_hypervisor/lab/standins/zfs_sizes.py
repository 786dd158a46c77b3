"""Sizes as ZFS writes and reads them: `1.5G`, `128K`, `0B`."""

_UNITS = "BKMGTPE"


def pretty(size: int) -> str:
    """Spell a size in at most five characters, as the tools do without -p."""
    index, whole = 0, size
    while whole >= 1024 and index < len(_UNITS) - 1:
        whole >>= 10
        index += 1
    unit = 1 << (10 * index)
    if index == 0 or size % unit == 0:
        return f"{whole}{_UNITS[index]}"
    text = ""
    for digits in (2, 1, 0):
        text = f"{size / unit:.{digits}f}{_UNITS[index]}"
        if len(text) <= 5:
            break
    return text


def parse(text: str) -> int:
    """Read a size; raises ValueError with the tools' own words."""
    digits = len(text) - len(text.lstrip("0123456789."))
    number, suffix = text[:digits], text[digits:].upper()
    if not number or number == "." or number.count(".") > 1:
        raise ValueError(f"bad numeric value '{text}'")
    shift = _shift(suffix)
    if shift is None:
        raise ValueError(f"invalid numeric suffix '{text[digits:]}'")
    size = int(float(number) * (1 << shift)) if "." in number else int(number) << shift
    if size >= 1 << 64:
        raise ValueError("numeric value is too large")
    return size


def _shift(suffix: str) -> int | None:
    if suffix in ("", "B"):
        return 0
    unit, rest = suffix[0], suffix[1:]
    if unit == "B" or unit not in _UNITS or rest not in ("", "B", "IB"):
        return None
    return 10 * _UNITS.index(unit)
