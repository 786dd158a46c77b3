"""`zfs mount`, `unmount` and `rename`."""

import os

import model
import zfs_datasets
import zfs_mounts
import zfs_options
from zfs_options import RefusedError
from zfs_show import complain


def mount(argv: list[str]) -> int:
    """`zfs mount`."""
    options = zfs_options.parse("zfs", ["mount", *argv], "av")
    names = options.rest[1:]
    if not names and "a" not in options:
        for name, where in zfs_mounts.mounted(model.read()).items():
            print(f"{name:<30}  {where}")
        return 0
    status = 0
    with model.change() as state:
        if "a" in options:
            for name in sorted(zfs_datasets.every(state)):
                if zfs_mounts.automatic(state, name) and not zfs_datasets.row_of(state, name)["mounted"]:
                    status |= try_mount(state, name)
        for name in names:
            status |= try_mount(state, name)
    return status


def try_mount(state: model.Model, name: str) -> int:
    """Mount one; says why not and returns the status."""
    try:
        _mount(state, name)
    except RefusedError as error:
        complain([error.text])
        return error.status
    return 0


def _mount(state: model.Model, name: str) -> None:
    row = zfs_datasets.existing(state, name)
    prefix = f"cannot mount '{name}': "
    kind = zfs_datasets.kind_of(state, name)
    if kind != "filesystem":
        raise RefusedError(f"cannot open '{name}': operation not applicable to datasets of this type")
    where = zfs_datasets.value(state, name, "mountpoint")[0]
    if where == "legacy":
        raise RefusedError(f"{prefix}legacy mountpoint\nuse mount(8) to mount this filesystem")
    if where == "none":
        raise RefusedError(f"{prefix}no mountpoint set")
    if zfs_datasets.value(state, name, "canmount")[0] == "off":
        raise RefusedError(f"{prefix}'canmount' property is set to 'off'")
    if row.get("mounted"):
        raise RefusedError(f"{prefix}filesystem already mounted")
    zfs_mounts.mount(state, name)


def unmount(argv: list[str]) -> int:
    """`zfs unmount`."""
    options = zfs_options.parse("zfs", ["unmount", *argv], "afu")
    with model.change() as state:
        if "a" in options:
            _unmount_all(state, list(zfs_mounts.mounted(state)))
        for word in options.rest[1:]:
            name = zfs_mounts.at(state, word) if word.startswith("/") else word
            if word.startswith("/") and zfs_mounts.mounted(state).get(name) != word:
                raise RefusedError(f"cannot unmount '{word}': not a mountpoint")
            if not zfs_datasets.existing(state, name).get("mounted"):
                raise RefusedError(f"cannot unmount '{name}': not currently mounted")
            _unmount_all(state, [name, *zfs_datasets.below(state, name)])
    return 0


def _unmount_all(state: model.Model, names: list[str]) -> None:
    try:
        zfs_mounts.refuse_if_busy(state, names)
    except RefusedError as error:
        raise RefusedError(error.text) from None
    for name in sorted(names, reverse=True):
        zfs_mounts.unmount(state, name)


def rename(argv: list[str]) -> int:
    """`zfs rename`."""
    options = zfs_options.parse("zfs", ["rename", *argv], "fpu")
    if len(options.rest) != 3 or "p" in options:
        model.not_simulated("zfs", ["rename", *argv])
    old, new = options.rest[1:]
    with model.change() as state:
        zfs_datasets.existing(state, old)
        prefix = f"cannot rename '{old}': "
        if "@" in old:
            fs, _, snap = old.partition("@")
            new = new if "@" in new else f"{fs}@{new}"
            _free(state, new, f"cannot rename to '{new}': ")
            snapshots = zfs_datasets.row_of(state, fs)["snapshots"]
            snapshots[new.partition("@")[2]] = snapshots.pop(snap)
            _point_to(state, old, new)
        else:
            _free(state, new, f"cannot rename to '{new}': ")
            if not zfs_datasets.kind_of(state, zfs_datasets.parent_of(new)):
                raise RefusedError(f"{prefix}parent does not exist")
            _rename_tree(state, old, new)
    return 0


def _free(state: model.Model, name: str, prefix: str) -> None:
    fault = zfs_datasets.name_fault(name, snapshot="@" in name)
    if fault:
        raise RefusedError(prefix + fault)
    if zfs_datasets.kind_of(state, name):
        raise RefusedError(f"{prefix}dataset already exists")


def _rename_tree(state: model.Model, old: str, new: str) -> None:
    if new.startswith(old + "/"):
        text = "New dataset name cannot be a descendant of current dataset name"
        raise RefusedError(f"cannot rename '{old}': {text}")
    names = [old, *zfs_datasets.below(state, old)]
    changing = zfs_mounts.Remount(state, names)
    for name in names:
        later = new + name[len(old) :]
        move_aside(name, later)
        row = zfs_datasets.every(state).pop(name)
        zfs_datasets.every(state)[later] = row
        for snap in row["snapshots"]:
            _point_to(state, f"{name}@{snap}", f"{later}@{snap}")
    changing.names = [new + name[len(old) :] for name in changing.names]
    changing.again()


def move_aside(name: str, later: str) -> None:
    """Let the content of an unmounted dataset follow its name."""
    if os.path.isdir(zfs_mounts.aside(name)):
        os.rename(zfs_mounts.aside(name), zfs_mounts.aside(later))


def _point_to(state: model.Model, old: str, new: str) -> None:
    """Clones remember their snapshot by name."""
    for row in zfs_datasets.every(state).values():
        if row.get("origin") == old:
            row["origin"] = new
