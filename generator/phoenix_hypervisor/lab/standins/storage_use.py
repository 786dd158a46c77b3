"""Storages in use: made ready (activated), measured, taken out of use."""

import os
import sys

import model
from storage_config import Storage, content
from storage_rules import NO, YES, Refused

SUBFOLDERS = {
    "backup": "dump", "images": "images", "import": "import", "iso": "template/iso", "rootdir": "private",
    "snippets": "snippets", "vztmpl": "template/cache",
}  # fmt: skip
FILES = ("dir", "nfs", "cifs", "btrfs", "cephfs", "glusterfs")


def prepare(name: str, storage: Storage) -> None:
    """Complete the options of a new storage."""
    if storage["type"] in ("nfs", "cifs", "cephfs", "glusterfs"):
        storage.setdefault("path", f"/mnt/pve/{name}")
    if storage["type"] != "zfspool":
        return
    import zfs_datasets
    import zfs_mounts

    state = model.read()
    # A missing dataset is no error here; a missing pool is one at activation.
    exists = storage["pool"] in zfs_datasets.every(state)
    point = zfs_mounts.target(state, storage["pool"]) if exists else ""
    typed = storage.setdefault("mountpoint", point)
    if point and typed != point:
        difference = f"{typed} does not match current mount point: {point}"
        print(f"warning for {name} - mountpoint: {difference}", file=sys.stderr)
    if not typed:
        del storage["mountpoint"]


def activate(name: str, storage: Storage) -> None:
    """Make a storage usable on this node, or say why it is not."""
    kind = storage["type"]
    if kind == "zfspool":
        _pool(name, storage)
    elif kind in ("nfs", "cifs"):
        import storage_remote

        storage_remote.mount(name, storage)
        _subfolders(name, storage)
    elif kind in ("dir", "btrfs"):
        _folder(name, storage)
    else:
        model.not_simulated("pvesm", ["storage of type", kind])


def mounted(path: str) -> bool:
    """Say whether something is mounted exactly there: a dataset, or another server's export."""
    import zfs_mounts
    from exports_clients import mounts

    state = model.read()
    wanted = os.path.normpath(path)
    if wanted in [
        os.path.normpath(where) for where in zfs_mounts.mounted(state).values()
    ] or wanted in mounts(state):
        return True
    return os.path.ismount(model.path(wanted))


def _folder(name: str, storage: Storage) -> None:
    path = storage["path"]
    point = storage.get("is_mountpoint", "no")
    if point.lower() not in NO:
        point = path if point.lower() in YES else point
        if not mounted(point):
            raise Refused(
                f"unable to activate storage '{name}' - "
                f"directory is expected to be a mount point but is not mounted: '{point}'"
            )
    if storage.get("create-base-path", storage.get("mkdir", "1")) == "1":
        os.makedirs(model.path(path), exist_ok=True)
    _subfolders(name, storage)


def _subfolders(name: str, storage: Storage) -> None:
    path = storage["path"]
    if not os.path.isdir(model.path(path)):
        raise Refused(
            f"unable to activate storage '{name}' - directory '{path}' does not exist or is unreachable"
        )
    if storage.get("create-subdirs", storage.get("mkdir", "1")) != "1":
        return
    kinds = content(storage)
    for kind in SUBFOLDERS:
        # Old container migration wanted `dump` wherever containers live.
        if kind in kinds or (kind == "backup" and "rootdir" in kinds):
            os.makedirs(model.path(subfolder(storage, kind)), exist_ok=True)


def subfolder(storage: Storage, kind: str) -> str:
    """Return where a file storage keeps one kind of content."""
    for pair in storage.get("content-dirs", "").split(","):
        key, _, folder = pair.partition("=")
        if key == kind and folder:
            return f"{storage['path']}/{folder.strip('/')}"
    return f"{storage['path']}/{SUBFOLDERS[kind]}"


def _pool(name: str, storage: Storage) -> None:
    import zfs_real

    pool = storage["pool"].partition("/")[0]
    if pool in (zfs_real.pools() if zfs_real.there() else model.section(model.read(), "pools")):
        return
    for _ in range(2):
        print(f"zfs error: cannot open '{pool}': no such pool\n", file=sys.stderr)
    raise Refused(
        f"could not activate storage '{name}', zfs error: cannot import '{pool}': no such pool available\n\n"
    )


def space(storage: Storage) -> tuple[int, int, int]:
    """Return total, used and available bytes of an activated storage."""
    import zfs_mounts

    state = model.read()
    if storage["type"] == "zfspool":
        return _dataset_space(state, storage["pool"])
    dataset = zfs_mounts.at(state, os.path.normpath(storage["path"]))
    if dataset:
        return _dataset_space(state, dataset)
    facts = os.statvfs(model.path(storage["path"]))
    unit = facts.f_frsize
    return facts.f_blocks * unit, (facts.f_blocks - facts.f_bfree) * unit, facts.f_bavail * unit


def _dataset_space(state: model.Model, dataset: str) -> tuple[int, int, int]:
    import zfs_datasets
    import zfs_real
    from zfs_space import Space

    if dataset not in zfs_datasets.every(state):
        raise Refused(f"zfs error: cannot open '{dataset}': dataset does not exist\n")
    if zfs_real.there():
        used, free = zfs_real.space(dataset)
        return used + free, used, free
    sizes = Space(state)
    used, free = sizes.used(dataset), sizes.available(dataset)
    return used + free, used, free
