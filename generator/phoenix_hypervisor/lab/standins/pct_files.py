"""`pct push` and `pct pull`. As in the real ones, a file that is not there is told, and is no failure."""

import os
import subprocess
import sys

import guest_conf
import guest_runtime
import pct_exec
from guest_conf import Refused
from guest_options import Call

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
PUSH = """\
: > "$1" 2> /dev/null || { echo "failed to create file $1: No such file or directory" >&2; exit 0; }
[ -z "$3$4" ] || chown "$3${4:+:$4}" "$1" || exit
[ -z "$2" ] || chmod "$2" "$1" || exit
exec cat > "$1"
"""
PULL = """\
[ -f "$1" ] || { echo "failed to open $1: No such file or directory" >&2; exit 9; }
exec cat -- "$1"
"""


def run(call: Call) -> int:
    guest_conf.load(call.vmid)
    if call.vmid not in guest_runtime.running():
        raise Refused(f"can only {call.verb} files {'to' if call.verb == 'push' else 'from'} a running CT")
    return _push(call) if call.verb == "push" else _pull(call)


def _push(call: Call) -> int:
    try:
        file = os.open(call.values["file"], os.O_RDONLY)
    except OSError:
        print(f"failed to open {call.values['file']} for reading", file=sys.stderr)
        return 0
    os.dup2(file, 0)
    words = [call.values["destination"], *(call.values.get(name, "") for name in ("perms", "user", "group"))]
    return pct_exec.attach(call.vmid, ["/bin/sh", "-c", PUSH, "sh", *words], ENVIRONMENT)


def _pull(call: Call) -> int:
    final = call.values["destination"]
    new = f"{final}.pulled"
    child = os.fork()
    if child == 0:
        os.dup2(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
        command = ["/bin/sh", "-c", PULL, "sh", call.values["path"]]
        os._exit(_status(call.vmid, command))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        os.unlink(new)
        return 0 if status == 9 else status
    if "perms" in call.values:
        os.chmod(new, int(call.values["perms"], 0 if call.values["perms"].startswith("0x") else 8))
    os.replace(new, final)
    owner, group = call.values.get("user", ""), call.values.get("group", "")
    if owner or group:
        return subprocess.call(["chown", owner + (f":{group}" if group else ""), final])
    return 0


def _status(vmid: str, command: list[str]) -> int:
    """Run a command in the container, in a process that ends with its status."""
    try:
        return guest_runtime.attach(vmid, command, ENVIRONMENT)
    except guest_runtime.RunError as error:
        print(error.text, file=sys.stderr, flush=True)
        return error.status
