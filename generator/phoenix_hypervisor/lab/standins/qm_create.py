"""`qm create`: the conf, and the disks it asks for."""

import os
import re
import sys
import time

import guest_conf
import guest_nets
import guest_volumes
import model
import qm_cloudinit
import qm_conf
import qm_drives
import qm_formats
import qm_options
from guest_conf import Refused
from guest_options import Call, refuse
from qm_conf import MachineConf
from qm_drives import Drive
from storage_rules import Refused as StorageRefused
from storage_rules import words

FOR_CREATING = ("vmid", "bwlimit", "force", "import-working-storage", "pool", "start", "storage", "unique")
QEMU = "10.0.2"


def run(call: Call) -> int:
    vmid = call.vmid
    for option in ("archive", "live-restore", "pool"):
        if option in call.values:
            model.not_simulated("qm", ["create", f"--{option}"])
    wanted = {key: value for key, value in call.values.items() if key not in FOR_CREATING}
    taken = guest_conf.owner(vmid)
    if taken:
        text = f"{taken[0]} {vmid} already exists on node '{taken[1]}'"
        raise Refused(f"unable to create VM {vmid} - {text}")
    for key, value in wanted.items():
        if qm_drives.KEY.fullmatch(key):
            refuse_storage(key, qm_drives.read(key, value))
    made: list[str] = []
    with qm_conf.locked(vmid, sys.stdout):
        guest_conf.refuse_if_used(vmid)
        conf = MachineConf(vmid)
        conf.values["lock"] = "create"
        qm_conf.save(conf)
        try:
            for key in sorted(wanted, key=_order):
                conf.values[key] = settled(conf, key, wanted[key], made)
        except StorageRefused as refused:
            for volid in made:
                qm_drives.free(volid)
            qm_conf.remove(vmid)
            raise Refused(f"unable to create VM {vmid} - {refused}") from None
        del conf.values["lock"]
        conf.values.setdefault("boot", f"order={';'.join(_default_boot(conf))}")
        conf.values |= identity()
        conf.values.setdefault("meta", f"creation-qemu={QEMU},ctime={int(time.time())}")
        qm_conf.save(conf)
    if call.on("start"):
        import qm_power

        qm_power.start(vmid)
    return 0


def identity() -> dict[str, str]:
    """Return what makes a machine one of its own."""
    return {"smbios1": f"uuid={uuid()}", "vmgenid": uuid()}


def uuid() -> str:
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _order(key: str) -> tuple[int, str]:
    return (1 if qm_drives.KEY.fullmatch(key) else 0, key)


def _default_boot(conf: MachineConf) -> list[str]:
    """The first disk, the first drive, then all network cards."""
    drives = qm_drives.every(conf)
    disks = [
        key
        for key, drive in drives.items()
        if drive.get("media") != "cdrom" and key[:3] not in ("efi", "tpm")
    ]
    drive = [
        key for key, one in drives.items() if one.get("media") == "cdrom" and not qm_drives.is_cloudinit(one)
    ]
    nets = sorted(key for key in conf.values if re.fullmatch(r"net\d+", key))
    return [*disks[:1], *drive[:1], *nets]


def settled(conf: MachineConf, key: str, value: str, made: list[str]) -> str:
    """Return a setting as it is stored; a disk that is to be made is made, and noted."""
    if qm_drives.KEY.fullmatch(key):
        return _disk(conf, key, qm_drives.read(key, value), made)
    if re.fullmatch(r"net\d+", key):
        return written_net(key, value)
    return stored(key, value)


def stored(key: str, value: str) -> str:
    """Return a setting that is no disk as it is stored."""
    if key == "tags":
        return ";".join(sorted({tag.lower() for tag in words(value)}))
    if key in ("nameserver", "searchdomain"):
        return " ".join(words(value))
    if key == "sshkeys":
        return value
    if key == "cipassword":
        return qm_cloudinit.hashed(value)
    if key == "hookscript":
        import pct_set

        pct_set.refuse_hookscript(value)
    return value


def public_keys(file: str) -> str:
    """Return the keys in the named file, as they are stored."""
    from urllib.parse import quote

    try:
        with open(model.path(file), encoding="utf-8") as opened:
            return quote(opened.read(), safe="-_.!~*'()")
    except OSError as error:
        raise Refused(f"can't open '{file}' - {error.strerror}", 2) from None


def written_net(key: str, value: str) -> str:
    net = qm_formats.parse(key, value)
    net.setdefault("macaddr", guest_nets.new_address())
    return qm_formats.spell(key, net)


def refuse_storage(key: str, drive: Drive) -> None:
    """Refuse a disk on a storage that is not there, or of a volume that is not."""
    if not qm_drives.is_volume(drive):
        return
    name = guest_volumes.split(drive["file"])[0]
    guest_volumes.storage(name)
    source = drive.get("import-from", "")
    if source.startswith("/") and not os.path.exists(model.path(source)):
        wrong = {key: f"invalid parameter 'import-from' - '{source}' does not exist"}
        raise refuse("create", wrong, tool=qm_options.QM)


def _disk(conf: MachineConf, key: str, drive: Drive, made: list[str]) -> str:
    """Make what a disk asks for; return its setting."""
    cloud, new = qm_drives.CLOUDINIT.fullmatch(drive["file"]), qm_drives.NEW.fullmatch(drive["file"])
    if cloud:
        volid = _cloudinit_drive(conf, cloud[1], drive, made)
        text = qm_drives.written(key, drive | {"file": volid, "media": "cdrom"})
    elif new and "import-from" in drive:
        text = _imported(conf, key, drive, new[1], made)
    elif new:
        text = _new_disk(conf, key, drive, new, made)
    elif not qm_drives.is_volume(drive):
        return qm_drives.written(key, drive)
    else:
        known = qm_drives.size(drive["file"])
        if not known:
            raise Refused(f"volume '{drive['file']}' does not exist")
        return qm_drives.written(key, drive | {"size": guest_volumes.spelt(known)})
    print(f"{key}: successfully created disk '{text}'", flush=True)
    return text


def _new_disk(conf: MachineConf, key: str, drive: Drive, new: "re.Match[str]", made: list[str]) -> str:
    size = guest_volumes.gib(new[2])
    if key == "efidisk0":
        size = (528 << 10) if drive.get("efitype") == "4m" else (128 << 10)
    elif key == "tpmstate0":
        size = 4 << 20
    volid = qm_drives.allocate(new[1], conf.vmid, size, drive.get("format", ""))
    made.append(volid)
    return qm_drives.written(key, drive | {"file": volid, "size": guest_volumes.spelt(qm_drives.size(volid))})


def _imported(conf: MachineConf, key: str, drive: Drive, storage: str, made: list[str]) -> str:
    import qm_images

    volid = qm_images.bring_in(drive["import-from"], storage, conf.vmid, drive.get("format", ""))
    made.append(volid)
    return qm_drives.written(key, drive | {"file": volid, "size": guest_volumes.spelt(qm_drives.size(volid))})


def _cloudinit_drive(conf: MachineConf, storage: str, drive: Drive, made: list[str]) -> str:
    form = drive.get("format", "qcow2")
    volid = qm_drives.allocate(storage, conf.vmid, 4 << 20, form, own=f"vm-{conf.vmid}-cloudinit")
    made.append(volid)
    return volid
