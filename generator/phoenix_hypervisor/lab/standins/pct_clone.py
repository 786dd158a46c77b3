"""`pct clone`: a copy of a container, or one that shares a template's volumes.

As on a real node the source is locked (`disk`) and the clone too (`create`) while data is copied, so what is
killed on the way leaves both locks and half a clone.
"""

import re
import signal
import sys

import guest_conf
import guest_copy
import guest_formats
import guest_mounts
import guest_nets
import guest_setup
import guest_volumes
import guest_zfs
import model
import storage_config
from guest_conf import Conf, Part, Refused
from guest_options import Call
from hints import NoReturn
from zfs_options import finish_what_was_begun

SYSTEMD = ("debian", "ubuntu", "centos", "fedora", "opensuse", "archlinux")
DROPPED = ("lock", "parent", "snaptime", "snapstate", "template")


def run(call: Call) -> int:
    source, new = call.vmid, call.values["newid"]
    if "target" in call.values or "pool" in call.values:
        model.not_simulated("pct", ["clone", "--target or --pool"])
    guest_conf.refuse_if_used(new)
    with guest_conf.locked(source):
        conf = guest_conf.load(source)
        guest_conf.check_lock(conf)
        conf.values["lock"] = "disk"
        guest_conf.save(conf)
    try:
        _clone(conf, new, call)
    finally:
        unlock(source, "disk")
    return 0


def unlock(vmid: str, lock: str) -> None:
    """Take a lock away that we have set."""
    with guest_conf.locked(vmid):
        conf = guest_conf.load(vmid)
        if conf.values.get("lock") == lock:
            del conf.values["lock"]
            guest_conf.save(conf)


def _clone(conf: Conf, new: str, call: Call) -> None:
    with guest_conf.locked(new):
        guest_conf.refuse_if_used(new)
        clone = Conf(new)
        clone.values["lock"] = "create"
        guest_conf.save(clone)
    try:
        source = _source(conf, call)
        full = call.values.get("full", "0" if conf.values.get("template") == "1" else "1") == "1"
        mounts = _mounts(conf, source, full, call)
        _settings(clone, source, call)
        guest_conf.save(clone)
    except Refused:
        guest_conf.remove(new)
        raise
    made: list[str] = []
    try:
        for key in sorted(mounts):
            volume = _copied(mounts[key], key, clone, made, call) if full else _linked(mounts[key], key, new)
            made += [volume] if volume not in made else []
            clone.values[key] = guest_mounts.written(key, mounts[key] | {"volume": volume})
            with guest_conf.locked(new):
                guest_conf.save(clone)
        finish_what_was_begun()
        _finish(clone)
    except Refused as refused:
        finish_what_was_begun()
        for volume in made:
            guest_volumes.free(volume)
        guest_conf.remove(new)
        raise Refused(f"clone failed: {refused}") from None
    unlock(new, "create")


def _heed_signals() -> None:
    """End what takes long when asked to; zfs, of which each volume is, lets nobody interrupt it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupted)


def _interrupted(_number: int, _frame: object) -> NoReturn:
    raise Refused("interrupted by signal")


def _source(conf: Conf, call: Call) -> Part:
    """Return the configuration to clone: the current one or a snapshot's."""
    name = call.values.get("snapname")
    template = conf.values.get("template") == "1"
    if "storage" in call.values and call.values.get("full", "0" if template else "1") == "0":
        raise Refused("parameter 'storage' not allowed for linked clones", 2)
    if name is None:
        return conf
    if name not in conf.snapshots:
        raise Refused(f"snapshot '{name}' does not exist", 2)
    return conf.snapshots[name]


def _mounts(conf: Conf, source: Part, full: bool, call: Call) -> dict[str, guest_mounts.Mount]:
    """Return what is to be copied, or refuse in the order of the keys."""
    mounts = guest_mounts.every(source)
    for key in sorted(mounts):
        mount = mounts[key]
        kind, volume = guest_mounts.kind(mount), mount["volume"]
        if kind != "volume":
            raise Refused(f"unable to clone mountpoint '{key}' (type {kind})", 2)
        guest_volumes.storage(call.values.get("storage", guest_volumes.split(volume)[0]))
        if full and guest_conf.running(conf.vmid) and "snapname" not in call.values:
            raise Refused("Cannot do full clones on a running container without snapshots", 2)
        base = guest_volumes.dataset(volume).rpartition("/")[2].startswith("basevol-")
        if not full and ("snapname" in call.values or not base):
            raise Refused(f"Linked clone feature for '{volume}' is not available", 2)
    return mounts


def _settings(clone: Conf, source: Part, call: Call) -> None:
    """Take over all settings but volumes; addresses are new, and nothing is left of snapshots."""
    clone.copy_from(source)
    for key in list(clone.values):
        if key in DROPPED or re.fullmatch(r"rootfs|(mp|unused)\d+", key):
            del clone.values[key]
        elif re.fullmatch(r"net\d+", key):
            net = guest_nets.read(clone.values[key]) | {"hwaddr": guest_nets.new_address()}
            clone.values[key] = guest_formats.spell(guest_formats.NET, net)
    clone.values |= {key: call.values[key] for key in ("hostname", "description") if key in call.values}
    clone.values["lock"] = "create"


def _copied(mount: guest_mounts.Mount, key: str, clone: Conf, made: list[str], call: Call) -> str:
    volume, snapshot = mount["volume"], call.values.get("snapname")
    print(f"create full clone of mountpoint {key} ({volume})", flush=True)
    place = model.path(guest_volumes.place(volume))
    if snapshot is not None:
        dataset = guest_volumes.dataset(volume)
        if not dataset:
            raise Refused(f"volume '{volume}' has no snapshots")
        place = guest_zfs.files_of(dataset, snapshot)
    storage = call.values.get("storage", guest_volumes.split(volume)[0])
    size = guest_volumes.size(volume)
    if size is None:
        raise Refused(f"volume '{volume}' does not exist")
    new = guest_volumes.allocate(storage, clone.vmid, size)
    made.append(new)
    sys.stdout.flush()
    _heed_signals()
    guest_copy.tree(place, model.path(guest_volumes.place(new)), 1 if guest_volumes.dataset(new) else 2)
    return new


def _linked(mount: guest_mounts.Mount, key: str, new: str) -> str:
    volume = mount["volume"]
    print(f"create linked clone of mount point {key} ({volume})", flush=True)
    name, rest = guest_volumes.split(volume)
    pool = storage_config.load()[name]["pool"]
    taken = set(map(guest_volumes.leaf, guest_volumes.of_guest(new)))
    leaf = next(leaf for number in range(256) if (leaf := f"subvol-{new}-disk-{number}") not in taken)
    dataset = guest_volumes.dataset(volume)
    guest_volumes.zfs("clone", f"{dataset}@{guest_zfs.BASE}", f"{pool}/{leaf}")
    size = guest_volumes.size(volume)
    if size:
        guest_volumes.zfs("set", f"refquota={size // 1024}k", f"{pool}/{leaf}")
    return f"{name}:{rest.rpartition('/')[2]}/{leaf}"


def _finish(clone: Conf) -> None:
    """What Proxmox changes inside: the machine gets another id at its first start; nothing else."""
    guest_copy.renew_owners(clone)
    root = model.path(guest_volumes.place(guest_mounts.every(clone)["rootfs"]["volume"]))
    known = guest_setup.read(root, "/etc/machine-id").strip()
    if known and known != "uninitialized" and clone.values.get("ostype") in SYSTEMD:
        guest_setup.put(root, "/etc/machine-id", "\n")
