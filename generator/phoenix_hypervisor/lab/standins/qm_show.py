"""`qm list`, `status`, `config`, `pending`, `listsnapshot`, `unlock`, `showcmd`."""

import time

import guest_conf
import guest_volumes
import model
import qm_conf
import qm_drives
import qm_run
from guest_conf import Part, Refused
from guest_options import Call
from qm_conf import MachineConf

MIB = 1 << 20


def run(call: Call) -> int:
    {"list": _list, "status": _status, "config": _config, "pending": _pending, "unlock": _unlock}[call.verb](
        call
    )
    return 0


def _list(_call: Call) -> None:
    running = qm_run.running()
    confs = [qm_conf.load(vmid) for vmid in qm_conf.vmids()]
    if confs:
        print(f"{'VMID':>10} {'NAME':<20} {'STATUS':<10} {'MEM(MB)':<10} {'BOOTDISK(GB)':>12} {'PID':<10}")
    for conf in confs:
        status = "running" if conf.vmid in running else "stopped"
        disk = _boot_size(conf) / 2**30
        pid = running.get(conf.vmid, 0)
        memory = conf.values.get("memory", "512")
        print(f"{conf.vmid:>10} {_name(conf):<20} {status:<10} {memory:<10} {disk:>12.2f} {pid:<10}")


def _name(conf: MachineConf) -> str:
    return conf.values.get("name", f"VM{conf.vmid}")


def _boot_size(conf: MachineConf) -> int:
    order = conf.values.get("boot", "").removeprefix("order=").split(";")
    drives = qm_drives.every(conf)
    first = next((drives[key] for key in order if key in drives), {})
    return guest_volumes.size_of(first["size"]) if "size" in first else 0


def _status(call: Call) -> None:
    conf = qm_conf.load(call.vmid)
    status = "running" if call.vmid in qm_run.running() else "stopped"
    if not call.on("verbose"):
        print(f"status: {status}")
        return
    values = conf.values
    figures = {
        "cpus": str(int(values.get("cores", "1")) * int(values.get("sockets", "1"))),
        "disk": "0",
        "lock": values.get("lock", ""),
        "maxdisk": str(_boot_size(conf)),
        "maxmem": str(int(values.get("memory", "512")) * MIB),
        "mem": "0",
        "name": _name(conf),
        "netin": "0",
        "netout": "0",
        "pid": str(qm_run.running().get(call.vmid, "")),
        "qmpstatus": status,
        "status": status,
        "tags": values.get("tags", ""),
        "template": values.get("template", "").strip("0"),
        "uptime": str(_uptime(call.vmid)),
        "vmid": call.vmid,
    }
    for key, value in sorted(figures.items()):
        if value:
            print(f"{key}: {value}")


def _uptime(vmid: str) -> int:
    row = model.section(model.read(), "guests").get(vmid, {})
    return max(1, int(time.time()) - int(row["started"])) if row.get("running") else 0


def shown(key: str, value: str) -> str:
    if key == "cipassword":
        return "**********"
    return guest_conf.encode_text(value.rstrip("\n")) if key == "description" else value


def _config(call: Call) -> None:
    conf = qm_conf.load(call.vmid)
    part = Part()
    snapshot = call.values.get("snapshot")
    if snapshot is None:
        part.copy_from(conf)
        if not call.on("current"):
            part.values |= conf.pending.values
            for key in ["delete", *conf.pending_deletes()]:
                part.values.pop(key, None)
    elif snapshot in conf.snapshots:
        part.copy_from(conf.snapshots[snapshot])
    else:
        raise Refused(f"snapshot '{snapshot}' does not exist")
    for key, value in sorted(part.values.items()):
        print(f"{key}: {shown(key, value)}")


def _pending(call: Call) -> None:
    conf = qm_conf.load(call.vmid)
    gone = conf.pending_deletes()
    for key in sorted({*conf.values, *conf.pending.values} - {"delete"}):
        value, wanted = conf.values.get(key), conf.pending.values.get(key)
        if value is not None:
            print(f"{'del' if key in gone else 'cur'} {key}: {shown(key, value)}")
        if wanted is not None and key not in gone:
            print(f"new {key}: {shown(key, wanted)}")


def _unlock(call: Call) -> None:
    with qm_conf.locked(call.vmid):
        conf = qm_conf.load(call.vmid)
        conf.values.pop("lock", None)
        qm_conf.save(conf)
