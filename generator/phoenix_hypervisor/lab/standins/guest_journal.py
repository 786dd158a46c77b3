"""What the journal says about units of containers: a file of lines for each unit."""

import os
import time

import model

KEPT = 200


def _file(unit: str) -> str:
    return os.path.join(model.FOLDER, "journal", unit + ".log")


def note(vmid: str, *lines: str) -> None:
    """Append what systemd says about a container's unit."""
    place = _file(f"pve-container@{vmid}.service")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "a", encoding="utf-8") as file:
        file.writelines(f"{int(time.time())} {line}\n" for line in lines)


def read(unit: str) -> list[tuple[int, str]]:
    """Return the last lines of a unit's journal: when, and what systemd said."""
    try:
        with open(_file(unit), encoding="utf-8") as file:
            rows = [line.rstrip("\n").partition(" ") for line in file]
    except FileNotFoundError:
        return []
    return [(int(when), text) for when, _, text in rows[-KEPT:]]
