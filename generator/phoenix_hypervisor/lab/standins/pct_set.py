"""`pct set`: at once where it can be, else when the guest is started the next time."""

import os
import re
import stat

import guest_conf
import guest_formats
import guest_lxc
import guest_mounts
import guest_nets
import guest_options
import guest_volumes
import model
import storage_config
from guest_conf import Conf, Refused
from guest_mounts import Mount
from guest_options import Call
from storage_rules import words

AT_ONCE = frozenset(
    ("description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock")
)
"""Settings that nobody has to tell a running guest about."""
LIMITS = frozenset(("cpulimit", "cpuunits", "memory", "swap"))
"""Settings that its control group takes while it runs."""
REQUIRED = frozenset(("memory", "ostype", "rootfs"))


def run(call: Call) -> int:
    values = dict(call.values)
    vmid, digest = values.pop("vmid"), values.pop("digest", None)
    if not values:
        raise Refused("no options specified")
    gone, back = words(values.pop("delete", "")), words(values.pop("revert", ""))
    for option, keys in (("delete", gone), ("revert", back)):
        for key in keys:
            if guest_formats.rule_of(key) is None:
                raise guest_options.refuse("set", {option: f"unknown option '{key}'"})
            if option == "delete" and key in values:
                text = f"you can't use '-{key}' and -delete {key}' at the same time"
                raise guest_options.refuse("set", {option: text})
    guest_conf.refuse_if_missing(vmid)
    with guest_conf.locked(vmid):
        conf = guest_conf.load(vmid)
        guest_conf.check_lock(conf)
        guest_conf.check_digest(conf, digest)
        for key in back:
            conf.pending.values.pop(key, None)
            conf.keep(key)
        _note(conf, values, gone)
        running = guest_conf.running(vmid)
        faults = apply(conf, {*values, *gone}, running)
        guest_conf.save(conf)
        # What is saved stays, even if LXC cannot live with it.
        conf = guest_conf.load(vmid)
        guest_lxc.refresh(conf)
        if running and any(key in LIMITS or re.fullmatch(r"(mp|dev)\d+", key) for key in values):
            _plug(conf)
    if faults:
        raise guest_options.refuse("set", faults)
    return 0


def _plug(conf: Conf) -> None:
    """Give a running guest its new limits, mounts and devices; all else is as it was started."""
    import guest_plan
    import guest_runtime

    plan = guest_plan.make(conf)
    before = model.section(model.read(), "guests").get(conf.vmid, {}).get("plan", plan)
    mounts = [mount for mount in plan["mounts"] if "optional" not in mount and mount not in before["mounts"]]
    devices = [device for device in plan["devices"] if device not in before["devices"]]
    added = {"mounts": before["mounts"] + mounts, "devices": before["devices"] + devices}
    guest_runtime.change(conf.vmid, before | added)


def _note(conf: Conf, values: dict[str, str], gone: list[str]) -> None:
    """Check all that is wanted, and note it as pending."""
    for key in gone:
        if key not in conf.values and key not in conf.pending.values:
            continue
        if key in REQUIRED:
            raise Refused(f"unable to delete required option '{key}'")
        if key == "unprivileged":
            raise Refused(f"unable to delete read-only option: '{key}'")
        if re.fullmatch(r"(mp|unused)\d+", key):
            _refuse_protected(conf, f"can't remove CT {conf.vmid} drive '{key}'")
        conf.delete_later(key)
    for key in sorted(values):
        conf.pending.values[key] = acceptable(conf, key, values[key])
        conf.keep(key)
    for key in [key for key, value in conf.pending.values.items() if conf.values.get(key) == value]:
        del conf.pending.values[key]
    for key in conf.pending_deletes():
        if key not in conf.values:
            conf.keep(key)


def _refuse_protected(conf: Conf, text: str) -> None:
    if conf.values.get("protection") == "1":
        raise Refused(f"{text} - protection mode enabled")


def acceptable(conf: Conf, key: str, value: str) -> str:
    """Check a setting beyond its format; return it as it is stored."""
    if key == "unprivileged":
        raise Refused(f"unable to modify read-only option: '{key}'")
    if key == "rootfs" or re.fullmatch(r"mp\d+", key):
        _refuse_protected(conf, f"can't update CT {conf.vmid} drive '{key}'")
        refuse_storage(guest_mounts.read(key, value))
    elif key == "hookscript":
        refuse_hookscript(value)
    elif re.fullmatch(r"net\d+", key):
        guest_nets.refuse_large_packets(key, value)
    elif re.fullmatch(r"dev\d+", key):
        refuse_missing_device(value)
    return stored(key, value)


def stored(key: str, value: str) -> str:
    """Return a setting as it is stored."""
    if key in ("nameserver", "searchdomain"):
        return " ".join(words(value))
    if key == "tags":
        return ";".join(sorted({tag.lower() for tag in words(value)}))
    if key == "cpuunits":
        return str(min(max(int(value), 1), 10000))
    return value


def refuse_storage(mount: Mount) -> None:
    """Refuse a volume on a storage that does not hold containers."""
    if guest_mounts.kind(mount) != "volume":
        return
    name = guest_volumes.split(mount["volume"])[0]
    if "rootdir" not in storage_config.content(guest_volumes.storage(name)):
        raise Refused(f"storage '{name}' does not allow content type 'rootdir' (Container)")


def refuse_hookscript(volid: str) -> None:
    if not guest_volumes.split(volid)[1].startswith("snippets/"):
        raise Refused(f"'{volid}' is not in the snippets directory", 2)
    path = model.path(guest_volumes.image(volid))
    if not os.path.isfile(path):
        raise Refused(f"script '{volid}' does not exist", 2)
    if not os.access(path, os.X_OK):
        raise Refused(f"script '{volid}' is not executable", 2)


def apply(conf: Conf, keys: set[str], running: bool) -> dict[str, str]:
    """Bring what is pending into effect; what a running guest cannot take stays pending.

    Return what failed, by key. Starting a guest calls it with all pending keys and `running` off.
    """
    faults = {}
    for key in conf.pending_deletes():
        if key in keys and (not running or _deleted_hot(key)):
            _drop(conf, key)
            conf.values.pop(key, None)
            conf.keep(key)
    for key in sorted(set(conf.pending.values) & keys - {"delete"}):
        if running and not _changed_hot(conf, key):
            continue
        try:
            conf.values[key] = _effective(conf, key, conf.pending.values[key], running)
            del conf.pending.values[key]
        except Refused as refused:
            verb = f"unable to hotplug {key}:" if running else f"unable to apply pending change {key} :"
            faults[key] = f"{verb} {refused}\n"
    return faults


def _deleted_hot(key: str) -> bool:
    return key in AT_ONCE | LIMITS - {"memory"} or re.fullmatch(r"net\d|unused\d+", key) is not None


def _changed_hot(conf: Conf, key: str) -> bool:
    if re.fullmatch(r"(mp|dev)\d+", key):
        return key not in conf.values
    return key in AT_ONCE | LIMITS or re.fullmatch(r"net\d+", key) is not None


def _drop(conf: Conf, key: str) -> None:
    """Do what the end of a setting means for what it stands for."""
    value = conf.values[key]
    if re.fullmatch(r"mp\d+", key):
        mount = guest_mounts.read(key, conf.values.pop(key))
        if guest_mounts.kind(mount) == "volume" and not guest_mounts.in_use(conf, mount["volume"]):
            guest_mounts.keep_unused(conf, mount["volume"])
    elif re.fullmatch(r"unused\d+", key):
        volid = value.removeprefix("volume=")
        if not guest_mounts.in_use(conf, volid):
            guest_volumes.free(volid)
    elif re.fullmatch(r"net\d+", key):
        print(f"delete ips from {key}")


def _effective(conf: Conf, key: str, value: str, running: bool) -> str:
    """Return a setting as it comes into effect."""
    if re.fullmatch(r"net\d+", key):
        written = guest_nets.written(value)
        if running:
            guest_nets.refuse_missing_bridge(guest_nets.read(written))
        return written
    if re.fullmatch(r"mp\d+", key):
        return _mounted(conf, key, value, running)
    return value


def refuse_missing_device(value: str) -> None:
    path = guest_formats.parse(guest_formats.DEVICE, value).get("path", "")
    if not os.path.exists(model.path(path)):
        raise Refused(f"Device {path} does not exist", 2)
    mode = os.stat(model.path(path)).st_mode
    if not stat.S_ISCHR(mode) and not stat.S_ISBLK(mode):
        raise Refused(f"{path} is not a device")


def _mounted(conf: Conf, key: str, value: str, running: bool) -> str:
    mount = guest_mounts.read(key, value)
    if guest_volumes.NEW.fullmatch(mount["volume"]):
        mount = new_volume(conf.vmid, mount)
    elif guest_mounts.kind(mount) == "volume":
        size = guest_volumes.size(mount["volume"])
        mount |= {} if size is None else {"size": guest_volumes.spelt(size)}
    elif running:
        guest_mounts.refuse_missing_source(mount)
    old = conf.values.pop(key, None)
    if old is not None:
        before = guest_mounts.read(key, old)
        used = before["volume"] == mount["volume"] or guest_mounts.in_use(conf, before["volume"])
        if guest_mounts.kind(before) == "volume" and not used:
            guest_mounts.keep_unused(conf, before["volume"])
    return guest_mounts.written(key, mount)


def new_volume(vmid: str, mount: Mount) -> Mount:
    """Make the volume that `storage:GiB` asks for; return the mount with it."""
    found = guest_volumes.NEW.fullmatch(mount["volume"])
    assert found
    size = guest_volumes.gib(found[2])
    volid = guest_volumes.allocate(found[1], vmid, size)
    return mount | {"volume": volid, "size": guest_volumes.spelt(size)}
