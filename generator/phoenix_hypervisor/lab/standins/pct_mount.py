"""`pct mount` and `pct unmount`: a stopped container's root, to look into; in the lab that is a link."""

import os
import sys

import guest_conf
import guest_mounts
import guest_runtime
import guest_volumes
import model
from guest_options import Call


def run(call: Call) -> int:
    shown = f"/var/lib/lxc/{call.vmid}/rootfs"
    place = model.path(shown)
    with guest_conf.locked(call.vmid, sys.stdout):
        conf = guest_conf.load(call.vmid, 255)
        if call.verb == "unmount":
            if conf.values.get("lock") == "mounted":
                del conf.values["lock"]
                guest_conf.save(conf)
            if os.path.islink(place):
                os.unlink(place)
            return 0
        if call.vmid in guest_runtime.running():
            raise guest_conf.Refused("can't mount running container")
        guest_conf.check_lock(conf)
        conf.values["lock"] = "mounted"
        guest_conf.save(conf)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.isdir(place) and not os.path.islink(place):
            os.rmdir(place)
        os.symlink(model.path(guest_volumes.place(guest_mounts.every(conf)["rootfs"]["volume"])), place)
    print(f"mounted CT {call.vmid} in '{shown}'")
    return 0
