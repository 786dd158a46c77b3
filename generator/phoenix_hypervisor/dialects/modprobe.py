"""Options of kernel modules, as /etc/modprobe.d and `modprobe --showconfig` spell them."""

from collections.abc import Mapping
from functools import cache


@cache
def options(text: str, module: str) -> Mapping[str, str]:
    """Return the parameters set for a module; of one that is set twice the last counts, as for the kernel."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:2] == ["options", module]:
            found.update(word.partition("=")[::2] for word in words[2:])
    return found


def parameter(written: str, shown: str) -> str:
    """Return an option's value as the kernel shows it: a switch, written `1` or `y`, is `Y` there."""
    if shown in ("Y", "N"):
        return {"1": "Y", "y": "Y", "0": "N", "n": "N"}.get(written, written)
    return written
