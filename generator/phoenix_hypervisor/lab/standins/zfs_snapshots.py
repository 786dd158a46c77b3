"""`zfs snapshot`, `rollback`, `clone`, `promote`, `hold`, `holds`, `release`: content is copied aside.

Content is copied without the model's lock, because that may take long: what is asked for is checked before,
and again when the copy is put to use.
"""

import os
import time

import guest_owners
import model
import zfs_change
import zfs_datasets
import zfs_mounts
import zfs_options
import zfs_space
import zfs_usage
from zfs_options import RefusedError


def folder(guid: str) -> str:
    """Return where a snapshot's copy of the files lies."""
    return os.path.join(model.FOLDER, "snapshots", guid)


def _copy(state: model.Model, source: str, destination: str) -> None:
    """Copy a dataset's files, without what is mounted below."""
    import shutil

    others = {model.path(where) for where in zfs_mounts.mounted(state).values()} - {source}

    def without_mounts(parent: str, names: list[str]) -> list[str]:
        return [name for name in names if os.path.join(parent, name) in others]

    if os.path.isdir(source):
        shutil.copytree(source, destination, symlinks=True, ignore=without_mounts, dirs_exist_ok=True)
        guest_owners.like(source, destination)
    else:
        os.makedirs(destination, exist_ok=True)


def _aside(state: model.Model, source: str) -> str:
    """Copy a dataset's files to where nobody looks yet; return where."""
    copy = os.path.join(model.FOLDER, "copies", zfs_datasets.new_guid())
    _copy(state, source, copy)
    return copy


def _use(copy: str, destination: str) -> None:
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    os.rename(copy, destination)


def _drop(copy: str) -> None:
    import shutil

    shutil.rmtree(copy, ignore_errors=True)


def snapshot(argv: list[str]) -> int:
    """`zfs snapshot`: all of them or none."""
    options = zfs_options.parse("zfs", ["snapshot", *argv], "ro:")
    if len(options.rest) < 2:
        raise RefusedError(f"missing snapshot argument\n{zfs_usage.text('snapshot')}", status=2)
    copies = {}
    state = model.read()
    for name in _snapshot_names(state, options):
        source = _content(state, name)
        copies[name] = (source, _aside(state, source)) if source else ("", "")
    try:
        with model.change() as state:
            names = _snapshot_names(state, options)
            if {name: _content(state, name) for name in names} != {name: copies[name][0] for name in copies}:
                raise RefusedError(f"cannot create snapshot '{names[0]}': dataset is busy")
            pool = zfs_datasets.pool_of(names[0])
            prefix = f"cannot create snapshot '{names[0]}': "
            props = zfs_change.properties(options.every("o"), "snapshot", prefix)
            space, txg = zfs_space.Space(state), zfs_datasets.next_txg(state, pool)
            for name in names:
                _take(state, name, copies[name][1], txg, space, props)
    finally:
        for copy in filter(None, (copy for _, copy in copies.values())):
            _drop(copy)
    return 0


def _content(state: model.Model, name: str) -> str:
    """Return the folder with the files that a snapshot is to keep; empty for a volume's."""
    fs = name.partition("@")[0]
    row = zfs_datasets.row_of(state, fs)
    return zfs_mounts.content(fs, row) if row["type"] == "filesystem" else ""


def _snapshot_names(state: model.Model, options: zfs_options.Options) -> list[str]:
    """Return the snapshots to take, or refuse."""
    names = []
    for word in options.rest[1:]:
        fs, at, snap = word.partition("@")
        fault = (
            zfs_datasets.name_fault(word, snapshot=True) if at else "missing '@' delimiter in snapshot name"
        )
        if fault:
            raise RefusedError(f"cannot create snapshot '{word}': {fault}")
        if not zfs_datasets.kind_of(state, fs):
            usage = zfs_usage.text("snapshot")
            raise RefusedError(f"cannot open '{fs}': dataset does not exist\n{usage}", status=2)
        below = zfs_datasets.below(state, fs) if "r" in options else []
        names += [f"{each}@{snap}" for each in [fs, *below]]
    for name in names:
        if zfs_datasets.kind_of(state, name):
            raise RefusedError(f"cannot create snapshot '{name}': dataset already exists")
    return names


def _take(
    state: model.Model, name: str, copy: str, txg: int, space: zfs_space.Space, props: dict[str, str]
) -> None:
    fs, _, snap = name.partition("@")
    row = zfs_datasets.row_of(state, fs)
    guid = zfs_datasets.new_guid()
    refer = space.refer(fs)
    if copy:
        _use(copy, folder(guid))
    row["snapshots"][snap] = {
        "guid": guid,
        "createtxg": txg,
        "objsetid": txg * 2 + 1,
        "created": int(time.time()),
        "props": dict(props),
        "refer": refer,
        "holds": {},
    }


def rollback(argv: list[str]) -> int:
    """`zfs rollback`."""
    options = zfs_options.parse("zfs", ["rollback", *argv], "rRf")
    if len(options.rest) != 2 or "R" in options:
        model.not_simulated("zfs", ["rollback", *argv])
    name = options.rest[1]
    with model.change() as state:
        taken = zfs_datasets.existing(state, name)
        fs = name.partition("@")[0]
        row = zfs_datasets.row_of(state, fs)
        later = [
            f"{fs}@{snap}"
            for snap, data in row["snapshots"].items()
            if data["createtxg"] > taken["createtxg"]
        ]
        if later and "r" not in options:
            text = f"cannot rollback to '{name}': more recent snapshots or bookmarks exist\n"
            text += "use '-r' to force deletion of the following snapshots and bookmarks:\n"
            raise RefusedError(text + "\n".join(later))
        for other in later:
            refuse_if_needed(state, other)
        for other in later:
            remove(state, other)
        _restore(state, fs, folder(taken["guid"]))
    return 0


def _restore(state: model.Model, fs: str, copy: str) -> None:
    import shutil

    content = zfs_mounts.content(fs, zfs_datasets.row_of(state, fs))
    others = [model.path(where) for where in zfs_mounts.mounted(state).values()]
    for entry in list(os.scandir(content)) if os.path.isdir(content) else []:
        # a folder on the way to another mountpoint stays
        if any(other == entry.path or other.startswith(entry.path + "/") for other in others):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
    if os.path.isdir(copy):
        shutil.copytree(copy, content, symlinks=True, dirs_exist_ok=True)
        guest_owners.like(copy, content)


def refuse_if_needed(state: model.Model, name: str) -> None:
    """Refuse to destroy a snapshot that is held or has clones."""
    if zfs_datasets.row_of(state, name)["holds"]:
        text = f"cannot destroy snapshot {name}: it's being held. Run 'zfs holds -r {name}' to see holders."
        raise RefusedError(text)
    clones = sorted(other for other, row in zfs_datasets.every(state).items() if row.get("origin") == name)
    if clones:
        text = f"cannot destroy '{name}': snapshot has dependent clones\n"
        raise RefusedError(text + "use '-R' to destroy the following datasets:\n" + "\n".join(clones))


def remove(state: model.Model, name: str) -> None:
    """Forget a snapshot and its files."""
    import shutil

    fs, _, snap = name.partition("@")
    row = zfs_datasets.row_of(state, fs)["snapshots"].pop(snap)
    shutil.rmtree(folder(row["guid"]), ignore_errors=True)


def clone(argv: list[str]) -> int:
    """`zfs clone`."""
    options = zfs_options.parse("zfs", ["clone", *argv], "o:u")
    if len(options.rest) != 3:
        model.not_simulated("zfs", ["clone", *argv])
    origin, name = options.rest[1:]
    prefix = f"cannot create '{name}': "
    state = model.read()
    guid = _cloned(state, origin, name)["guid"]
    copy = _aside(state, folder(guid)) if _content(state, origin) else ""
    try:
        with model.change() as state:
            if _cloned(state, origin, name)["guid"] != guid:
                raise RefusedError(prefix + "dataset is busy")
            source = zfs_datasets.row_of(state, origin.partition("@")[0])
            props = zfs_change.properties(options.every("o"), source["type"], prefix)
            if source["type"] == "volume":
                props = {"volsize": source["props"]["volsize"], **props}
            zfs_datasets.new(state, name, source["type"], props)["origin"] = origin
            if copy:
                _use(copy, zfs_mounts.aside(name))
            if zfs_mounts.automatic(state, name) and "u" not in options:
                return zfs_change.mount_new(state, name, "clone successfully created, but not mounted")
    finally:
        if copy:
            _drop(copy)
    return 0


def _cloned(state: model.Model, origin: str, name: str) -> zfs_datasets.Row:
    """Return the snapshot a clone comes from, or refuse."""
    prefix = f"cannot create '{name}': "
    taken = zfs_datasets.existing(state, origin)
    if zfs_datasets.kind_of(state, name):
        raise RefusedError(prefix + "dataset already exists")
    fault = zfs_datasets.name_fault(name)
    if fault:
        raise RefusedError(prefix + fault)
    if not zfs_datasets.kind_of(state, zfs_datasets.parent_of(name)):
        raise RefusedError(prefix + "parent does not exist")
    return taken


def promote(argv: list[str]) -> int:
    """`zfs promote`: the snapshots up to the origin become the clone's, and the roles are exchanged."""
    with model.change() as state:
        if len(argv) != 1:
            model.not_simulated("zfs", ["promote", *argv])
        name = argv[0]
        row = zfs_datasets.existing(state, name)
        origin = row.get("origin")
        if not origin:
            raise RefusedError(f"cannot promote '{name}': not a cloned filesystem")
        fs, _, snap = origin.partition("@")
        source = zfs_datasets.row_of(state, fs)
        last = source["snapshots"][snap]["createtxg"]
        for other in [each for each, data in source["snapshots"].items() if data["createtxg"] <= last]:
            if other in row["snapshots"]:
                raise RefusedError(
                    f"cannot promote '{name}': snapshot name '{fs}@{other}' from origin conflicts"
                )
            row["snapshots"][other] = source["snapshots"].pop(other)
            for data in zfs_datasets.every(state).values():
                if data.get("origin") == f"{fs}@{other}":
                    data["origin"] = f"{name}@{other}"
        row["origin"], source["origin"] = source.get("origin") or "", f"{name}@{snap}"
    return 0


def hold(argv: list[str]) -> int:
    """`zfs hold`."""
    options = zfs_options.parse("zfs", ["hold", *argv], "")
    if len(options.rest) < 3:
        model.not_simulated("zfs", ["hold", *argv])
    tag, names = options.rest[1], options.rest[2:]
    with model.change() as state:
        for name in names:
            holds = zfs_datasets.existing(state, name)["holds"]
            if tag in holds:
                raise RefusedError(f"cannot hold snapshot '{name}': tag already exists on this dataset")
            holds[tag] = int(time.time())
    return 0


def release(argv: list[str]) -> int:
    """`zfs release`."""
    options = zfs_options.parse("zfs", ["release", *argv], "")
    if len(options.rest) < 3:
        model.not_simulated("zfs", ["release", *argv])
    tag, names = options.rest[1], options.rest[2:]
    with model.change() as state:
        for name in names:
            if tag not in zfs_datasets.existing(state, name)["holds"]:
                raise RefusedError(f"cannot release hold from snapshot '{name}': no such tag on this dataset")
            del zfs_datasets.row_of(state, name)["holds"][tag]
    return 0
