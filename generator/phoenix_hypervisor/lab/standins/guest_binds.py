"""What is mounted in a simulated guest, and whose it looks to the guest.

A guest's root may write what is owned by an id that is mapped into the guest, or by everybody. The sandbox
has one owner only, so the owners the lab has noted decide, folder by folder: where the guest may not
write, the mount is read-only.
"""

import json
import os
import stat

import enter
from accounts import FOREIGN, NOBODY, Owners
from guest_paths import inner, resolved
from guest_runtime import Plan


def make(root: str, plan: Plan, owners: Owners) -> None:
    """Mount the guest's volumes, folders of the node and devices below its root."""
    foreign: list[list[str | int]] = []
    for row in plan["mounts"]:
        if row.get("optional") and not os.path.exists(row["source"]):
            continue
        target = resolved(root, row["target"])
        enter.bind(row["source"], root + target)
        if row["read_only"]:
            enter.bind_read_only(row["source"], root + target)
        elif not row["volume"]:
            _protect(root, row["source"], target, plan, owners)
        if not row["volume"]:
            foreign += _seen(row["source"], target, plan, owners)
    for path, *_ in plan["devices"]:
        # a container has a device of its own, made when it was started: it stays when the node's goes
        enter.bind(path if os.path.exists(path) else "/dev/null", inner(root, path))
    with open(inner(root, FOREIGN), "w", encoding="utf-8") as file:
        json.dump(sorted(foreign, reverse=True), file)


def _places(source: str, owners: Owners) -> list[str]:
    """The source, and the folders below it whose owner was noted."""
    real = os.path.realpath(source)
    return [real, *sorted(path for path in owners if path.startswith(real + "/") and os.path.isdir(path))]


def _protect(root: str, source: str, target: str, plan: Plan, owners: Owners) -> None:
    """Make read-only what the guest may not write; below it, what it may is writable again."""
    decided: dict[str, bool] = {}
    for place in _places(source, owners):
        above = next((decided[up] for up in _above(place) if up in decided), True)
        decided[place] = writable(place, plan, owners)
        if decided[place] == above:
            continue
        here = root + target + place[len(os.path.realpath(source)) :]
        enter.bind(place, here)
        if not decided[place]:
            enter.bind_read_only(place, here)


def _above(path: str) -> list[str]:
    found = []
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found


def writable(place: str, plan: Plan, owners: Owners) -> bool:
    """Tell whether the guest's root may write in a folder of the node."""
    facts = os.stat(place)
    return NOBODY not in inside(place, plan, owners) or bool(stat.S_IMODE(facts.st_mode) & stat.S_IWOTH)


def inside(place: str, plan: Plan, owners: Owners) -> tuple[int, int]:
    """Return uid and gid of a folder of the node as the guest sees them."""
    facts = os.stat(place)
    noted = owners.get(place)
    uid, gid = noted[:2] if noted and noted[2] == facts.st_ino else (facts.st_uid, facts.st_gid)
    return _mapped(plan, "u", uid), _mapped(plan, "g", gid)


def _mapped(plan: Plan, sort: str, number: int) -> int:
    for kind, first, outside, count in plan["idmap"]:
        if kind == sort and outside <= number < outside + count:
            return int(first + number - outside)
    return NOBODY if plan["idmap"] else number


def _seen(source: str, target: str, plan: Plan, owners: Owners) -> list[list[str | int]]:
    real = os.path.realpath(source)
    return [[target + place[len(real) :], *inside(place, plan, owners)] for place in _places(source, owners)]
