"""The commands of pvesm, their arguments already checked."""

import sys

import model
import storage_config
import storage_rules
import storage_use
import storage_volumes
from storage_config import Storage
from storage_rules import Refused

Values = dict[str, str]


def run(command: str, values: Values) -> int:
    if command == "apiinfo":
        print("APIVER 11\nAPIAGE 2")
        return 0
    if command == "scan zfs":
        _scan()
        return 0
    if command == "scan lvm":
        return 0
    verbs = {"add": add, "set": change, "remove": remove, "status": status, "list": show, "path": path,
             "alloc": alloc, "free": free}  # fmt: skip
    return verbs[command](values)


def find(name: str) -> Storage:
    storage = storage_config.load().get(name)
    if storage is None:
        raise Refused(f"storage '{name}' does not exist")
    return storage


def _note(name: str, storage: Storage) -> None:
    if "mkdir" in storage:
        print(
            f"NOTE: The 'mkdir' option set for '{name}' is deprecated and will be removed in Proxmox VE 9. "
            "Use 'create-base-path' or 'create-subdirs' instead.",
            file=sys.stderr,
        )


def _ended(action: str, refused: Refused, code: int) -> int:
    print(f"{action} storage failed: {refused}", file=sys.stderr)
    return code


def add(values: Values) -> int:
    kind, name = values.pop("type"), values.pop("storage")
    secret = values.pop("password", None)
    if secret is not None and "password" not in storage_rules.options(kind):
        raise Refused("unexpected property 'password'")
    if kind in ("nfs", "cifs", "cephfs", "glusterfs"):
        values.setdefault("path", f"/mnt/pve/{name}")
    storage = {"type": kind, **storage_rules.checked(kind, values, creating=True)}
    try:
        with storage_config.locked():
            storages = storage_config.load()
            if name in storages:
                raise Refused(f"storage ID '{name}' already defined")
            _try(name, storage, secret)
            storage_config.save({**storages, name: storage})
    except Refused as refused:
        # The real tool's status is a leftover errno; these are the recorded ones.
        code = {"nfs": 111, "cifs": 2, "zfspool": 1}.get(kind, 255)
        return _ended("create", refused, 255 if "already defined" in str(refused) else code)
    return 0


def _try(name: str, storage: Storage, secret: str | None) -> None:
    """Complete a new storage and, if it is for this node, activate it to see whether it works."""
    import storage_remote

    storage_use.prepare(name, storage)
    if secret is not None:
        storage_remote.keep_password(name, secret)
    usable = storage.get("disable") != "1" and storage_config.here(storage)
    try:
        if usable:
            _note(name, storage)
            storage_use.activate(name, {**storage, "content": storage.get("content", _default(storage))})
    except Refused:
        storage_remote.forget_password(name)
        raise


def _default(storage: Storage) -> str:
    return storage_rules.CONTENT[storage["type"]][1].replace(" ", ",")


def change(values: Values) -> int:
    name = values.pop("storage")
    dropped = storage_rules.words(values.pop("delete", ""))
    digest = values.pop("digest", None)
    secret = values.pop("password", None)
    try:
        with storage_config.locked():
            _change(name, values, dropped, digest)
    except Refused as refused:
        return _ended("update", refused, 255)
    if secret is not None:
        import storage_remote

        storage_remote.keep_password(name, secret)
    return 0


def _change(name: str, values: Values, dropped: list[str], digest: str | None) -> None:
    if digest is not None and digest != storage_config.digest():
        raise Refused("detected modified configuration - file changed by other user? Try again.")
    storages = storage_config.load()
    if name not in storages:
        raise Refused(f"storage '{name}' does not exist")
    storage = storages[name]
    known = storage_rules.options(storage["type"])
    wanted = storage_rules.checked(storage["type"], values, creating=False)
    for key in dropped:
        if key not in known:
            raise Refused(f"no such option '{key}'")
        if known[key] in ("!", "*"):
            raise Refused(f"unable to delete required option '{key}'")
        if known[key]:
            raise Refused(f"unable to delete fixed option '{key}'")
        if key in wanted:
            raise Refused(f"cannot set and delete property '{key}' at the same time!")
        storage.pop(key, None)
    storage.update(wanted)
    _note(name, wanted)
    storage_config.save(storages)


def remove(values: Values) -> int:
    import storage_remote

    name = values["storage"]
    try:
        with storage_config.locked():
            storages = storage_config.load()
            if name not in storages:
                raise Refused(f"storage '{name}' does not exist")
            del storages[name]
            storage_remote.forget_password(name)
            storage_config.save(storages)
    except Refused as refused:
        return _ended("delete", refused, 255)
    return 0


def status(values: Values) -> int:
    storages = storage_config.load()
    only = values.get("storage")
    if only is not None and only not in storages:
        raise Refused(
            "400 Parameter verification failed.\nstorage: No such storage.\npvesm status  [OPTIONS]"
        )
    host = str(model.read().get("hostname", "localhost"))
    kinds = storage_rules.words(values.get("content", ""))
    rows = []
    for name, storage in sorted(storages.items()):
        disabled = storage.get("disable") == "1"
        if only not in (None, name) or not storage_config.here(storage):
            continue
        if disabled and values.get("enabled", "0") in storage_rules.YES:
            continue
        if kinds and not set(kinds) & set(storage_config.content(storage)):
            continue
        if values.get("target", host) != host and not _shared(storage):
            continue
        rows.append((name, storage["type"], *_figures(name, storage, disabled)))
    width = max((len(row[0]) for row in rows), default=0) + 1
    for cells in [("Name", "Type", "Status", "Total", "Used", "Available", "%"), *rows]:
        first, kind, state, total, used, free, part = cells
        print(f"{first:<{width}} {kind:>10} {state:>10} {total:>15} {used:>15} {free:>15} {part:>8}")
    return 0


def _shared(storage: Storage) -> bool:
    return storage.get("shared") == "1" or storage["type"] in ("nfs", "cifs", "cephfs", "rbd", "pbs", "iscsi")


def _figures(name: str, storage: Storage, disabled: bool) -> tuple[str, str, str, str, str]:
    """Return the columns from Status on, sizes in KiB."""
    if disabled:
        return "disabled", "0", "0", "0", "N/A"
    try:
        storage_use.activate(name, storage)
        total, used, free = storage_use.space(storage)
    except Refused as refused:
        # A storage that does not work is a row like the others, and a line on stderr.
        print(str(refused), file=sys.stderr)
        return "inactive", "0", "0", "0", "0.00%"
    part = f"{used * 100 / total:.2f}%" if total else "0.00%"
    return "active", str(total // 1024), str(used // 1024), str(free // 1024), part


def show(values: Values) -> int:
    name = values["storage"]
    storage = find(name)
    if not storage_config.here(storage):
        raise Refused(
            f"storage '{name}' is not available on node '{model.read().get('hostname', 'localhost')}'"
        )
    if storage.get("disable") == "1":
        raise Refused(f"storage '{name}' is disabled")
    storage_use.activate(name, storage)
    kinds = storage_rules.words(values.get("content", "")) or list(storage_use.SUBFOLDERS)
    volumes = storage_volumes.listing(name, storage, kinds)
    volumes = [volume for volume in volumes if values.get("vmid", volume.vmid) == volume.vmid]
    rows = [("Volid", "Format", "Type", "Size", "VMID")]
    rows += [(v.volid, v.form, v.kind, str(v.size), v.vmid) for v in volumes]
    first, last = max(len(row[0]) for row in rows), max(len(row[3]) for row in rows)
    for volid, form, kind, size, vmid in rows:
        print(f"{volid:<{first}} {form:<7} {kind:<9} {size:>{last}} {vmid}".rstrip())
    return 0


def path(values: Values) -> int:
    storage, name = storage_volumes.split(values["volume"])
    print(storage_volumes.path_of(find(storage), name))
    return 0


def alloc(values: Values) -> int:
    storage = find(values["storage"])
    if storage["type"] != "dir":
        model.not_simulated("pvesm", ["alloc", *values.values()])
    try:
        storage_use.activate(values["storage"], storage)
        volid = storage_volumes.allocate(
            values["storage"], storage, values["vmid"], values["filename"], values["size"]
        )
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 25
    print(f"successfully created '{volid}'")
    return 0


def free(values: Values) -> int:
    name, volume = storage_volumes.split(values["volume"])
    storage = find(name)
    if storage["type"] != "dir":
        model.not_simulated("pvesm", ["free", values["volume"]])
    storage_volumes.free(storage, volume)
    print(f"Removed volume '{values['volume']}'")
    return 0


def _scan() -> None:
    """Print the file systems a storage could be made on: all that do not hold a guest's disk."""
    import zfs_datasets

    for name, row in sorted(zfs_datasets.every(model.read()).items()):
        if row.get("type") == "filesystem" and not name.rpartition("/")[2].startswith(
            ("subvol-", "basevol-")
        ):
            print(name)
