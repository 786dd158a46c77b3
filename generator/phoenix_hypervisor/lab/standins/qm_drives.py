"""The disks of virtual machines: their settings, their volumes, and the files that are in them.

A disk's files (what a cloud image was unpacked to) lie in a folder: beside a raw image, hidden; of a zvol, in
the lab's own folder, with a copy for each snapshot.
"""

import os
import re
import shutil
import sys

import guest_conf
import guest_volumes
import model
import qm_formats
import storage_config
import storage_use
import storage_volumes
from guest_conf import Part, Refused
from guest_formats import NotParsedError

Drive = dict[str, str]
"""A disk's settings by name: `file`, `size` …"""
KEY = re.compile(r"((ide|sata|scsi|virtio)\d+|efidisk0|tpmstate0)")
ORDER = ("ide", "sata", "scsi", "virtio", "efidisk", "tpmstate")
NEW = re.compile(r"([^:\s]+):(\d+(?:\.\d+)?)")
CLOUDINIT = re.compile(r"([^:\s]+):cloudinit")
ZVOLS = "/var/lib/phoenix-lab/zvols"
QCOW2 = (
    "cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size={size} "
    "lazy_refcounts=off refcount_bits=16"
)


def read(key: str, value: str) -> Drive:
    try:
        return qm_formats.parse(key, value)
    except NotParsedError as error:
        raise Refused(str(error)) from None


def written(key: str, drive: Drive) -> str:
    if "size" in drive:
        drive = drive | {"size": guest_volumes.spelt(guest_volumes.size_of(drive["size"]))}
    return qm_formats.spell(
        key, {name: value for name, value in drive.items() if name not in ("format", "import-from")}
    )


def every(part: Part) -> dict[str, Drive]:
    """Return all disks and drives by key, in the order in which Proxmox takes them."""
    keys = [key for key in part.values if KEY.fullmatch(key)]
    keys.sort(
        key=lambda key: (ORDER.index(key.rstrip("0123456789")), int(key.lstrip("abcdefghijklmnopqrstuvwxyz")))
    )
    return {key: read(key, part.values[key]) for key in keys}


def volumes(part: Part) -> dict[str, Drive]:
    """Return those that lie on a storage."""
    return {key: drive for key, drive in every(part).items() if is_volume(drive)}


def is_volume(drive: Drive) -> bool:
    return drive["file"] not in ("none", "cdrom") and not drive["file"].startswith("/")


def is_cloudinit(drive: Drive) -> bool:
    return re.search(r"vm-\d+-cloudinit", drive["file"]) is not None


def unused(part: Part) -> dict[str, str]:
    found = {key: value for key, value in part.values.items() if re.fullmatch(r"unused\d+", key)}
    return {key: re.sub("^(file|volume)=", "", found[key]) for key in sorted(found)}


def in_use(conf: "guest_conf.Conf", volid: str) -> bool:
    parts = (conf, conf.pending, *conf.snapshots.values())
    return any(drive["file"] == volid for part in parts for drive in every(part).values())


def keep_unused(conf: "guest_conf.Conf", volid: str) -> None:
    if volid in unused(conf).values():
        return
    key = next(key for number in range(256) if (key := f"unused{number}") not in conf.values)
    conf.values[key] = volid


# Volumes


def content(volid: str) -> str:
    """Return the folder with a disk's files, as seen on the node; it may not exist."""
    dataset = guest_volumes.dataset(volid)
    return f"{ZVOLS}/{dataset}" if dataset else guest_volumes.place(volid)


def check_storage(name: str) -> storage_config.Storage:
    """Return a storage that may hold disks of machines, made ready, or refuse."""
    found = guest_volumes.ready(name)
    if "images" not in storage_config.content(found):
        raise Refused(f"storage '{name}' does not support vm images")
    return found


def allocate(name: str, vmid: str, size: int, form: str = "", own: str = "") -> str:
    """Make an empty disk of that many bytes; return its volume id. `own` names one that has no number."""
    found = check_storage(name)
    with guest_conf.held(guest_volumes.LOCK + name, sys.stderr):
        if found["type"] == "zfspool":
            taken = [volume.volid for volume in storage_volumes.listing(name, found, ["rootdir", "images"])]
            leaf = own or free_name("vm", vmid, "", taken)
            sparse = ["-s"] if found.get("sparse") == "1" else []
            guest_volumes.zfs(
                "create",
                *sparse,
                "-b",
                "16k",
                "-V",
                f"{max(size, 1 << 20) // 1024}k",
                f"{found['pool']}/{leaf}",
            )
            return f"{name}:{leaf}"
        if found["type"] not in storage_use.FILES:
            model.not_simulated("qm", ["disk on", name])
        form = form or "raw"
        folder = f"{storage_use.subfolder(found, 'images')}/{vmid}"
        os.makedirs(model.path(folder), exist_ok=True)
        leaf = f"{own}.{form}" if own else free_name("vm", vmid, f".{form}", os.listdir(model.path(folder)))
        details = QCOW2.format(size=size) if form == "qcow2" else f"size={size} preallocation=off"
        print(f"Formatting '{folder}/{leaf}', fmt={form} {details}", flush=True)
        with open(model.path(f"{folder}/{leaf}"), "wb") as image:
            image.truncate(size)
        return f"{name}:{vmid}/{leaf}"


def free_name(kind: str, vmid: str, ending: str, taken: list[str]) -> str:
    pattern = re.compile(rf"(?:vm|base|subvol|basevol)-{vmid}-disk-(\d+)(?:\..*)?")
    numbers = {int(match[1]) for volid in taken if (match := pattern.fullmatch(guest_volumes.leaf(volid)))}
    return f"{kind}-{vmid}-disk-{next(n for n in range(len(numbers) + 1) if n not in numbers)}{ending}"


def size(volid: str) -> int:
    """Return a disk's size in bytes; 0 if there is no such disk."""
    dataset = guest_volumes.dataset(volid)
    if not dataset:
        path = model.path(guest_volumes.image(volid))
        return os.stat(path).st_size if os.path.exists(path) else 0
    import zfs_datasets

    state = model.read()
    if not zfs_datasets.kind_of(state, dataset):
        return 0
    return int(zfs_datasets.value(state, dataset, "volsize")[0])


def resize(volid: str, wanted: int) -> None:
    dataset = guest_volumes.dataset(volid)
    if dataset:
        guest_volumes.zfs("set", f"volsize={-(-wanted // 1024)}k", dataset)
    else:
        os.truncate(model.path(guest_volumes.image(volid)), wanted)


def free(volid: str) -> None:
    """Remove a disk with its snapshots and files."""
    guest_volumes.free(volid)
    dataset = guest_volumes.dataset(volid)
    if dataset:
        for folder in snapshots_of(volid):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(model.path(content(volid)), ignore_errors=True)


def snapshots_of(volid: str) -> list[str]:
    """Return the real folders with the files of a zvol's snapshots."""
    place = model.path(content(volid))
    above, leaf = os.path.split(place)
    names = os.listdir(above) if os.path.isdir(above) else []
    return [f"{above}/{name}" for name in names if name.startswith(f"{leaf}@")]


def copy_files(source: str, target: str) -> None:
    """Copy all files of a disk; `source` and `target` are real folders."""
    import guest_owners

    shutil.rmtree(target, ignore_errors=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
        guest_owners.like(source, target)
        renew_owners(target)


def renew_owners(folder: str) -> None:
    """Let the owners noted in a machine be those of the files at those paths now."""
    import guest_copy

    guest_copy.renew({"": folder})


def zvol_or_file(volid: str) -> str:
    """Return what Proxmox says a disk's path is."""
    return guest_volumes.image(volid)
