"""`pct start`, `stop`, `shutdown` and `reboot`."""

import sys

import guest_conf
import guest_journal
import guest_lxc
import guest_owners
import guest_plan
import guest_runtime
import guest_setup
import model
from guest_conf import Conf, Refused
from guest_options import Call

HOOK = """\
run_buffer: 571 Script exited with status 2
lxc_init: 845 Failed to run lxc.hook.pre-start for container "{0}"
__lxc_start: 2034 Failed to initialize container "{0}"
startup for container '{0}' failed"""


def run(call: Call) -> int:
    if call.verb == "start":
        start(call.vmid, skiplock=call.on("skiplock"))
        return 0
    conf = guest_conf.load(call.vmid, 255)
    if call.vmid not in guest_runtime.running():
        raise Refused(f"{'VM' if call.verb == 'reboot' else 'CT'} {call.vmid} not running")
    if not call.on("skiplock"):
        guest_conf.check_lock(conf)
    if call.verb == "stop":
        halt(call.vmid)
        return 0
    halt(call.vmid, int(call.values.get("timeout", "60")), force=call.on("forceStop"))
    if call.verb == "reboot":
        start(call.vmid)
    return 0


def start(vmid: str, skiplock: bool = False) -> None:
    """Start a container, or refuse."""
    if vmid in guest_runtime.running():
        raise Refused(f"CT {vmid} already running")
    with guest_conf.locked(vmid, sys.stdout):
        conf = guest_conf.load(vmid, 255)
        if conf.values.get("template") == "1":
            raise Refused("you can't start a CT if it's a template")
        if conf.values.get("lock") == "mounted":
            del conf.values["lock"]
            guest_conf.save(conf)
        if not skiplock:
            guest_conf.check_lock(conf)
        if conf.pending.values:
            _apply_pending(conf)
        _begin(conf)


def _apply_pending(conf: Conf) -> None:
    """What waited for this start comes into effect; what cannot is told, and waits on."""
    import pct_set

    keys = {*conf.pending.values, *conf.pending_deletes()} - {"delete"}
    for fault in pct_set.apply(conf, keys, running=False).values():
        print(fault, end="", file=sys.stderr)
    guest_conf.save(conf)


def _begin(conf: Conf) -> None:
    """Do what is between the configuration and the running container; the lock is held."""
    vmid, unit = conf.vmid, f"pve-container@{conf.vmid}.service"
    plan = guest_plan.make(conf)
    guest_lxc.refresh(conf)
    try:
        if guest_plan.missing_folder(plan):
            raise Refused(HOOK.format(vmid))
        guest_setup.write(model.path(plan["root"]), conf)
        guest_owners.shift(model.path(plan["root"]) + "/etc", plan["idmap"])
        guest_runtime.start(vmid, plan)
    except (Refused, guest_runtime.RunError) as error:
        failed = "Main process exited, code=exited, status=1/FAILURE", "Failed with result 'exit-code'."
        guest_journal.note(vmid, *(f"{unit}: {line}" for line in failed))
        raise (
            error
            if isinstance(error, Refused)
            else Refused(f"{error.text}\nstartup for container '{vmid}' failed")
        ) from None
    guest_journal.note(vmid, f"Started {unit} - PVE LXC Container: {vmid}.")


def halt(vmid: str, timeout: int | None = None, force: bool = False) -> None:
    """Stop a running container: at once, or by asking it; `force` ends one that does not obey."""
    try:
        guest_runtime.stop(vmid, timeout)
    except guest_runtime.RunError as error:
        if not force:
            print(f"command 'lxc-stop -n {vmid} --nokill --timeout {timeout}' failed: exit code 1")
            raise Refused(error.text) from None
        guest_runtime.stop(vmid)
    guest_journal.note(vmid, f"pve-container@{vmid}.service: Deactivated successfully.")
