"""What somebody has set to go wrong with programs and downloads in guests (`phoenix lab fault`)."""

import json
import os

import model

FILE = "service-faults.json"


def _rows() -> list[list[str]]:
    try:
        with open(os.path.join(model.FOLDER, FILE), encoding="utf-8") as file:
            rows: list[list[str]] = json.load(file)
            return rows
    except FileNotFoundError:
        return []


def _met(sort: str, vmid: str, unit: str) -> bool:
    """Tell whether a fault is set for a unit: by its name, or for one guest as `950/NAME`."""
    stem = unit.removesuffix(".service")
    names = {unit, stem, f"{vmid}/{unit}", f"{vmid}/{stem}"}
    return any(row[0] == sort and row[2] in names for row in _rows())


def dies(vmid: str, unit: str) -> bool:
    """Tell whether a unit's program is killed as soon as it runs."""
    return _met("service-dies", vmid, unit)


def never_ready(vmid: str, unit: str) -> bool:
    """Tell whether a unit's program runs, and never does anything."""
    return _met("service-hangs", vmid, unit)


def offline(vmid: str) -> bool:
    """Tell whether a guest has no way to the outside."""
    return any(row[0] == "offline" and row[2] == vmid for row in _rows())


def environment() -> dict[str, str]:
    """Return what programs are told of it: how long they take to load a model."""
    seconds = [str(row[1]) for row in _rows() if row[0] == "slow-load"]
    return {"PHOENIX_LAB_LOAD_SECONDS": seconds[-1]} if seconds else {}
