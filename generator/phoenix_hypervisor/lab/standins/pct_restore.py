"""`pct restore`: a container made from one of its backups, under any number that is free."""

import os
import re
import sys

import backup_archive
import guest_archive
import guest_conf
import guest_mounts
import guest_nets
import guest_owners
import guest_plan
import guest_volumes
import model
import pct_create
import pct_set
from guest_conf import Conf, Refused
from guest_options import Call
from storage_rules import Refused as StorageRefused

NOT_RESTORED = ("lock", "parent", "snaptime", "snapstate", "template")


def run(call: Call) -> int:
    if call.on("force") or any(re.fullmatch(r"rootfs|mp\d+", key) for key in call.values):
        model.not_simulated("pct", ["restore", "--force, --rootfs or --mpN"])
    vmid = call.vmid
    with guest_conf.locked(vmid, sys.stdout):
        try:
            guest_conf.refuse_if_used(vmid)
        except Refused as refused:
            raise Refused(f"unable to restore CT {vmid} - {refused}") from None
        locked = Conf(vmid)
        locked.values["lock"] = "create"
        guest_conf.save(locked)
        made: list[str] = []
        try:
            conf = _restored(call, made)
        except (StorageRefused, backup_archive.FailedError) as refused:
            for volid in made:
                guest_volumes.free(volid)
            guest_conf.remove(vmid)
            raise Refused(f"unable to restore CT {vmid} - {refused}") from None
        guest_conf.save(conf)
    if call.on("start"):
        import pct_power

        pct_power.start(vmid)
    return 0


def _restored(call: Call, made: list[str]) -> Conf:
    """Make volumes (noted in `made`), fill them; return the conf."""
    template = call.values["ostemplate"]
    print(f"recovering backed-up configuration from '{template}'")
    archive = template if template.startswith("/") else guest_volumes.image(template)
    if not os.path.isfile(model.path(archive)):
        raise Refused(f"volume '{template}' does not exist")
    text = backup_archive.read(model.path(archive), backup_archive.CONF)
    if text is None:
        raise Refused("archive does not contain a configuration file")
    conf = _conf(call, text)
    mounts = guest_mounts.every(conf)
    storage = call.values.get("storage", "local")
    for key, mount in mounts.items():
        if guest_mounts.kind(mount) == "volume":
            size = guest_volumes.size_of(mount.get("size", "4G")) / (1 << 30)
            mounts[key] = pct_set.new_volume(conf.vmid, mount | {"volume": f"{storage}:{size}"})
            made.append(mounts[key]["volume"])
            conf.values[key] = guest_mounts.written(key, mounts[key])
    print(f"restoring '{template}' now..")
    print(f"extracting archive '{archive}'", flush=True)
    _unpack(conf, mounts, model.path(archive))
    print("merging backed-up and given configuration..")
    _rules(conf.vmid, model.path(archive))
    return conf


def _conf(call: Call, text: str) -> Conf:
    """Return the configuration of the archive, with what is given instead."""
    conf = guest_conf.parse(call.vmid, text)
    conf.snapshots.clear()
    conf.pending.values.clear()
    for key in [key for key in conf.values if key in NOT_RESTORED or key.startswith("unused")]:
        del conf.values[key]
    if call.on("unique"):
        for key in [key for key in conf.values if re.fullmatch(r"net\d+", key)]:
            net = {
                name: value for name, value in guest_nets.read(conf.values[key]).items() if name != "hwaddr"
            }
            conf.values[key] = guest_nets.written(",".join(f"{n}={v}" for n, v in net.items()))
    for key, value in call.values.items():
        if key not in pct_create.FOR_CREATING:
            conf.values[key] = pct_set.stored(key, value)
    return conf


def _unpack(conf: Conf, mounts: dict[str, guest_mounts.Mount], archive: str) -> None:
    """Unpack everything into the root, then give each volume what lies at its place."""
    root = model.path(guest_volumes.place(mounts["rootfs"]["volume"]))
    size = guest_archive.unpack(archive, root)
    if size is None:
        raise Refused(f"command 'tar xpf - -C /var/lib/lxc/{conf.vmid}/rootfs' failed: exit code 2")
    print(f"Total bytes read: {size} ({size / 2**20:.1f}MiB, {size / 2**20:.0f}MiB/s)")
    for key, mount in mounts.items():
        if key != "rootfs" and guest_mounts.kind(mount) == "volume":
            inside, own = f"{root}/{mount['mp'].strip('/')}", model.path(guest_volumes.place(mount["volume"]))
            os.makedirs(inside, exist_ok=True)
            for name in os.listdir(inside):
                os.rename(f"{inside}/{name}", f"{own}/{name}")
    guest_owners.shift(root, guest_plan.idmap(conf))
    os.makedirs(model.path(f"/var/lib/lxc/{conf.vmid}/rootfs"), exist_ok=True)


def _rules(vmid: str, archive: str) -> None:
    """Put back the firewall rules that were saved with it."""
    rules = backup_archive.read(archive, backup_archive.RULES)
    if rules is not None:
        with open(model.path(f"/etc/pve/firewall/{vmid}.fw"), "w", encoding="utf-8") as file:
            file.write(rules)
