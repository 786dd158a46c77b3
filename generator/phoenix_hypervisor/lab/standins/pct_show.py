"""`pct list`, `status`, `config` and `pending`."""

import time

import guest_conf
import guest_formats
import guest_options
import guest_runtime
import model
from guest_conf import Conf, Part, Refused
from guest_options import Call

MIB = 1 << 20


def run(call: Call) -> int:
    verbs = {"list": _list, "status": _status, "config": _config, "pending": _pending}
    verbs[call.verb](call)
    return 0


def _list(call: Call) -> None:
    running = guest_runtime.running()
    confs = [guest_conf.load(vmid) for vmid in guest_conf.vmids()]
    for number, conf in enumerate(confs):
        if int(conf.vmid) < 100:
            # one stray file, and nobody can be listed
            fault = "invalid format - value does not look like a valid VM ID\n"
            raise guest_options.refuse(
                call.verb, {f"[{number}].vmid": fault}, "400 Result verification failed"
            )
    rows = [("VMID", "Status", "Lock", "Name")] if confs else []
    for conf in confs:
        status = "running" if conf.vmid in running else "stopped"
        rows.append((conf.vmid, status, conf.values.get("lock", ""), _name(conf)))
    for vmid, status, lock, name in rows:
        print(f"{vmid:<10} {status:<10} {lock:<12} {name:<20}")


def _name(conf: Conf) -> str:
    return conf.values.get("hostname", f"CT{conf.vmid}")


def _status(call: Call) -> None:
    conf = guest_conf.load(call.vmid)
    if not call.on("verbose"):
        print(f"status: {'running' if guest_conf.running(call.vmid) else 'stopped'}")
        return
    for key, value in sorted(_figures(conf).items()):
        if value:
            print(f"{key}: {value}")


def _figures(conf: Conf) -> dict[str, str]:
    """Return all that is known of a guest; the lab measures neither its memory nor its traffic."""
    import guest_mounts
    import guest_volumes

    values, pid = conf.values, guest_runtime.running().get(conf.vmid)
    root = guest_mounts.every(conf).get("rootfs", {})
    swap = int(values.get("swap", "512"))
    figures = dict.fromkeys(
        ("disk", "diskread", "diskwrite", "mem", "netin", "netout", "swap", "uptime"), "0"
    )
    figures |= {
        "cpus": values.get("cores") or values.get("cpulimit") or _processors(),
        "lock": values.get("lock", ""),
        "maxdisk": str(guest_volumes.size_of(root["size"]) if "size" in root else 4 << 30),
        "maxmem": str(int(values.get("memory", "512")) * MIB),
        "maxswap": str(swap * MIB),
        "name": _name(conf),
        "status": "running" if pid else "stopped",
        "tags": values.get("tags", ""),
        "template": values.get("template", "").strip("0"),
        "type": "lxc",
        "vmid": conf.vmid,
    }
    if pid:
        started = model.section(model.read(), "guests").get(conf.vmid, {}).get("started", time.time())
        uptime = max(1, int(time.time()) - int(started))
        figures |= {"pid": str(pid), "disk": str(_used(root)), "uptime": str(uptime)}
    return figures


def _processors() -> str:
    import os

    return str(os.cpu_count() or 1)


def _used(root: dict[str, str]) -> int:
    """Return the bytes of the files in a guest's root."""
    import os

    import guest_volumes

    top = model.path(guest_volumes.place(root["volume"]))
    paths = (os.path.join(at, name) for at, _, files in os.walk(top) for name in files)
    return sum(os.lstat(path).st_size for path in paths)


def _config(call: Call) -> None:
    conf = guest_conf.load(call.vmid)
    shown = Part()
    snapshot = call.values.get("snapshot")
    if snapshot is None:
        shown.copy_from(conf)
        if not call.on("current"):
            _apply_pending(conf, shown)
    elif snapshot in conf.snapshots:
        shown.copy_from(conf.snapshots[snapshot])
    else:
        raise Refused(f"snapshot '{snapshot}' does not exist")
    faults = {}
    for key, value in shown.values.items():
        rule = guest_formats.rule_of(key)
        wrong = guest_formats.fault(rule, value, key) if rule else ""
        if wrong:
            faults[key] = wrong
    if faults:
        raise guest_options.refuse(call.verb, faults, "400 Result verification failed")
    for key, value in sorted(shown.values.items()):
        print(f"{key}: {_shown(key, value)}")
    for key, value in shown.raw:
        print(f"{key}: {value}")


def _apply_pending(conf: Conf, shown: Part) -> None:
    shown.values |= conf.pending.values
    for key in ["delete", *conf.pending_deletes()]:
        shown.values.pop(key, None)


def _shown(key: str, value: str) -> str:
    return guest_conf.encode_text(value) if key == "description" else value


def _pending(call: Call) -> None:
    conf = guest_conf.load(call.vmid)
    gone = conf.pending_deletes()
    for key in sorted({*conf.values, *conf.pending.values} - {"delete"}):
        value, wanted = conf.values.get(key), conf.pending.values.get(key)
        if value is not None:
            print(f"{'del' if key in gone else 'cur'} {key}: {_shown(key, value)}")
        if wanted is not None and key not in gone:
            print(f"new {key}: {_shown(key, wanted)}")
