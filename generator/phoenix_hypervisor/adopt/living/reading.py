"""A node's answers, read by all readers into a draft."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...dialects import sizes
from . import backups, firewalls, guests, network, people, shares, storage
from .found import Draft


def draft(answers: Mapping[str, str], taken: Collection[str] = ()) -> Draft:
    """Return all that was found; names in `taken` are not given to guests."""
    found = Draft()
    found.add(storage.pools(answers))
    found.add(storage.datasets(answers))
    found.add(storage.arc(answers))
    found.add(storage.storages(answers))
    found.add(shares.exports(answers))
    found.add(shares.shares(answers))
    found.add(people.people(answers))
    found.add(network.network(answers))
    found.add(guests.containers(answers, taken))
    named = {thing.guest.partition("-")[2] for thing in found.things if thing.guest}
    found.add(guests.machines(answers, {*taken, *named}))
    stems = {thing.name: thing.guest for thing in found.things if thing.guest}
    found.add(firewalls.firewalls(answers, stems))
    found.add(backups.backups(answers, stems))
    known = storage.disks(answers)
    used = [
        disk
        for thing in found.things
        if thing.kind == "zfs_pool"
        for vdev in thing.settings["vdevs"]
        for disk in vdev["disks"]
    ]
    if used:
        found.hardware["disks"] = {
            f"disk{number}": {"id": disk, "size": sizes.show(known[disk])} for number, disk in enumerate(used)
        }
    if cards := guests.cards(answers):
        found.hardware["gpus"] = cards
    found.memory = _memory(answers["memory"])
    found.quota_overcommit = storage.quota_overcommit(found.things, known)
    return found


def _memory(said: str) -> str:
    """Read /proc/meminfo: whole MiB, which is what the kernel has left of the node's."""
    for line in said.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal" and rest.split()[:1] and rest.split()[0].isdecimal():
            return f"{int(rest.split()[0]) // 1024}M"
    return ""
