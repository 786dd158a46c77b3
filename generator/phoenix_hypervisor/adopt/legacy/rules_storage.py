"""Defects of storage: pools, datasets, what lies on them, and who has it."""

from __future__ import annotations

import re
from collections import defaultdict

from .estate import MOUNT_BASE, Estate, as_mounted, each, is_layer, storage_key, text_of, under, words_of
from .ledger import Part
from .node import disk_name, disk_size
from .rules_guests import Found, at

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def storages(estate: Estate) -> Found:
    """V-17: the storage is there and takes what is put on it; ids are those that are looked up."""
    contents = {
        storage: words_of(estate.datasets[name].get("proxmox_content_type"))
        for name, storage in estate.storages.items()
    }
    for vmid, guest in estate.containers.items():
        for part in [guest.get("storage_pool"), *(
            one.get("pool") for key in ("volumes", "zfs_volumes") for _, one in each(guest.get(key))
        )]:  # fmt: skip
            if part is None or not text_of(part) or not contents:
                continue
            if text_of(part) not in contents:
                yield at(part, f"{vmid}: no dataset is the storage {text_of(part)}", "V-17")
            elif "rootdir" not in contents[text_of(part)]:
                yield at(
                    part, f"{vmid}: the storage {text_of(part)} takes no containers", "V-17", "add `rootdir`"
                )
    looked_up = {storage_key(name) for name in estate.datasets}
    for key, part in each(estate.hypervisor("proxmox_storage_ids")):
        if key not in looked_up:
            yield at(part, f"no script looks for `{key}`", "V-17", "storages have one name", warning=True)


def accidental(estate: Estate) -> Found:
    """V-18: a dataset that is another one's accidental double."""
    for name, part in estate.datasets.items():
        pool, _, rest = name.partition("/")
        if rest.startswith(f"{pool}-") and f"{pool}/{rest.removeprefix(f'{pool}-')}" in estate.datasets:
            twin = rest.removeprefix(f"{pool}-")
            yield at(part.get("name") or part, f"{name} is {pool}/{twin} once more", "V-18", warning=True)


def quotas(estate: Estate) -> Found:
    """V-19: quotas fit into the pool, as far as its disks' names tell their size."""
    for _, pool in each(estate.hypervisor("zfs", "pools")):
        sizes = [disk_size(disk_name(disk)) or 0 for disk in words_of(pool.get("disks"))]
        level, name = text_of(pool.get("raid_level")).lower(), text_of(pool.get("name"))
        if not sizes or not all(sizes):
            continue
        parity = int(level[-1]) if re.fullmatch("raidz[123]", level) else 0
        usable = min(sizes) if level == "mirror" else sum(sizes) - parity * min(sizes)
        total = sum(
            _quota(part) for each_name, part in estate.datasets.items() if each_name.startswith(f"{name}/")
        )
        if total > usable:
            message = (
                f"the quotas of {name} add up to {total / 2**30:.0f} GiB, it has {usable / 2**30:.0f} GiB"
            )
            hint = "lower a quota, or `allow: {quota_overcommit: …}` in site.yaml"
            yield at(pool, message, "V-19", hint, warning=True)


def _quota(part: Part) -> float:
    properties = part.get("properties")
    own = properties.get("quota") if properties else None
    text = text_of(own) or next(
        (word.removeprefix("quota=") for word in words_of(properties) if word.startswith("quota=")), ""
    )
    said = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)([KMGT]?)", text)
    return float(said[1]) * _UNITS[said[2]] if said else 0.0


def attached_twice(estate: Estate) -> Found:
    """V-26: one way to one path, and no two volumes that look like one."""
    shared = {
        (vmid, text_of(target))
        for _, part in each(estate.hypervisor("shared_volumes"))
        for vmid, target in each(part.get("mounts"))
    }
    volumes = [
        (vmid, one)
        for vmid, guest in estate.containers.items()
        for key in ("volumes", "zfs_volumes")
        for _, one in each(guest.get(key))
    ]
    owners: dict[str, list[str]] = defaultdict(list)
    for vmid, one in volumes:
        owners[text_of(one.get("name"))].append(vmid)
    for vmid, one in volumes:
        target, name = text_of(one.get("mount_point")), text_of(one.get("name"))
        others = [other for other in owners[name] if other != vmid] if name else []
        if (vmid, target) in shared:
            yield at(
                one, f"{vmid}: {target} is a volume of its own and a shared folder", "V-26", "one of them"
            )
        elif others:
            yield at(one, f"{vmid}: `{name}` is its own, as {', '.join(others)} has one of its own", "V-26",
                     "a shared_volume, if it is meant to be one")  # fmt: skip


def targets(estate: Estate) -> Found:
    """V-27: folders are mounted into containers that are there, and that are no layers."""
    containers = estate.containers
    for name, part in each(estate.hypervisor("shared_volumes")):
        for vmid, target in each(part.get("mounts")):
            if vmid not in containers:
                yield at(target, f"`{name}` is mounted in {vmid}, which is not there", "V-27", "take it out")
            elif is_layer(containers[vmid]):
                yield at(
                    target, f"`{name}` is mounted in {vmid}, which is a layer by now", "V-27", "take it out"
                )


def undeclared(estate: Estate) -> Found:
    """V-28: what is shared is a declared dataset."""
    for sort in (("samba", "shares"), ("nfs", "exports"), ("nfs", "shares")):
        for _, share in each(estate.hypervisor(*sort)):
            part = share.get("path")
            path = as_mounted("/" + text_of(part).lstrip("/"))
            if part and text_of(part) and not under(path, estate.datasets):
                yield at(part, f"{path} lies in no declared dataset", "V-28", "declare the dataset")


def owners(estate: Estate) -> Found:
    """V-29: one path, one exporter."""
    exported = {
        as_mounted("/" + text_of(one.get("path")).lstrip("/"))
        for key in ("exports", "shares")
        for _, one in each(estate.hypervisor("nfs", key))
    }
    for _, share in each(estate.hypervisor("samba", "shares")):
        part = share.get("path")
        path = as_mounted("/" + text_of(part).lstrip("/"))
        if part and text_of(part) and path in exported:
            message = f"{path} is exported over NFS and shared by Samba, which each set its owner and mode"
            yield at(part, message, "V-29", "one path, one of them", warning=True)


def host_paths(estate: Estate) -> Found:
    """V-30: folders of the node lie where a dataset is mounted, not on the system disk."""
    sources = [
        (f"`{name}`", part.get("host_path"))
        for name, part in each(estate.hypervisor("shared_volumes"))
        if name != "firewall"
    ]
    for vmid, guest in estate.containers.items():
        sources += [(vmid, one.get("host_path")) for _, one in each(guest.get("mount_points"))]
    for what, part in sources:
        path = text_of(part)
        if part and path and not under(path, estate.datasets):
            now = as_mounted(path)
            hint = f"{now} is where ZFS mounts it" if now != path else "a path in a dataset"
            yield at(part, f"{what}: {path} is no place where a dataset is mounted", "V-30", hint)


def archives(estate: Estate) -> Found:
    """V-31: the archive is looked for where its storage is."""
    base = text_of(estate.hypervisor("mount_point_base"))
    for vmid, guest in estate.containers.items():
        part = guest.get("template")
        if part and base == MOUNT_BASE.rstrip("/") and under(text_of(part), estate.datasets):
            message = f"{vmid}: the archive was looked for below {base}, and fetched anew each time"
            yield at(part, message, "V-31", "a ct_template is looked for where its storage is", warning=True)
