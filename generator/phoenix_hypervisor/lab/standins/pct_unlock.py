"""`pct unlock`."""

import guest_conf
from guest_conf import Refused
from guest_options import Call


def run(call: Call) -> int:
    guest_conf.refuse_if_missing(call.vmid)
    with guest_conf.locked(call.vmid):
        conf = guest_conf.load(call.vmid)
        if not conf.values.pop("lock", ""):
            raise Refused("no lock found trying to remove any lock")
        guest_conf.save(conf)
    return 0
