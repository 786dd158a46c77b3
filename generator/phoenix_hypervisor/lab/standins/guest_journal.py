"""What the journal says about units: a file for each, of a node's containers or of a guest's services."""

import os
import time

import model

KEPT = 200
LONGEST = 1 << 18
"""Bytes after which a journal is cut to its last lines."""
SYSTEMD = "systemd[1]"


def _file(unit: str) -> str:
    return os.path.join(model.FOLDER, "journal", unit + ".log")


def note(vmid: str, *lines: str) -> None:
    """Append what systemd says about a container's unit."""
    append(f"pve-container@{vmid}.service", lines)


def append(unit: str, lines: tuple[str, ...], who: str = SYSTEMD) -> None:
    """Append lines to a unit's journal; WHO is the program that said them, with its pid."""
    place = _file(unit)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    sign = "" if who == SYSTEMD else f"\x1f{who}\x1f"
    with open(place, "a", encoding="utf-8") as file:
        file.writelines(f"{_now()} {sign}{line}\n" for line in lines)
        long = file.tell() > LONGEST
    if long:
        with open(place, encoding="utf-8") as file:
            last = file.readlines()[-KEPT:]
        with open(place, "w", encoding="utf-8") as file:
            file.writelines(last)


def _now() -> str:
    """The time in seconds, to the nanosecond: what tells one entry from the next."""
    now = time.time_ns()
    return f"{now // 10**9}.{now % 10**9:09d}"


def rows(unit: str) -> list[tuple[float, str, str]]:
    """Return the last lines of a unit's journal: when, who, and what was said."""
    try:
        with open(_file(unit), encoding="utf-8") as file:
            parts = [line.rstrip("\n").partition(" ") for line in file]
    except FileNotFoundError:
        return []
    return [(float(when), *_signed(text)) for when, _, text in parts[-KEPT:]]


def all_rows() -> list[tuple[float, str, str]]:
    """Return what was said of all units, in the order in which it was said."""
    try:
        names = sorted(os.listdir(os.path.join(model.FOLDER, "journal")))
    except FileNotFoundError:
        return []
    found = [row for name in names for row in rows(name.removesuffix(".log"))]
    return sorted(found, key=lambda row: row[0])


def _signed(text: str) -> tuple[str, str]:
    if not text.startswith("\x1f"):
        return SYSTEMD, text
    who, _, said = text[1:].partition("\x1f")
    return who, said
