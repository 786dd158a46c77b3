"""`pct exec` and `pct enter`: a command or a shell in a running container."""

import os
import sys

import guest_conf
import guest_options
import guest_runtime
from guest_conf import Refused
from guest_options import Call

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(call: Call) -> int:
    guest_conf.load(call.vmid)
    if call.verb == "exec" and not call.extra:
        raise guest_options.refuse("exec", {"extra-args": "missing command"})
    if call.vmid not in guest_runtime.running():
        raise Refused(f"container '{call.vmid}' not running!")
    environment = dict(os.environ) if call.values.get("keep-env", "1") == "1" else {"PATH": PATH}
    environment |= {"container": "lxc", "TERM": os.environ.get("TERM", "linux")}
    sys.stdout.flush()
    return attach(call.vmid, call.extra, environment)


def attach(vmid: str, argv: list[str], environment: dict[str, str]) -> int:
    """Run a command in a container, or refuse: it may have stopped since we looked."""
    try:
        return guest_runtime.attach(vmid, argv, environment)
    except guest_runtime.RunError as error:
        raise Refused(error.text, error.status) from None
