"""`zfs destroy`, and what `zpool destroy` and `export` need of it."""

import os

import model
import zfs_datasets
import zfs_mounts
import zfs_options
import zfs_snapshots
from zfs_options import Options, RefusedError


def destroy(argv: list[str]) -> int:
    """`zfs destroy`."""
    options = zfs_options.parse("zfs", ["destroy", *argv], "rRnvpf")
    if len(options.rest) != 2:
        model.not_simulated("zfs", ["destroy", *argv])
    name = options.rest[1]
    if "#" in name or "%" in name or "," in name:
        model.not_simulated("zfs", ["destroy", *argv])
    with model.change() as state:
        doomed = _snapshots(state, name, options) if "@" in name else _datasets(state, name, options)
        for line in _announced(doomed, options):
            print(line)
        if "n" not in options:
            for each in reversed(doomed):
                remove(state, each)
    return 0


def _announced(doomed: list[str], options: Options) -> list[str]:
    if "v" not in options:
        return []
    if "p" in options:
        return [f"destroy\t{name}" for name in reversed(doomed)]
    verb = "would" if "n" in options else "will"
    lines = [f"{verb} destroy {name}" for name in reversed(doomed)]
    return [*lines, f"{verb} reclaim 0B"] if "@" in doomed[0] else lines


def _snapshots(state: model.Model, name: str, options: Options) -> list[str]:
    fs, _, snap = name.partition("@")
    if not zfs_datasets.kind_of(state, fs):
        raise RefusedError(f"cannot open '{fs}': dataset does not exist")
    tree = [fs, *(zfs_datasets.below(state, fs) if "r" in options else [])]
    found = [f"{each}@{snap}" for each in tree if zfs_datasets.kind_of(state, f"{each}@{snap}")]
    if not found:
        raise RefusedError("could not find any snapshots to destroy; check snapshot names.")
    if "R" in options:
        model.not_simulated("zfs", ["destroy", "-R", name])
    for each in found:
        zfs_snapshots.refuse_if_needed(state, each)
    return found


def _datasets(state: model.Model, name: str, options: Options) -> list[str]:
    """Return what goes, the last to be removed first."""
    zfs_datasets.existing(state, name)
    prefix = f"cannot destroy '{name}': "
    if "/" not in name and not ("r" in options or "R" in options):
        text = f"{prefix}operation does not apply to pools\n"
        text += f"use 'zfs destroy -r {name}' to destroy all datasets in the pool\n"
        raise RefusedError(f"{text}use 'zpool destroy {name}' to destroy the pool itself")
    tree = [name, *zfs_datasets.below(state, name)]
    snapshots = [f"{each}@{snap}" for each in tree for snap in zfs_datasets.row_of(state, each)["snapshots"]]
    kind = zfs_datasets.kind_of(state, name)
    if len(tree) + len(snapshots) > 1 and not ("r" in options or "R" in options):
        children = sorted(tree[1:] + snapshots, key=lambda each: zfs_datasets.order(state, each))
        text = f"{prefix}{kind} has children\nuse '-r' to destroy the following datasets:\n"
        raise RefusedError(text + "\n".join(children))
    outside = [
        other
        for other, row in zfs_datasets.every(state).items()
        if row.get("origin") in snapshots and other not in tree
    ]
    if outside and "R" not in options:
        text = f"{prefix}{kind} has dependent clones\nuse '-R' to destroy the following datasets:\n"
        raise RefusedError(text + "\n".join(sorted(outside)))
    doomed = sorted(tree + snapshots + outside, key=lambda each: zfs_datasets.order(state, each))
    try:
        zfs_mounts.refuse_if_busy(state, [each for each in doomed if "@" not in each])
    except RefusedError as error:
        raise RefusedError(error.text) from None
    return [each for each in doomed if "/" in each or "@" in each]


def remove(state: model.Model, name: str) -> None:
    """Forget a dataset or snapshot with its files, and the directory it was mounted on if ZFS made that."""
    if "@" in name:
        zfs_snapshots.remove(state, name)
        return
    import shutil

    row = zfs_datasets.row_of(state, name)
    where = row.get("mounted") or ""
    made = zfs_datasets.value(state, name, "mountpoint")[1] != "local"
    zfs_mounts.unmount(state, name)
    for snap in list(row["snapshots"]):
        zfs_snapshots.remove(state, f"{name}@{snap}")
    del zfs_datasets.every(state)[name]
    if os.path.isdir(zfs_mounts.aside(name)):
        shutil.rmtree(zfs_mounts.aside(name))
    if made:
        zfs_mounts.forget_directory(where)
