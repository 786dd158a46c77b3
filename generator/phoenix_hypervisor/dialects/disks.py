"""What `wipefs -n -J` and `lsblk -J` say about a disk, as one word or sentence for a person."""

import json
import re
from functools import cache
from typing import Any

BLANK = "blank"
MISSING = "missing"
PARTITIONED = "partitions of ZFS without anything in them"
COMPLETE = "a pool that is not imported"
FURTHEST_FIRST = (COMPLETE, PARTITIONED, BLANK)
TABLES = {"gpt", "PMBR"}
ZFS_NAME = re.compile(r"zfs-[0-9a-f]{16}")
"""What libzfs calls the first partition of a disk that it was given as a whole."""


@cache
def contents(there: str, wipefs: str, lsblk: str) -> str:
    """Return `missing`, `blank`, or what is on the disk, from both tools' JSON (either may be empty text)."""
    if there == MISSING:
        return MISSING
    found = [_signature(entry) for entry in _signatures(wipefs)]
    for device in (json.loads(lsblk) if lsblk.strip() else {}).get("blockdevices", []):
        found += _in_use(device)
    return ", ".join(dict.fromkeys(found)) or BLANK


@cache
def unfinished(there: str, wipefs: str, lsblk: str, pool: str) -> str:
    """Return how far a `zpool create` came that was cut: `BLANK`, `PARTITIONED` or `COMPLETE`; else nothing.

    Of `lsblk` also FSTYPE, LABEL and PARTLABEL are needed. ZFS writes the partitions first, then labels that
    neither it nor blkid takes for any before the first transaction group is on the disk (seen with 2.3).
    """
    if contents(there, wipefs, lsblk) in (BLANK, MISSING):
        return BLANK if there != MISSING else ""
    signatures = {entry["type"] for entry in _signatures(wipefs)}
    (disk,) = json.loads(lsblk)["blockdevices"]
    parts: list[dict[str, Any]] = disk.get("children") or []
    if not signatures or signatures - TABLES or any(any(part["mountpoints"]) for part in [disk, *parts]):
        return ""
    if not parts:
        return PARTITIONED
    if [part["name"].removeprefix(disk["name"]).lstrip("p") for part in parts] != ["1", "9"]:
        return ""
    first, last = parts
    if not ZFS_NAME.fullmatch(first["partlabel"] or "") or last["fstype"] or last.get("children"):
        return ""
    held = (first["fstype"], first["label"])
    return {(None, None): PARTITIONED, ("zfs_member", pool): COMPLETE}.get(held, "")


def _signatures(wipefs: str) -> list[dict[str, str | None]]:
    # of a blank disk some versions say nothing at all
    found: list[dict[str, str | None]] = (json.loads(wipefs) if wipefs.strip() else {}).get("signatures", [])
    return found


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
