"""What systemd starts: file systems, services that are enabled, and the guests that start with the node."""

import os
from contextlib import redirect_stderr, redirect_stdout

import exports_clients
import exports_table
import firewall_daemon
import guest_conf
import model
import pct_power
import qm_run
import unit_jobs
import units
import zfs_datasets
import zfs_mount_verbs
import zfs_mounts

GUESTS = "pve-guests.service"
LXC = "/etc/pve/lxc"


def boot() -> None:
    """Start what is enabled, in order; what fails is in the state of its unit and nowhere else."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        _file_systems()
        qm_run.forget_all()
        exports_table.save([])
        firewall_daemon.unload()
        with model.change() as state:
            names = [units.full_name(name) for name in [*model.section(state, "units"), *_linked()]]
            names = list(dict.fromkeys(names))
            known = {name: unit for name in names if (unit := units.known(state, name)) is not None}
            for name, unit in known.items():
                unit.update(active="inactive", sub="dead", result="success")
                if units.file_of(name) and not units.masked(name):
                    unit["definition"] = units.read(name)
            wanted = [name for name, unit in known.items() if _starts(name, unit)]
        for name in sorted(wanted, key=lambda name: name == GUESTS):  # the guests last
            unit_jobs.start(name)
        if GUESTS in wanted:
            _guests()


def _starts(name: str, unit: units.Unit) -> bool:
    return units.enabled(name, unit) == "enabled" or (name in _linked() and not units.masked(name))


def _linked() -> list[str]:
    """The units that links in /etc/systemd/system pull in."""
    top = model.path(units.FOLDER)
    folders = sorted(os.listdir(top)) if os.path.isdir(top) else []
    return [
        name
        for folder in folders
        if folder.endswith((".wants", ".requires"))
        for name in sorted(os.listdir(os.path.join(top, folder)))
    ]


def _file_systems() -> None:
    """Nothing is mounted but what mounts itself: datasets; what a client had mounted is gone."""
    with model.change() as state:
        mounts = exports_clients.mounts(state)
        for point in reversed(list(mounts)):
            os.unlink(model.path(point))
            os.rename(mounts.pop(point)["kept"], model.path(point))
        names = sorted(zfs_datasets.every(state))
        for name in reversed(names):
            if zfs_datasets.row_of(state, name).get("mounted") and not zfs_mounts.automatic(state, name):
                zfs_mounts.unmount(state, name)
        for name in names:
            if zfs_mounts.automatic(state, name) and not zfs_datasets.row_of(state, name).get("mounted"):
                zfs_mount_verbs.try_mount(state, name)


def _guests() -> None:
    """Start the guests that start with the node, containers and machines, in their order."""
    import qm_conf
    import qm_power

    containers = [
        name.removesuffix(".conf") for name in os.listdir(model.path(LXC)) if name.endswith(".conf")
    ]
    confs: dict[str, guest_conf.Conf] = {vmid: guest_conf.load(vmid) for vmid in sorted(containers, key=int)}
    confs |= {vmid: qm_conf.load(vmid) for vmid in qm_conf.vmids()}
    first = [vmid for vmid, conf in confs.items() if conf.values.get("onboot") == "1"]
    for vmid in sorted(first, key=lambda vmid: _order(confs[vmid])):
        try:
            (pct_power if vmid in containers else qm_power).start(vmid)
        except guest_conf.Refused:
            continue  # as on a node: the others start all the same


def _order(conf: guest_conf.Conf) -> tuple[int, int]:
    words = dict(part.partition("=")[::2] for part in conf.values.get("startup", "").split(","))
    number = words.get("order") or next((word for word in words if word.isdigit()), "")
    return (int(number), int(conf.vmid)) if number else (1 << 30, int(conf.vmid))
