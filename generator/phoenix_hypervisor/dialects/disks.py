"""What `wipefs -n -J` and `lsblk -J` say about a disk, as one word or sentence for a person."""

import json
from functools import cache

BLANK = "blank"
MISSING = "missing"


@cache
def contents(there: str, wipefs: str, lsblk: str) -> str:
    """Return `missing`, `blank`, or what is on the disk, from both tools' JSON (either may be empty text)."""
    if there == MISSING:
        return MISSING
    found = [
        _signature(entry) for entry in (json.loads(wipefs) if wipefs.strip() else {}).get("signatures", [])
    ]
    for device in (json.loads(lsblk) if lsblk.strip() else {}).get("blockdevices", []):
        found += _in_use(device)
    return ", ".join(dict.fromkeys(found)) or BLANK


def _signature(entry: dict[str, str | None]) -> str:
    kind = {
        "gpt": "a partition table (gpt)",
        "dos": "a partition table (dos)",
        "PMBR": "a partition table (gpt)",
    }.get(entry["type"] or "", entry["type"] or "something unknown")
    if kind == "zfs_member":
        return f"part of the ZFS pool '{entry.get('label') or 'without a name'}'"
    return f"{kind} '{entry['label']}'" if entry.get("label") else kind


def _in_use(device: dict[str, object]) -> list[str]:
    points = [point for point in device.get("mountpoints") or [] if point]  # type: ignore[attr-defined]
    found = [f"mounted at {point}" for point in points]
    children = device.get("children") or []
    for child in children:  # type: ignore[attr-defined]
        found += [f"the partition {child['name']}", *_in_use(child)]
    return found
