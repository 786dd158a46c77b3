"""`zpool export`, `import` and `destroy`: pools leave the model and are found again by their disks' labels.

What an exported pool holds besides its configuration (properties and files of its file systems) waits in
section "exported" and in a folder named after the pool's guid.
"""

import os

import disks
import model
import zfs_datasets
import zfs_destroy
import zfs_label
import zfs_mount_verbs
import zfs_mounts
import zfs_options
import zpool_change
import zpool_status
import zpool_vdevs
from hints import Any
from zfs_options import Options, RefusedError
from zfs_show import complain


def _folder(guid: str) -> str:
    return os.path.join(model.FOLDER, "exported", guid)


def export(argv: list[str]) -> int:
    """`zpool export`."""
    options = zfs_options.parse("zpool", ["export", *argv], "f")
    if len(options.rest) < 2:
        raise RefusedError("missing pool argument", status=2)
    with model.change() as state:
        for name in options.rest[1:]:
            row = zpool_change.pool(state, name)
            datasets = [name, *zfs_datasets.below(state, name)]
            _check_idle(state, datasets)
            _lay_away(state, row, datasets)
    return 0


def _check_idle(state: model.Model, datasets: list[str]) -> None:
    try:
        zfs_mounts.refuse_if_busy(state, datasets)
    except RefusedError as error:
        raise RefusedError(error.text) from None


def _lay_away(state: model.Model, row: dict[str, Any], datasets: list[str]) -> None:
    kept: dict[str, Any] = {}
    folder = _folder(row["guid"])
    os.makedirs(folder, exist_ok=True)
    for name in reversed(datasets):
        where = zfs_datasets.row_of(state, name)["mounted"]
        made = zfs_datasets.value(state, name, "mountpoint")[1] != "local"
        zfs_mounts.unmount(state, name)
        if made:
            zfs_mounts.forget_directory(where)
        relative = name[len(row["name"]) :]
        kept[relative] = zfs_datasets.every(state).pop(name)
        if os.path.isdir(zfs_mounts.aside(name)):
            os.rename(zfs_mounts.aside(name), os.path.join(folder, zfs_mounts.quoted(relative) or "%"))
    zpool_vdevs.write_labels(state, row, "exported")
    model.section(state, "exported")[row["guid"]] = kept
    del model.section(state, "pools")[row["name"]]


def destroy(argv: list[str]) -> int:
    """`zpool destroy`: the labels stay, marked, as ZFS leaves them."""
    options = zfs_options.parse("zpool", ["destroy", *argv], "f")
    if len(options.rest) < 2:
        raise RefusedError("missing pool argument", status=2)
    with model.change() as state:
        name = options.rest[1]
        row = zpool_change.pool(state, name)
        datasets = [name, *zfs_datasets.below(state, name)]
        try:
            zfs_mounts.refuse_if_busy(state, datasets)
        except RefusedError as error:
            text = f"{error.text}\ncould not destroy '{name}': could not unmount datasets"
            raise RefusedError(text) from None
        for each in reversed(datasets):
            zfs_destroy.remove(state, each)
        zpool_vdevs.write_labels(state, row, "destroyed")
        del model.section(state, "pools")[name]
    return 0


def found(state: model.Model, folders: list[str]) -> dict[str, dict[str, Any]]:
    """Return the pools on disks that are not imported, by guid; device paths as found below the folders.

    In place of folders there may be single devices, and then nothing else is looked at.
    """
    single = [path for path in folders if not os.path.isdir(model.path(path))]
    named = {(at.disk, at.part): path for path in single if (at := disks.find(state, path))}
    running = {row["guid"] for row in model.section(state, "pools").values()}
    pools: dict[str, dict[str, Any]] = {}
    for disk in disks.every(state):
        for place in (disk, *disks.partitions(disk)):
            if single and (place.disk, place.part) not in named:
                continue
            config = zfs_label.read(place.file, place.start, place.size) if place.size else None
            if config is None or config["state"] == "destroyed" or config["guid"] in running:
                continue
            row = pools.setdefault(config["guid"], config)
            for leaf in zpool_vdevs.leaves(row["vdevs"]):
                if leaf["guid"] == config["vdev"]:
                    leaf.update(kname=place.disk, part=place.part)
                    found_at = named.get((place.disk, place.part)) or _path_in(disk, place, folders)
                    leaf["path"] = found_at or leaf["path"]
    return pools


def _path_in(disk: disks.Device, place: disks.Device, folders: list[str]) -> str:
    for folder in folders:
        path = ""
        if folder.rstrip("/") == "/dev":
            path = "/dev/" + disk.kname
        elif folder.rstrip("/") + "/" == disks.BY_ID and disk.row.get("by_id"):
            path = disks.BY_ID + str(disk.row["by_id"][0])
        if path:
            return disks.partition_path(path, place.part) if place.part else path
    return ""


def bring(argv: list[str]) -> int:
    """`zpool import`."""
    options = zfs_options.parse("zpool", ["import", *argv], "ad:fN")
    words = options.rest[1:]
    folders = options.every("d")
    if not words and "a" not in options:
        return _show(model.read(), folders)
    with model.change() as state:
        pools = found(state, folders)
        if "a" in options:
            chosen = sorted(pools.values(), key=lambda row: str(row["name"]))
        else:
            chosen = [row for row in pools.values() if words[0] in (row["name"], row["guid"])]
        if not chosen and "a" in options:
            complain(["no pools available to import"])
            return 0
        if not chosen:
            raise RefusedError(f"cannot import '{words[0]}': no such pool available")
        if len(chosen) > 1 and "a" not in options:
            text = f"cannot import '{words[0]}': more than one matching pool\n"
            raise RefusedError(text + "import by numeric ID instead")
        for row in chosen:
            _import(state, row, words[1] if len(words) > 1 else row["name"], options)
    return 0


def _show(state: model.Model, folders: list[str]) -> int:
    pools = found(state, folders)
    if not pools:
        complain(["no pools available to import"])
    texts = []
    for row in pools.values():
        health = zpool_vdevs.pool_state(state, row)
        lines = [f"  pool: {row['name']}", f"    id: {row['guid']}", f" state: {health}"]
        said = zpool_status.explanation(state, row, health)
        if said:
            lines.append("status: One or more devices are missing from the system.")
            lines.append("action: The pool can be imported despite missing or damaged devices.  The")
            lines.append("\tfault tolerance of the pool may be compromised if imported.")
        else:
            lines.append("action: The pool can be imported using its name or numeric identifier.")
        tree = zpool_status.tree(state, row, full=False, kernel=False)
        width = max(2 * depth + len(name) for depth, name, *_ in tree)
        rows = [
            f"\t{'  ' * depth + name:<{width}}  {what:<8}  {note}".rstrip()
            for depth, name, what, note in tree
        ]
        texts.append("\n".join([*lines, "config:", "", *rows]))
    if texts:
        print("\n\n".join(texts))
    return 0


def _import(state: model.Model, row: dict[str, Any], name: str, options: Options) -> None:
    prefix = f"cannot import '{row['name']}': "
    if name in model.section(state, "pools"):
        text = f"{prefix}a pool with that name already exists\nuse the form "
        raise RefusedError(f"{text}'zpool import <pool | id> <newpool>' to give it a new name")
    if row["state"] == "active" and row.get("hostname") != os.uname().nodename and "f" not in options:
        text = f"{prefix}pool was previously in use from another system.\n"
        raise RefusedError(text + "The pool can be imported, use 'zpool import -f' to import the pool.")
    if zpool_vdevs.pool_state(state, row) == "UNAVAIL":
        raise RefusedError(f"{prefix}one or more devices is currently unavailable")
    del row["state"], row["vdev"], row["hostname"]
    row |= {"name": name, "load_guid": zfs_datasets.new_guid(), "scan": ""}
    model.section(state, "pools")[name] = row
    zpool_vdevs.write_labels(state, row, "active")
    kept = model.section(state, "exported").pop(row["guid"], None)
    if kept is None:
        zfs_datasets.new(state, name, "filesystem", {})
    _unpack(state, row["guid"], name, kept or {})
    for each in [name, *zfs_datasets.below(state, name)]:
        if zfs_mounts.automatic(state, each) and "N" not in options:
            zfs_mount_verbs.try_mount(state, each)


def _unpack(state: model.Model, guid: str, name: str, kept: dict[str, Any]) -> None:
    for relative, data in kept.items():
        zfs_datasets.every(state)[name + relative] = data
        stored = os.path.join(_folder(guid), zfs_mounts.quoted(relative) or "%")
        if os.path.isdir(stored):
            os.makedirs(os.path.dirname(zfs_mounts.aside(name)), exist_ok=True)
            os.rename(stored, zfs_mounts.aside(name + relative))
