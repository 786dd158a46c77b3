"""`pct rescan`: sizes in the confs, and volumes that no conf knows."""

import guest_conf
import guest_mounts
import guest_volumes
from guest_conf import Conf
from guest_options import Call


def run(call: Call) -> int:
    dry = call.on("dryrun")
    if dry:
        print("NOTE: running in dry-run mode, won't write changes out!")
    print("rescan volumes...")
    for vmid in [call.vmid] if "vmid" in call.values else guest_conf.vmids():
        with guest_conf.locked(vmid):
            conf = guest_conf.load(vmid)
            if _update(conf) and not dry:
                guest_conf.save(conf)
    return 0


def _update(conf: Conf) -> bool:
    """Bring a conf up to date and tell how; bind mounts get a size of nothing, as in the real tool."""
    volumes = guest_volumes.of_guest(conf.vmid)
    changed = False
    for key, mount in guest_mounts.every(conf).items():
        size = volumes.get(mount["volume"], 0)
        if "size" not in mount or guest_volumes.size_of(mount["size"]) != size:
            print(f"CT {conf.vmid}: updated volume size of '{mount['volume']}' in config.")
            conf.values[key] = guest_mounts.written(key, mount | {"size": guest_volumes.spelt(size)})
            changed = True
    for key, volid in guest_mounts.unused(conf).items():
        if volid not in volumes or guest_mounts.in_use(conf, volid):
            print(f"CT {conf.vmid}: removing entry '{key}' from config.")
            del conf.values[key]
            changed = True
    for volid in sorted(volumes):
        key = "" if guest_mounts.in_use(conf, volid) else guest_mounts.keep_unused(conf, volid)
        if key:
            print(f"CT {conf.vmid}: add unreferenced volume '{volid}' as '{key}' to config.")
            changed = True
    return changed
