"""`qm clone` and `qm template`: copies of a machine, and machines that share a template's disks."""

import os
import re
import sys

import guest_conf
import guest_nets
import guest_volumes
import guest_zfs
import model
import qm_conf
import qm_create
import qm_drives
import qm_formats
import qm_run
import storage_config
from guest_conf import Part, Refused
from guest_options import Call
from qm_conf import MachineConf
from qm_drives import Drive

DROPPED = ("lock", "parent", "snaptime", "snapstate", "template", "vmstate", "runningmachine", "runningcpu")


def run(call: Call) -> int:
    if call.verb == "template":
        return _make_template(call)
    new = call.values["newid"]
    if "target" in call.values or "pool" in call.values:
        model.not_simulated("qm", ["clone", "--target or --pool"])
    taken = guest_conf.owner(new)
    if taken:
        raise Refused(f"unable to create VM {new}: {taken[0]} {new} already exists on node '{taken[1]}'")
    conf = qm_conf.load(call.vmid)
    qm_conf.check_lock(conf)
    source = _source(conf, call)
    full = call.values.get("full", "0" if conf.values.get("template") == "1" else "1") == "1"
    if not full and conf.values.get("template") != "1":
        raise Refused("Linked clone feature is not supported for drive")
    if not full and "storage" in call.values:
        raise Refused("parameter 'storage' not allowed for linked clones", 2)
    if full and call.vmid in qm_run.running() and "snapname" not in call.values:
        model.not_simulated("qm", ["clone", "of a running machine"])
    _clone(conf, source, new, full, call)
    return 0


def _source(conf: MachineConf, call: Call) -> Part:
    name = call.values.get("snapname")
    if name is None:
        return conf
    if name not in conf.snapshots:
        raise Refused(f"snapshot '{name}' does not exist", 2)
    return conf.snapshots[name]


def _clone(conf: MachineConf, source: Part, new: str, full: bool, call: Call) -> None:
    clone = MachineConf(new)
    clone.values["lock"] = "clone"
    with qm_conf.locked(new):
        guest_conf.refuse_if_used(new)
        qm_conf.save(clone)
    made: list[str] = []
    try:
        clone.values = _settings(conf, source, call) | {"lock": "clone"}
        for key, drive in sorted(qm_drives.volumes(source).items()):
            volid = _one(key, drive, new, full, call, made)
            size = guest_volumes.spelt(qm_drives.size(volid))
            clone.values[key] = qm_drives.written(key, drive | {"file": volid, "size": size})
        with qm_conf.locked(new):
            qm_conf.save(clone)
    except Refused as refused:
        for volid in made:
            qm_drives.free(volid)
        qm_conf.remove(new)
        raise Refused(f"clone failed: {refused}") from None
    with qm_conf.locked(new):
        del clone.values["lock"]
        qm_conf.save(clone)


def _settings(conf: MachineConf, source: Part, call: Call) -> dict[str, str]:
    """Take over all settings but disks; addresses and identity are new, and nothing is left of snapshots."""
    values = {}
    for key, value in source.values.items():
        if key in DROPPED or key.startswith("unused") or key in qm_drives.volumes(source):
            continue
        if re.fullmatch(r"net\d+", key):
            net = qm_formats.parse(key, value) | {"macaddr": guest_nets.new_address()}
            value = qm_formats.spell(key, net)  # noqa: PLW2901
        values[key] = value
    values |= qm_create.identity()
    values["name"] = call.values.get("name", f"Copy-of-VM-{conf.values.get('name', conf.vmid)}")
    if "description" in call.values:
        values["description"] = call.values["description"]
    return values


def _one(key: str, drive: Drive, new: str, full: bool, call: Call, made: list[str]) -> str:
    volid = drive["file"]
    name = call.values.get("storage", guest_volumes.split(volid)[0])
    cloud = qm_drives.is_cloudinit(drive)
    base = guest_volumes.leaf(volid).startswith("base-")
    if cloud or full or not base:
        print(f"create full clone of drive {key} ({volid})", flush=True)
        size = qm_drives.size(volid)
        form = call.values.get("format", "") or ("qcow2" if cloud else "")
        made.append(qm_drives.allocate(name, new, size, form, own=f"vm-{new}-cloudinit" if cloud else ""))
        if not cloud:
            total = f"{size / 2**30:.1f} GiB" if size >= 1 << 30 else f"{size / 2**20:.1f} MiB"
            print(f"transferred 0.0 B of {total} (0.00%)", flush=True)
            _copy(volid, made[-1], call.values.get("snapname", ""))
            print(f"transferred {total} of {total} (100.00%)", flush=True)
        return made[-1]
    print(f"create linked clone of drive {key} ({volid})", flush=True)
    made.append(_linked(volid, new))
    return made[-1]


def _copy(volid: str, target: str, snapshot: str) -> None:
    source = model.path(qm_drives.content(volid)) + (f"@{snapshot}" if snapshot else "")
    qm_drives.copy_files(source, model.path(qm_drives.content(target)))


def _linked(volid: str, new: str) -> str:
    name, rest = guest_volumes.split(volid)
    dataset = guest_volumes.dataset(volid)
    if dataset:
        pool = storage_config.load()[name]["pool"]
        taken = list(guest_volumes.of_guest(new))
        leaf = qm_drives.free_name("vm", new, "", taken)
        guest_volumes.zfs("clone", f"{dataset}@{guest_zfs.BASE}", f"{pool}/{leaf}")
        volume = f"{name}:{rest.rpartition('/')[2]}/{leaf}"
    else:
        folder = os.path.dirname(os.path.dirname(guest_volumes.image(volid)))
        os.makedirs(model.path(f"{folder}/{new}"), exist_ok=True)
        leaf = qm_drives.free_name("vm", new, ".qcow2", os.listdir(model.path(f"{folder}/{new}")))
        backing = guest_volumes.image(volid)
        owner = os.path.basename(os.path.dirname(backing))
        size = qm_drives.size(volid)
        print(f"clone {rest}: images, {leaf}, {new} to {leaf} (base=../{owner}/{os.path.basename(backing)})")
        print(
            f"Formatting '{folder}/{new}/{leaf}', fmt=qcow2 cluster_size=65536 extended_l2=off "
            f"compression_type=zlib size={size} backing_file=../{owner}/{os.path.basename(backing)} "
            "backing_fmt=raw lazy_refcounts=off refcount_bits=16"
        )
        with open(model.path(f"{folder}/{new}/{leaf}"), "wb") as image:
            image.truncate(size)
        volume = f"{name}:{rest}/{new}/{leaf}"
    qm_drives.copy_files(model.path(qm_drives.content(volid)), model.path(qm_drives.content(volume)))
    return volume


def _make_template(call: Call) -> int:
    with qm_conf.locked(call.vmid, sys.stdout):
        conf = qm_conf.load(call.vmid)
        qm_conf.check_lock(conf)
        if conf.snapshots:
            raise Refused(
                f"unable to create template, because VM contains snapshots ({', '.join(conf.snapshots)})"
            )
        if conf.values.get("template") == "1" and "disk" not in call.values:
            raise Refused("you can't convert a template to a template")
        if call.vmid in qm_run.running():
            raise Refused("you can't convert a VM to template if VM is running")
        conf.values["template"] = "1"
        qm_conf.save(conf)
        for key, drive in qm_drives.volumes(conf).items():
            if not qm_drives.is_cloudinit(drive) and not guest_volumes.leaf(drive["file"]).startswith(
                "base-"
            ):
                conf.values[key] = qm_drives.written(key, drive | {"file": _base(drive["file"])})
                qm_conf.save(conf)
    return 0


def _base(volid: str) -> str:
    """Make a disk one that linked clones can come from; return its new name."""
    name, rest = guest_volumes.split(volid)
    leaf = guest_volumes.leaf(volid)
    own = "base" + leaf.removeprefix("vm")
    above = rest[: len(rest) - len(leaf)]
    renamed = f"{name}:{above}{own}"
    dataset = guest_volumes.dataset(volid)
    old = model.path(qm_drives.content(volid))
    if dataset:
        guest_volumes.zfs("rename", dataset, f"{dataset.rpartition('/')[0]}/{own}")
        guest_volumes.zfs("snapshot", f"{dataset.rpartition('/')[0]}/{own}@{guest_zfs.BASE}")
    else:
        os.rename(model.path(guest_volumes.image(volid)), model.path(guest_volumes.image(renamed)))
    if os.path.isdir(old):
        os.rename(old, model.path(qm_drives.content(renamed)))
    return renamed
