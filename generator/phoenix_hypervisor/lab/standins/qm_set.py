"""`qm set`: at once where it can be, else when the machine is started the next time."""

import re
import sys

import guest_volumes
import qm_cloudinit
import qm_conf
import qm_create
import qm_drives
import qm_formats
import qm_options
from guest_conf import Part, Refused
from guest_options import Call, refuse
from qm_conf import MachineConf
from storage_rules import words

AT_ONCE = frozenset(
    ("description", "hookscript", "lock", "name", "onboot", "protection", "shares", "startup", "tags")
)
"""Settings that nobody has to tell a running machine about ($fast_plug_option of PVE::QemuServer)."""
CLOUD = frozenset(
    ("cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys")
)
BEFORE_START = ("cache", "aio", "discard", "iothread", "queues", "ro", "ssd", "detect_zeroes")
"""Of a disk: what a running machine cannot take."""


def run(call: Call) -> int:
    values = dict(call.values)
    vmid, digest = values.pop("vmid"), values.pop("digest", None)
    skip, force = values.pop("skiplock", "0") == "1", values.pop("force", "0") == "1"
    if not values:
        raise Refused("no options specified")
    gone, back = words(values.pop("delete", "")), words(values.pop("revert", ""))
    for option, keys in (("delete", gone), ("revert", back)):
        for key in keys:
            if qm_formats.rule_of(key) is None:
                raise refuse("set", {option: f"unknown option '{key}'"}, tool=qm_options.QM)
    if "sshkeys" in values:
        values["sshkeys"] = qm_create.public_keys(values["sshkeys"])
    qm_conf.refuse_if_missing(vmid)
    change(vmid, values, gone, back, digest=digest, skip=skip, force=force)
    return 0


def change(
    vmid: str,
    values: dict[str, str],
    gone: list[str],
    back: list[str] | None = None,
    digest: str | None = None,
    skip: bool = False,
    force: bool = False,
) -> None:
    """Change a machine's settings, telling what Proxmox tells."""
    with qm_conf.locked(vmid):
        conf = qm_conf.load(vmid)
        qm_conf.check_digest(conf, digest)
        qm_conf.check_lock(conf, skip)
        for key, value in values.items():
            if qm_drives.KEY.fullmatch(key):
                qm_create.refuse_storage(key, qm_drives.read(key, value))
        _tell(vmid, values, gone)
        for key in back or ():
            conf.pending.values.pop(key, None)
            conf.keep(key)
        _note(conf, values, gone, force)
        apply(conf, {*values, *gone}, _running(vmid))
        if any(value.partition(",")[0].endswith(":cloudinit") for value in values.values()):
            print("generating cloud-init ISO")
            qm_cloudinit.generate(conf)
        qm_conf.save(conf)


def _running(vmid: str) -> bool:
    import qm_run

    return vmid in qm_run.running()


def _tell(vmid: str, values: dict[str, str], gone: list[str]) -> None:
    said = {key: "<hidden>" if key == "cipassword" else value for key, value in values.items()}
    shown = [f"-{key} {said[key]}" for key in sorted(said)]
    shown += [f"-delete {','.join(gone)}"] if gone else []
    print(f"update VM {vmid}: {' '.join(shown)}", flush=True)


def _note(conf: MachineConf, values: dict[str, str], gone: list[str], force: bool) -> None:
    """Check all that is wanted, and note it as pending."""
    for key in gone:
        if key not in conf.values and key not in conf.pending.values:
            continue
        if qm_drives.KEY.fullmatch(key) or key.startswith("unused"):
            _refuse_protected(
                conf, f"can't remove unused disk '{key}'" if key[0] == "u" else f"can't remove drive '{key}'"
            )
        if key.startswith("unused"):
            _forget_volume(conf, key)
            continue
        conf.delete_later(key)
        if force:
            conf.pending.values["delete"] = conf.pending.values["delete"].replace(key, f"!{key}")
    for key in sorted(values):
        if qm_drives.KEY.fullmatch(key):
            drive = qm_drives.read(key, values[key])
            if qm_drives.is_volume(drive):
                _refuse_protected(conf, f"can't update drive '{key}'")
            value = qm_create.settled(conf, key, values[key], [])
        else:
            value = qm_create.settled(conf, key, values[key], [])
        conf.pending.values[key] = value
        conf.keep(key)
    for key in [key for key, value in conf.pending.values.items() if conf.values.get(key) == value]:
        del conf.pending.values[key]


def _refuse_protected(conf: MachineConf, text: str) -> None:
    if conf.values.get("protection") == "1":
        raise Refused(f"{text} - protection mode enabled")


def _forget_volume(conf: MachineConf, key: str) -> None:
    volid = qm_drives.unused(conf)[key]
    del conf.values[key]
    if not qm_drives.in_use(conf, volid) and guest_volumes.owner(volid) == conf.vmid:
        qm_drives.free(volid)


def apply(conf: MachineConf, keys: set[str], running: bool) -> None:
    """Bring what is pending into effect; what a running machine cannot take stays pending."""
    for key in conf.pending_deletes():
        if key in keys and (not running or deleted_hot(conf, key)):
            force = f"!{key}" in conf.pending.values.get("delete", "")
            _drop(conf, key, force)
            conf.keep(key)
    for key in sorted(set(conf.pending.values) & keys - {"delete"}):
        if running and not changed_hot(conf, key):
            continue
        if running and (key in CLOUD or key.startswith("ipconfig")):
            _unlike_drive(conf, key)
        _replace(conf, key, conf.pending.values.pop(key))
    for key in conf.pending_deletes():
        if key not in conf.values:
            conf.keep(key)


def _unlike_drive(conf: MachineConf, key: str) -> None:
    """Note what the drive of a running machine still has (`[special:cloudinit]`)."""
    known = conf.drive.values
    if key in known or key in words(known.get("added", "")):
        return
    if key in conf.values:
        known[key] = conf.values[key]
    else:
        known["added"] = ",".join(sorted({*words(known.get("added", "")), key}))


def features(conf: Part) -> set[str]:
    """Return what can be plugged while it runs."""
    text = conf.values.get("hotplug", "1")
    return (
        {"1": {"network", "disk", "usb"}, "0": set()}.get(text) or set(words(text)) if text != "0" else set()
    )


def deleted_hot(conf: MachineConf, key: str) -> bool:
    if (
        key in AT_ONCE
        or key in CLOUD
        or key.startswith("ipconfig")
        or key in ("cpuunits", "cpulimit", "balloon")
    ):
        return True
    if re.fullmatch(r"net\d+", key):
        return "network" in features(conf)
    return bool(re.fullmatch(r"(scsi|virtio)\d+", key)) and "disk" in features(conf)


def changed_hot(conf: MachineConf, key: str) -> bool:
    """Tell whether a running machine takes what waits for it (vmconfig_hotplug_pending)."""
    value = conf.pending.values[key]
    if key in AT_ONCE or key in CLOUD or key.startswith("ipconfig"):
        return True
    if key in ("cpuunits", "cpulimit"):
        return True
    if key == "hotplug":
        return "memory" not in words(value) + words(conf.values.get(key, ""))
    if key == "balloon":
        before = conf.values.get("balloon")
        return (before is None or before != "0") == (value != "0")
    if key == "vcpus":
        return "cpu" in features(conf)
    if key == "memory":
        return "memory" in features(conf)
    if re.fullmatch(r"net\d+", key):
        return _net_hot(conf, key, value)
    if re.fullmatch(r"(ide|sata|scsi|virtio)\d+", key):
        return _disk_hot(conf, key, value)
    return False


def _net_hot(conf: MachineConf, key: str, value: str) -> bool:
    if key not in conf.values or "network" in features(conf):
        return "network" in features(conf)
    before, after = qm_formats.parse(key, conf.values[key]), qm_formats.parse(key, value)
    return all(before.get(name) == after.get(name) for name in ("model", "macaddr", "mtu", "queues"))


def _disk_hot(conf: MachineConf, key: str, value: str) -> bool:
    if key not in conf.values:
        return "disk" in features(conf) and not key.startswith(("ide", "sata"))
    before, after = qm_drives.read(key, conf.values[key]), qm_drives.read(key, value)
    if after.get("media") == "cdrom" and before.get("media") == "cdrom":
        return True
    if before["file"] != after["file"]:
        return "disk" in features(conf) and not key.startswith(("ide", "sata"))
    return all(before.get(name) == after.get(name) for name in BEFORE_START)


def _drop(conf: MachineConf, key: str, force: bool) -> None:
    """Do what the end of a setting means for what it stands for."""
    value = conf.values.pop(key, None)
    if value is None or not qm_drives.KEY.fullmatch(key):
        return
    drive = qm_drives.read(key, value)
    if not qm_drives.is_volume(drive) or qm_drives.in_use(conf, drive["file"]):
        return
    if force or qm_drives.is_cloudinit(drive):
        qm_drives.free(drive["file"])
    else:
        qm_drives.keep_unused(conf, drive["file"])


def _replace(conf: MachineConf, key: str, value: str) -> None:
    before = conf.values.get(key)
    conf.values[key] = value
    if before is None or not qm_drives.KEY.fullmatch(key):
        return
    old = qm_drives.read(key, before)
    if qm_drives.is_volume(old) and not qm_drives.in_use(conf, old["file"]):
        if qm_drives.is_cloudinit(old):
            qm_drives.free(old["file"])
        else:
            qm_drives.keep_unused(conf, old["file"])


def take_all(conf: MachineConf) -> None:
    """What waited for this start comes into effect."""
    apply(conf, {*conf.pending.values, *conf.pending_deletes()} - {"delete"}, running=False)
    sys.stdout.flush()
