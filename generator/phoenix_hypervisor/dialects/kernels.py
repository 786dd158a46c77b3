"""Kernels as a node keeps them in /boot, ordered as its boot loader does."""

import re
from collections.abc import Iterable

PREFIX = "vmlinuz-"


def order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return what versions are sorted by: numbers as numbers, a word after the end and before a number."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((2, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def installed(files: Iterable[str]) -> list[str]:
    """Return the kernels among the names of files in /boot, oldest first."""
    found = {name.removeprefix(PREFIX) for name in files if name.startswith(PREFIX)}
    return sorted((version for version in found if version[:1].isdigit()), key=lambda v: (order(v), v))


def next_boot(files: Iterable[str], pins: Iterable[str] = ()) -> str:
    """Return the kernel that is started next: the first pinned one that is there, else the newest."""
    there = installed(files)
    pinned = (pin.strip() for pin in pins)
    return next((pin for pin in pinned if pin in there), there[-1] if there else "")
