"""The volumes of containers: made, measured, resized and freed on the storages they lie on.

On a zfspool a volume is a dataset with a quota, and its files are the dataset's. On a directory storage it
is a sparse raw image of the right length that nobody looks into: its files are in a hidden folder beside it.
"""

import os
import re
import sys

import guest_conf
import model
import storage_config
import storage_use
import storage_volumes
from guest_conf import Refused
from storage_config import Storage
from storage_rules import Refused as StorageRefused

LOCK = "/var/lock/pve-manager/pve-storage-"
"""Where a storage's lock is: on one storage, volumes are made and freed one at a time."""
NEW = re.compile(r"([^:\s]+):(\d+(?:\.\d+)?)")
"""`storage:GiB`: a volume that is to be made."""
_OWNED = re.compile(r"(?:vm|base|subvol|basevol)-(\d+)-")


def storage(name: str) -> Storage:
    found = storage_config.load().get(name)
    if found is None:
        raise Refused(f"storage '{name}' does not exist")
    return found


def ready(name: str) -> Storage:
    """Return a storage made ready for use on this node, or refuse."""
    found = storage(name)
    if found.get("disable") == "1":
        raise Refused(f"storage '{name}' is disabled")
    if not storage_config.here(found):
        node = model.read().get("hostname", "localhost")
        raise Refused(f"storage '{name}' is not available on node '{node}'")
    storage_use.activate(name, found)
    return found


def split(volid: str) -> tuple[str, str]:
    """Split `storage:name`."""
    found = re.fullmatch(r"([a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]):(.+)", volid)
    if not found:
        raise Refused(f"unable to parse volume ID '{volid}'")
    return found[1], found[2]


def owner(volid: str) -> str:
    """Return the number of the guest a volume belongs to."""
    found = _OWNED.match(leaf(volid))
    return found[1] if found else ""


def leaf(volid: str) -> str:
    """Return a volume's own name, without its storage, folder, or the volume it is a clone of."""
    return volid.rpartition(":")[2].rpartition("/")[2]


def gib(text: str) -> int:
    """Return the bytes of a size in GiB (`0.2`): whole MiB, as Proxmox rounds them."""
    return int(float(text) * 1024) << 20


def size_of(text: str) -> int:
    """Return the bytes of a disk size (`2560M`, `1G`, `0T`)."""
    unit = text[-1:].upper()
    return int(
        float(text.rstrip("KMGTkmgt")) * (1 << (10 * ("KMGT".index(unit) + 1) if unit in "KMGT" else 0))
    )


def spelt(size: int) -> str:
    """Spell bytes as Proxmox does: in the largest unit that is exact (0 is `0T`)."""
    units = ["", "K", "M", "G", "T"]
    while len(units) > 1 and size % 1024 == 0:
        size //= 1024
        del units[0]
    return f"{size}{units[0]}"


def allocate(name: str, vmid: str, size: int, announce: bool = True) -> str:
    """Make an empty volume of that many bytes for a guest; return its volume id.

    Tells what Proxmox tells on the way, unless `announce` is off.
    """
    found = ready(name)
    if "rootdir" not in storage_config.content(found):
        raise Refused(f"storage '{name}' does not support container directories")
    if found["type"] == "zfspool":
        with guest_conf.held(LOCK + name, sys.stderr):
            return _new_dataset(name, found, vmid, size)
    if found["type"] not in storage_use.FILES:
        model.not_simulated("pct", ["volume on", name])
    if not size:
        model.not_simulated("pct", ["volume without a size on", name])
    with guest_conf.held(LOCK + name, sys.stderr):
        return _new_image(name, found, vmid, size, announce)


def _new_dataset(name: str, found: Storage, vmid: str, size: int) -> str:
    taken = [volume.volid for volume in storage_volumes.listing(name, found, ["rootdir", "images"])]
    own = _free_name("subvol", vmid, "", taken)
    props = ["-o", "acltype=posixacl", "-o", "xattr=sa"]
    if size:
        props += ["-o", f"refquota={size // 1024}k"]
    zfs("create", *props, f"{found['pool']}/{own}")
    return f"{name}:{own}"


def _free_name(kind: str, vmid: str, ending: str, taken: list[str]) -> str:
    """Return the first number that no volume of the guest on that storage has, whatever it is."""
    pattern = re.compile(rf"(?:vm|base|subvol|basevol)-{vmid}-disk-(\d+)(?:\..*)?")
    numbers = {int(match[1]) for volid in taken if (match := pattern.fullmatch(leaf(volid)))}
    return f"{kind}-{vmid}-disk-{next(n for n in range(len(numbers) + 1) if n not in numbers)}{ending}"


def _new_image(name: str, found: Storage, vmid: str, size: int, announce: bool) -> str:
    folder = f"{storage_use.subfolder(found, 'images')}/{vmid}"
    os.makedirs(model.path(folder), exist_ok=True)
    file = _free_name("vm", vmid, ".raw", os.listdir(model.path(folder)))
    with open(model.path(f"{folder}/{file}"), "wb") as image:
        image.truncate(size)
    os.mkdir(model.path(f"{folder}/.{file}"))
    if announce:
        import guest_images

        guest_images.tell_made(f"{folder}/{file}", size)
    return f"{name}:{vmid}/{file}"


def place(volid: str) -> str:
    """Return the folder with a volume's files, as seen on the node; it may not exist."""
    name, rest = split(volid)
    path = storage_volumes.path_of(storage(name), rest)
    return path if _is_dataset(storage(name)) else f"{os.path.dirname(path)}/.{os.path.basename(path)}"


def image(volid: str) -> str:
    """Return what Proxmox says a volume's path is: the dataset's folder, or the raw file."""
    name, rest = split(volid)
    return storage_volumes.path_of(storage(name), rest)


def dataset(volid: str) -> str:
    """Return the dataset behind a volume; empty on a directory storage."""
    name, rest = split(volid)
    found = storage(name)
    return f"{found['pool']}/{rest.rpartition('/')[2]}" if _is_dataset(found) else ""


def _is_dataset(found: Storage) -> bool:
    return found["type"] == "zfspool"


def exists(volid: str) -> bool:
    name = dataset(volid)
    if not name:
        return os.path.exists(model.path(image(volid)))
    import zfs_datasets

    return bool(zfs_datasets.kind_of(model.read(), name))


def size(volid: str) -> int | None:
    """Return a volume's size in bytes, None (and a line on stderr) if there is no such volume."""
    name = dataset(volid)
    if not name:
        path = image(volid)
        if not os.path.exists(model.path(path)):
            print(f"failed to stat '{path}'", file=sys.stderr)
            return None
        return os.stat(model.path(path)).st_size
    import zfs_datasets

    state = model.read()
    if not zfs_datasets.kind_of(state, name):
        print(f"zfs error: cannot open '{name}': dataset does not exist", file=sys.stderr)
        return None
    quota = zfs_datasets.value(state, name, "refquota")[0]
    return int(quota) if quota.isdigit() else 0


def resize(volid: str, wanted: int) -> None:
    """Let a volume have that many bytes."""
    name = dataset(volid)
    if name:
        zfs("set", f"refquota={wanted // 1024}k", name)
    else:
        os.truncate(model.path(image(volid)), wanted)


def free(volid: str) -> None:
    """Remove a volume with its snapshots and files."""
    with guest_conf.held(LOCK + split(volid)[0], sys.stderr):
        _free(volid)


def _free(volid: str) -> None:
    name = dataset(volid)
    if not name:
        storage_volumes.free(storage(split(volid)[0]), split(volid)[1])
        return
    import zfs_datasets

    state = model.read()
    own = leaf(volid)
    origins = [str(row.get("origin") or "") for row in zfs_datasets.every(state).values()]
    if own.startswith(("base-", "basevol-")) and any(origin.startswith(name + "@") for origin in origins):
        raise Refused(f"base volume '{own}' is still in use by linked clones")
    if zfs_datasets.kind_of(state, name):
        zfs("destroy", "-r", name)


def of_guest(vmid: str) -> dict[str, int]:
    """Return the volumes of a guest on all storages that are in use here, with their sizes."""
    found: dict[str, int] = {}
    for name, each in sorted(storage_config.load().items()):
        if each.get("disable") == "1" or not storage_config.here(each):
            continue
        if not {"images", "rootdir"} & set(storage_config.content(each)):
            continue
        try:
            storage_use.activate(name, each)
            volumes = storage_volumes.listing(name, each, ["rootdir", "images"])
        except StorageRefused as refused:
            print(refused, file=sys.stderr)
            continue
        found |= {volume.volid: volume.size for volume in volumes if volume.vmid == vmid}
    return found


def rename(volid: str, own: str) -> str:
    """Give a volume another name of its own, on the same storage; return its new id."""
    name = dataset(volid)
    storage_name, rest = split(volid)
    above = rest[: len(rest) - len(leaf(volid))]
    if name:
        zfs("rename", name, f"{name.rpartition('/')[0]}/{own}")
        return f"{storage_name}:{above}{own}"
    old, files = model.path(image(volid)), model.path(place(volid))
    renamed = f"{storage_name}:{above}{own}"
    os.rename(old, model.path(image(renamed)))
    os.rename(files, model.path(place(renamed)))
    return renamed


def zfs(*words: str) -> None:
    """Let zfs do something, its stand-in in this process; refuse in Proxmox' words when it refuses."""
    import zfs_real

    if zfs_real.there():
        refusal = zfs_real.change(list(words))
        if refusal:
            raise Refused(f"zfs error: {refusal}")
        return
    import tool_zfs
    from zfs_options import RefusedError

    try:
        tool_zfs.run(list(words))
    except RefusedError as refused:
        raise Refused(f"zfs error: {refused.text}") from None
