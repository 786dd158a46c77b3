"""`pct snapshot`, `listsnapshot`, `rollback` and `delsnapshot`."""

import sys
import time

import guest_conf
import guest_copy
import guest_mounts
import guest_runtime
import guest_volumes
import guest_zfs
import model
from guest_conf import Conf, Part, Refused
from guest_options import Call

NOT_COPIED = ("snapstate", "snaptime", "lock", "parent", "description")


def run(call: Call) -> int:
    verbs = {"snapshot": _take, "listsnapshot": _list, "rollback": _roll_back, "delsnapshot": _delete}
    verbs[call.verb](call)
    return 0


def _datasets(part: Part) -> list[tuple[str, str]]:
    """Return (volume, dataset) of all that is mounted; the dataset is empty where it is none."""
    mounts = guest_mounts.every(part).values()
    return [
        (row["volume"], guest_volumes.dataset(row["volume"]) if guest_mounts.kind(row) == "volume" else "")
        for row in mounts
    ]


def _take(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    if name == "current":
        raise Refused("unable to use snapshot name 'current' (reserved name)")
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid, 255)
        if conf.values.get("template") == "1":
            raise Refused("you can't take a snapshot if it's a template")
        guest_conf.check_lock(conf)
        if name in conf.snapshots:
            raise Refused(f"snapshot name '{name}' already used")
        if not all(dataset for _, dataset in _datasets(conf)):
            raise Refused("snapshot feature is not available")
        conf.values["lock"] = "snapshot"
        conf.snapshots[name] = _part(conf, call.values.get("description", ""))
        guest_conf.save(conf)
    try:
        for _, dataset in _datasets(conf):
            guest_volumes.zfs("snapshot", f"{dataset}@{name}")
    except Refused:
        print("snapshot create failed: starting cleanup")
        _forget(vmid, name, by_force=True)
        raise
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid)
        conf.values.pop("lock", None)
        conf.snapshots[name].values.pop("snapstate", None)
        conf.values["parent"] = name
        guest_conf.save(conf)


def _part(conf: Conf, description: str) -> Part:
    """Return what a snapshot keeps of the configuration, while it is being taken."""
    part = Part()
    part.copy_from(conf)
    for key in NOT_COPIED:
        part.values.pop(key, None)
    if "parent" in conf.values:
        part.values["parent"] = conf.values["parent"]
    if description:
        part.values["description"] = description
    part.values |= {"snaptime": str(int(time.time())), "snapstate": "prepare"}
    return part


def _list(call: Call) -> None:
    show(guest_conf.load(call.vmid))


def show(conf: Conf) -> None:
    """Print the tree of a guest's snapshots."""
    below: dict[str, list[str]] = {}
    for name, part in sorted(conf.snapshots.items(), key=lambda pair: int(pair[1].values.get("snaptime", 0))):
        parent = part.values.get("parent", "")
        below.setdefault(parent if parent in conf.snapshots else "", []).append(name)
    parent = conf.values.get("parent", "")
    below.setdefault(parent if parent in conf.snapshots else "", []).append("current")
    rows = [("", name) for name in reversed(below.get("", []))]
    while rows:
        prefix, name = rows.pop()
        part = conf.snapshots.get(name, Part())
        moment, text = "", "You are here!"
        if name in conf.snapshots:
            clock = time.localtime(int(part.values.get("snaptime", 0)))
            moment = time.strftime("%Y-%m-%d %H:%M:%S", clock)
            text = part.values.get("description", "no-description").partition("\n")[0]
            rows += [(prefix + " ", child) for child in reversed(below.get(name, []))]
        print(f"{prefix + '`-> ' + name:<31} {moment:<23} {text}")


def _existing(conf: Conf, name: str) -> Part:
    if name not in conf.snapshots:
        raise Refused(f"snapshot '{name}' does not exist")
    return conf.snapshots[name]


def _roll_back(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid, 255)
        if conf.values.get("template") == "1":
            raise Refused("you can't rollback if vm is a template")
        part = _existing(conf, name)
        guest_conf.check_lock(conf)
        state = model.read()
        for volume, dataset in _datasets(part):
            known = guest_zfs.snapshots(state, dataset)
            if known and known[-1] != name:
                raise Refused(f"can't rollback, '{name}' is not most recent snapshot on '{volume}'")
        conf.values["lock"] = "rollback"
        guest_conf.save(conf)
    if vmid in guest_runtime.running():
        import pct_power

        pct_power.halt(vmid)
    for _, dataset in _datasets(part):
        guest_volumes.zfs("rollback", f"{dataset}@{name}")
    guest_copy.renew_owners(part)
    with guest_conf.locked(vmid, sys.stdout):
        _restore(guest_conf.load(vmid), name)
    if call.on("start"):
        import pct_power

        pct_power.start(vmid)


def _restore(conf: Conf, name: str) -> None:
    """Let the settings be the snapshot's; the description stays, volumes it does not know are kept unused."""
    before, part = Part(), conf.snapshots[name]
    before.copy_from(conf)
    conf.copy_from(part)
    conf.pending.values.clear()
    for key in NOT_COPIED:
        conf.values.pop(key, None)
    conf.values["parent"] = name
    if "description" in before.values:
        conf.values["description"] = before.values["description"]
    for mount in guest_mounts.every(before).values():
        if guest_mounts.kind(mount) == "volume" and not guest_mounts.in_use(conf, mount["volume"]):
            guest_mounts.keep_unused(conf, mount["volume"])
    guest_conf.save(conf)


def _delete(call: Call) -> None:
    vmid, name = call.vmid, call.values["snapname"]
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid, 255)
        if conf.values.get("template") == "1":
            raise Refused("you can't delete snapshot if vm is a template")
        _existing(conf, name)
        guest_conf.check_lock(conf)
        conf.values["lock"] = "snapshot-delete"
        conf.snapshots[name].values["snapstate"] = "delete"
        guest_conf.save(conf)
    _forget(vmid, name, by_force=call.on("force"))


def _forget(vmid: str, name: str, by_force: bool) -> None:
    """Destroy a snapshot's datasets and take it out of the configuration."""
    part = guest_conf.load(vmid).snapshots[name]
    state = model.read()
    for _, dataset in _datasets(part):
        if dataset and name in guest_zfs.snapshots(state, dataset):
            try:
                guest_volumes.zfs("destroy", f"{dataset}@{name}")
            except Refused as refused:
                if not by_force:
                    raise
                print(str(refused).rstrip(), file=sys.stderr)
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid)
        above = conf.snapshots.pop(name).values.get("parent")
        for other in (conf, *conf.snapshots.values()):
            if other.values.get("parent") == name:
                other.values.pop("parent")
                other.values |= {"parent": above} if above else {}
        conf.values.pop("lock", None)
        guest_conf.save(conf)
