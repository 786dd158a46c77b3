"""Volumes: what lies on a storage, under which id, and where."""

import os

import model
from storage_config import Storage
from storage_rules import Refused
from storage_use import FILES, subfolder

FILE_KINDS = ("iso", "vztmpl", "snippets", "backup", "import")
_FORMATS = {".tar.gz": "tgz", ".tar.zst": "tzst", ".tar.xz": "txz", ".tgz": "tgz"}


class Volume:
    """One row of `pvesm list`."""

    def __init__(self, volid: str, form: str, kind: str, size: int, vmid: str = "") -> None:
        self.volid, self.form, self.kind, self.size, self.vmid = volid, form, kind, size, vmid


def split(volid: str) -> tuple[str, str]:
    """Split `storage:name`."""
    storage, colon, name = volid.partition(":")
    if not colon or not storage or not name:
        raise Refused(f"unable to parse volume ID '{volid}'")
    return storage, name


def path_of(storage: Storage, name: str) -> str:
    """Return the path of a volume, whether it exists or not."""
    if storage["type"] == "zfspool":
        leaf = name.rpartition("/")[2]
        folder = storage.get("mountpoint", "/" + storage["pool"])
        return (
            f"{folder}/{leaf}"
            if leaf.startswith(("subvol-", "basevol-"))
            else f"/dev/zvol/{storage['pool']}/{leaf}"
        )
    kind, slash, rest = name.partition("/")
    if not slash:
        raise Refused(f"unable to parse directory volume name '{name}'")
    if kind in FILE_KINDS:
        return f"{subfolder(storage, kind)}/{rest}"
    return f"{subfolder(storage, 'images')}/{'/'.join(name.split('/')[-2:])}"  # of a linked clone, its own


def listing(name: str, storage: Storage, kinds: list[str]) -> list[Volume]:
    """Return the volumes of an activated storage."""
    if storage["type"] == "zfspool":
        found = _datasets(name, storage)
    elif storage["type"] in FILES:
        found = _images(name, storage) + _files(name, storage, [kind for kind in FILE_KINDS if kind in kinds])
    else:
        found = []
    return [volume for volume in found if volume.kind in kinds]


def _guest_kind(vmid: str) -> str:
    """Disks of containers are `rootdir`, others `images`."""
    return "rootdir" if os.path.exists(model.path(f"/etc/pve/lxc/{vmid}.conf")) else "images"


def _images(name: str, storage: Storage) -> list[Volume]:
    found = []
    top = model.path(subfolder(storage, "images"))
    for vmid in sorted(os.listdir(top)) if os.path.isdir(top) else []:
        for file in sorted(os.listdir(os.path.join(top, vmid))) if vmid.isdigit() else []:
            form = file.rpartition(".")[2]
            if form in ("raw", "qcow2", "vmdk", "subvol") and not file.startswith("."):
                size = os.stat(os.path.join(top, vmid, file)).st_size
                found.append(Volume(f"{name}:{vmid}/{file}", form, _guest_kind(vmid), size, vmid))
    return found


def _files(name: str, storage: Storage, kinds: list[str]) -> list[Volume]:
    found = []
    for kind in kinds:
        top = model.path(subfolder(storage, kind))
        for file in sorted(os.listdir(top)) if os.path.isdir(top) else []:
            form = _form(kind, file)
            if form:
                parts = file.split("-")
                vmid = parts[2] if kind == "backup" and len(parts) > 2 and parts[2].isdigit() else ""
                size = os.stat(os.path.join(top, file)).st_size
                found.append(Volume(f"{name}:{kind}/{file}", form, kind, size, vmid))
    return found


def _form(kind: str, file: str) -> str | None:
    if kind == "iso":
        return "iso" if file.lower().endswith((".iso", ".img")) else None
    if kind == "vztmpl":
        return next((form for ending, form in _FORMATS.items() if file.endswith(ending)), None)
    if kind == "snippets":
        return "snippet"
    if kind == "backup":
        endings = ("tar.zst", "tar.gz", "tar.lzo", "tar", "tgz", "vma.zst", "vma.gz", "vma.lzo", "vma")
        return next((ending for ending in endings if file.endswith("." + ending)), None)
    return file.rpartition(".")[2]


def _datasets(name: str, storage: Storage) -> list[Volume]:
    import zfs_datasets

    state = model.read()
    found = []
    for dataset, row in sorted(zfs_datasets.every(state).items()):
        parent, _, leaf = dataset.rpartition("/")
        kind, vmid = [*leaf.split("-", 2), "", ""][:2]
        if parent != storage["pool"] or kind not in ("subvol", "basevol", "vm", "base") or not vmid.isdigit():
            continue
        tree = kind in ("subvol", "basevol")
        size = zfs_datasets.value(state, dataset, "refquota" if tree else "volsize")[0]
        origin = str(row.get("origin") or "").partition("@")[0].rpartition("/")[2]
        volid = f"{name}:{origin + '/' if origin else ''}{leaf}"
        kind = "rootdir" if tree else "images"
        found.append(
            Volume(volid, "subvol" if tree else "raw", kind, int(size) if size.isdigit() else 0, vmid)
        )
    return found


def allocate(name: str, storage: Storage, vmid: str, file: str, size: str) -> str:
    """Make a raw disk image on a directory storage and return its volume id."""
    folder = f"{subfolder(storage, 'images')}/{vmid}"
    if not file:
        number = 0
        while os.path.exists(model.path(f"{folder}/vm-{vmid}-disk-{number}.raw")):
            number += 1
        file = f"vm-{vmid}-disk-{number}.raw"
    if not file.endswith((".raw", ".qcow2", ".vmdk", ".subvol")):
        raise Refused(f"unable to parse volume filename '{file}'")
    if not file.endswith(".raw"):
        model.not_simulated("pvesm", ["alloc", name, vmid, file, size])
    place = f"{folder}/{file}"
    if os.path.exists(model.path(place)):
        raise Refused(f"disk image '{place}' already exists")
    length = int(size.rstrip("MG")) * {"M": 1024**2, "G": 1024**3}.get(size[-1], 1024)
    os.makedirs(model.path(folder), exist_ok=True)
    with open(model.path(place), "wb") as image:
        image.truncate(length)
    print(f"Formatting '{place}', fmt=raw size={length} preallocation=off")
    return f"{name}:{vmid}/{file}"


def free(storage: Storage, name: str) -> None:
    """Remove a volume of a directory storage."""
    place = path_of(storage, name)
    if not os.path.exists(model.path(place)):
        print(f"disk image '{place}' does not exist")
        return
    os.unlink(model.path(place))
    folder = os.path.dirname(model.path(place))
    # a container's files are in a hidden folder beside the image
    files = os.path.join(folder, "." + os.path.basename(place))
    if os.path.isdir(files):
        import shutil

        shutil.rmtree(files)
    if "/images/" in place and not os.listdir(folder):
        os.rmdir(folder)
