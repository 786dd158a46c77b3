"""`qm start`, `stop`, `shutdown`, `reboot` and `reset`."""

import sys
import time

import guest_nets
import model
import pci_devices
import qm_cloudinit
import qm_conf
import qm_drives
import qm_firstboot
import qm_formats
import qm_run
import qm_set
from guest_conf import Refused
from guest_options import Call
from qm_conf import MachineConf


def run(call: Call) -> int:
    vmid = call.vmid
    if call.verb == "start":
        start(vmid, skiplock=call.on("skiplock"))
        return 0
    if call.verb == "reset":
        model_not_running(vmid)
        return 0
    if call.verb in ("stop", "shutdown"):
        qm_conf_or_refuse(vmid)
    conf = qm_conf.load(vmid)
    if vmid not in qm_run.running():
        if call.verb == "reboot":
            raise Refused("VM is not running")
        return 0
    if not call.on("skiplock"):
        qm_conf.check_lock(conf)
    if call.verb == "stop":
        qm_run.stop(vmid)
        return 0
    timeout = int(call.values.get("timeout", "60"))
    try:
        qm_run.stop(vmid, timeout)
    except Refused:
        if not call.on("forceStop"):
            raise
        print("VM still running - terminating now with SIGTERM")
        qm_run.stop(vmid)
    if call.verb == "reboot":
        start(vmid)
    return 0


def model_not_running(vmid: str) -> None:
    qm_conf.load(vmid)
    if vmid not in qm_run.running():
        raise Refused(f"VM {vmid} not running")


def qm_conf_or_refuse(vmid: str) -> None:
    """Refuse a machine that is not there in the words of `stop` and `shutdown`."""
    import guest_conf

    if vmid not in qm_conf.vmids():
        raise Refused(f"unable to find configuration file for VM {vmid} on node '{guest_conf.node_name()}'")


def start(vmid: str, skiplock: bool = False) -> None:
    """Start a machine, or refuse."""
    qm_conf.refuse_if_missing(vmid, 255)
    with qm_conf.locked(vmid, sys.stdout):
        conf = qm_conf.load(vmid, 255)
        if conf.values.get("template") == "1":
            raise Refused("you can't start a vm if it's a template")
        qm_conf.check_lock(conf, skiplock)
        if vmid in qm_run.running():
            raise Refused(f"VM {vmid} already running")
        if conf.pending.values:
            qm_set.take_all(conf)
            qm_conf.save(conf)
        _refuse_missing(conf)
        cloud = _cloud_drive(conf)
        if cloud:
            print("generating cloud-init ISO", flush=True)
            qm_cloudinit.generate(conf)
            qm_conf.save(conf)
        root = boot_root(conf)
        if root:
            _plug_in(conf, root)
        qm_run.start(vmid, root, conf.values.get("name", f"VM{vmid}"), addresses(conf))
    if root and cloud:
        qm_firstboot.run(vmid, cloud)


def _cloud_drive(conf: MachineConf) -> str:
    return next((one["file"] for one in qm_drives.every(conf).values() if qm_drives.is_cloudinit(one)), "")


def boot_root(conf: MachineConf) -> str:
    """Return the folder with the files of the disk it boots from; empty when there is no system on it."""
    import os

    order = conf.values.get("boot", "").removeprefix("order=").split(";")
    drives = qm_drives.volumes(conf)
    for key in order:
        drive = drives.get(key)
        if drive and drive.get("media") != "cdrom":
            folder = qm_drives.content(drive["file"])
            if os.path.isdir(model.path(f"{folder}/etc")):
                return folder
    return ""


def addresses(conf: MachineConf) -> list[str]:
    """Return the static addresses it is given."""
    found = []
    for key in sorted(key for key in conf.values if key.startswith("ipconfig")):
        one = qm_formats.parse(key, conf.values[key])
        found += [one[name] for name in ("ip", "ip6") if "/" in one.get(name, "")]
    return found


def _refuse_missing(conf: MachineConf) -> None:
    """Refuse a start without what the node must have: bridges, volumes, PCI devices that are free."""
    for key in sorted(key for key in conf.values if key.startswith("net")):
        if key[3:].isdecimal():
            bridge = qm_formats.parse(key, conf.values[key]).get("bridge", "")
            if bridge and bridge not in guest_nets.bridges():
                raise Refused(f"bridge '{bridge}' does not exist")
    for drive in qm_drives.volumes(conf).values():
        if not qm_drives.size(drive["file"]):
            raise Refused(f"volume '{drive['file']}' does not exist")
    for key in sorted(key for key in conf.values if key.startswith("hostpci")):
        host = qm_formats.parse(key, conf.values[key]).get("host", "")
        for one in host.split(";") if host else []:
            refuse_busy(conf.vmid, one if one.count(":") == 2 else f"0000:{one}")


def _plug_in(conf: MachineConf, root: str) -> None:
    """Let a machine's kernel see what was given to it of the node's PCI devices, and no other."""
    import os
    import shutil

    from guest_paths import inner

    top = inner(model.path(root), f"{pci_devices.TOP}/devices")
    shutil.rmtree(top, ignore_errors=True)
    rows = pci_devices.settled()
    for number, key in enumerate(sorted(key for key in conf.values if key.startswith("hostpci")), 1):
        host = qm_formats.parse(key, conf.values[key]).get("host", "")
        address = host if host.count(":") == 2 else f"0000:{host}"
        for row in rows if host else []:
            slot, _, function = str(row["slot"]).rpartition(".")
            if address in (slot, row["slot"]):
                folder = f"{top}/0000:{number:02x}:00.{function if address == slot else 0}"
                os.makedirs(folder)
                for name in ("vendor", "device"):
                    with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                        file.write(f"0x{row[name]}\n")


def refuse_busy(vmid: str, address: str) -> None:
    """Refuse a PCI device that is not there, or that a driver of the node or another machine has."""
    functions = [row for row in pci_devices.settled() if f"{row['slot']}".startswith(address)]
    if not functions:
        raise Refused(f"no pci device info for device '{address}'")
    if not pci_devices.iommu(model.read()):
        raise Refused("cannot prepare PCI pass-through, IOMMU not present")
    for row in functions:
        if row["driver"] not in ("", pci_devices.PASSED):
            model.not_simulated("qm", ["start", f"with {row['slot']}, which {row['driver']} has"])
    for other in qm_run.running():
        conf = qm_conf.load(other)
        for key, value in conf.values.items():
            if other != vmid and key.startswith("hostpci") and address in value:
                raise Refused(f"PCI device '{row['slot']}' already in use by VMID '{other}'")


def wait(call: Call) -> int:
    """`qm wait`: until it does not run any more."""
    end = time.monotonic() + float(call.values.get("timeout", "3600"))
    while call.vmid in qm_run.running():
        if time.monotonic() > end:
            return 4
        time.sleep(0.2)
    return 0
