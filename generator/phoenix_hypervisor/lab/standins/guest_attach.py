"""Commands in a simulated guest: really run, in a root of the guest's own.

What is attached lives in namespaces of its own (user, mount, pid, ipc, host name) and dies with the command.
The network is the guest's, and stays (guest_spaces.py). /usr and what belongs to it is the node's, read-only.
"""

import os
import signal
import sys

import accounts
import enter
import guest_binds
import guest_init
import guest_run_simulated
import guest_spaces
import model
from guest_paths import inner
from guest_runtime import Plan, RunError

CACHE = "/var/cache/phoenix-lab"
"""Compiled stand-ins, where a node compiles them for itself: a guest uses the node's."""
SPACES = enter.CLONE_NEWNS | enter.CLONE_NEWUTS | enter.CLONE_NEWIPC | enter.CLONE_NEWPID
"""What each attached command has of its own."""


def attach(vmid: str, argv: list[str], environment: dict[str, str], machine: bool = False) -> int:
    """See guest_runtime.attach; `machine` for a virtual machine, which no container's tool can enter."""
    state = model.read()
    row = model.section(state, "guests").get(vmid, {})
    if not row.get("running") or bool(row.get("machine")) != machine:
        raise RunError(
            f"lxc-attach: {vmid}: ../src/lxc/attach.c: get_attach_context: 406 Connection refused - "
            f"Failed to get init pid\nlxc-attach: {vmid}: ../src/lxc/attach.c: lxc_attach: 1470 "
            "Connection refused - Failed to get attach context"
        )
    root = model.path(row["plan"]["root"])
    if not os.path.isdir(root):
        raise RunError(f"lxc-attach: {vmid}: {root}: the guest's root is gone")
    follow(vmid, row["plan"])
    owners = model.section(state, "owners")
    words = argv or [_shell(row["plan"])]
    for number in (signal.SIGINT, signal.SIGQUIT):  # from a terminal: they are for the command
        signal.signal(number, signal.SIG_IGN)
    try:
        if guest_spaces.possible():
            guest_spaces.wake_keeper()
            guest_spaces.join(vmid, row["pid"])
            enter.kernel("unshare", SPACES)
        else:
            enter.kernel("unshare", SPACES | enter.CLONE_NEWUSER)
            enter.map_ids(0, 0)
    except OSError as error:
        raise RunError(f"lxc-attach: {vmid}: the lab gets no namespaces for it: {error.strerror}") from None
    sys.stdout.flush()  # what this process has still to say is not for others to say again
    child = os.fork()
    if child == 0:
        enter.carefully(lambda: _init(vmid, row["plan"], owners, words, environment))
    return enter.exit_status(os.waitpid(child, 0)[1])


def follow(vmid: str, plan: Plan) -> None:
    """Note owners anew if the node was copied while the guest ran: they are noted by inode numbers."""
    if plan["inode"] == os.stat(model.path(plan["root"])).st_ino:
        return
    import guest_copy

    volumes = {
        row["target"].rstrip("/"): model.path(row["source"]) for row in plan["mounts"] if row["volume"]
    }
    guest_copy.renew({"": model.path(plan["root"]), **volumes})
    guest_run_simulated.change(vmid, plan | {"inode": os.stat(model.path(plan["root"])).st_ino})


def _shell(plan: Plan) -> str:
    try:
        with open(model.path(plan["root"]) + "/etc/passwd", encoding="utf-8") as file:
            shell = next((line.rstrip("\n").split(":")[6] for line in file if line.startswith("root:")), "")
    except (OSError, IndexError):
        shell = ""
    return shell or "/bin/sh"


def _init(
    vmid: str, plan: Plan, owners: accounts.Owners, words: list[str], environment: dict[str, str]
) -> int:
    """Be process 1 of what is attached."""
    make_root(plan, owners)
    where = f"lxc-attach: {vmid}: ../src/lxc/attach.c: lxc_attach_run_command: 1841 "
    return guest_init.run(words, environment, where + '{1} - Failed to exec "{0}"')


def make_root(plan: Plan, owners: accounts.Owners) -> None:
    """Be in the guest's root, in new namespaces of which this is the first process."""
    enter.kernel("prctl", enter.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    enter.kernel("sethostname", plan["hostname"], len(plan["hostname"].encode()))
    before = _here()
    root = os.path.realpath(model.path(plan["root"]))
    shown = _shown()
    enter.mount(None, "/", None, enter.MS_REC | enter.MS_SLAVE)
    enter.mount(root, root, None, enter.MS_BIND | enter.MS_REC)
    for point in (*shown, *filter(os.path.isdir, [CACHE])):
        enter.bind(point, inner(root, point))
    enter.make_devices(inner(root, "/dev"))
    _make_proc(inner(root, "/proc"))
    if os.path.isdir(guest_spaces.FOLDER):
        enter.bind(guest_spaces.FOLDER, inner(root, guest_spaces.FOLDER))
    guest_binds.make(root, plan, owners)
    enter.change_root(root)
    os.chdir(before if os.path.isdir(before) else "/")


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def _make_proc(proc: str) -> None:
    """Show the guest its own processes; where the kernel forbids it (see sandbox.PROC), all of the node's."""
    flags = enter.MS_NOSUID | enter.MS_NODEV | enter.MS_NOEXEC | enter.MS_RDONLY
    try:
        enter.mount("proc", proc, "proc", flags)
    except OSError:
        enter.mount("/proc", proc, None, enter.MS_BIND | enter.MS_REC)
    else:
        enter.mount("/proc/driver", proc + "/driver", None, enter.MS_BIND | enter.MS_REC)


def _shown() -> list[str]:
    """What of the machine the node itself sees read-only, as the guest shall: not what is the node's."""
    found: list[str] = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split() for line in file]
    for row in rows:
        point = row[4].replace("\\040", " ")
        if "ro" not in row[5].split(",") or point.startswith(("/proc", "/dev")):
            continue
        if not any(point.startswith(above + "/") for above in found):
            found.append(point)
    return found
