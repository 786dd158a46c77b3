"""Snapshots of containers' datasets, as the stand-in for zfs keeps them."""

import model
import zfs_datasets
import zfs_real
import zfs_snapshots

BASE = "__base__"
"""The snapshot of a template's volume that linked clones come from."""


def snapshots(state: model.Model, dataset: str) -> list[str]:
    """Return a dataset's snapshots, oldest first."""
    rows = zfs_datasets.every(state).get(dataset, {}).get("snapshots", {})
    return sorted(rows, key=lambda name: int(rows[name]["createtxg"]))


def files_of(dataset: str, snapshot: str) -> str:
    """Return the folder with the files of a snapshot."""
    if zfs_real.there():
        return f"{zfs_datasets.every(model.read())[dataset]['mounted']}/.zfs/snapshot/{snapshot}"
    return zfs_snapshots.folder(zfs_datasets.row_of(model.read(), f"{dataset}@{snapshot}")["guid"])
