"""How virtual machines run in the lab: as simulated guests do, without mounts or devices of the node.

That one runs is a note in the model's "guests", beside those of containers; its row says `machine`. What
systemd knows of a running machine on a node is a scope: a folder of the control groups.
"""

import os
import shutil
import sys
import time

import guest_run_simulated
import model
from guest_conf import Refused
from guest_paths import inner
from hints import Sequence

SCOPES = "/sys/fs/cgroup/qemu.slice"
PIDS = "/run/qemu-server"
AGENT = "qemu-guest-agent.service"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def running() -> dict[str, int]:
    """Return the running machines: VMID → the pid of its QEMU."""
    return {
        vmid: int(row["pid"])
        for vmid, row in model.section(model.read(), "guests").items()
        if row.get("running") and row.get("machine")
    }


def row(vmid: str) -> dict[str, object]:
    found: dict[str, object] = model.section(model.read(), "guests").get(vmid, {})
    return found


def start(vmid: str, root: str, hostname: str, addresses: list[str]) -> None:
    """Let a machine run; `root` is the folder of its boot disk, empty when there is no system on it."""
    inode = 0
    if root:
        import guest_boot

        real = model.path(root)
        guest_run_simulated._make_ready(real)
        with guest_run_simulated.inside(real):
            known = model.section(model.read(), "boot")
            guest_boot.boot(_name_of(real) or hostname, known)
        inode = os.stat(real).st_ino
    plan = {"root": root, "hostname": hostname, "idmap": [], "mounts": [], "devices": [], "bridges": [],
            "addresses": addresses, "inode": inode}  # fmt: skip
    with model.change() as state:
        rows = model.section(state, "guests")
        number = max(int(state.get("last_pid", 0)), 400_000) + 1
        state["last_pid"] = number
        rows.setdefault(vmid, {}).update(
            running=True, machine=True, pid=number, started=int(time.time()), plan=plan
        )
    scope = model.path(f"{SCOPES}/{vmid}.scope")
    os.makedirs(scope, exist_ok=True)
    for name, text in (("memory.current", "268435456\n"), ("cpu.stat", "usage_usec 1000000\n")):
        with open(f"{scope}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    os.makedirs(model.path(PIDS), exist_ok=True)
    with open(model.path(f"{PIDS}/{vmid}.pid"), "w", encoding="ascii") as file:
        file.write(f"{number}\n")


def _name_of(root: str) -> str:
    try:
        with open(inner(root, "/etc/hostname"), encoding="utf-8") as file:
            return file.read().strip().partition(".")[0]
    except OSError:
        return ""


def stop(vmid: str, timeout: int | None = None) -> None:
    """End a machine: at once, or by asking it, which one that is deaf does not heed."""
    with model.change() as state:
        found = model.section(state, "guests").get(vmid, {})
        if timeout is not None and found.get("deaf"):
            raise Refused("VM quit/powerdown failed - got timeout")
        for key in ("running", "pid", "started", "plan", "deaf", "mute"):
            found.pop(key, None)
    forget_running(vmid)


def forget_running(vmid: str) -> None:
    """Take away what systemd and Proxmox have of a running machine."""
    shutil.rmtree(model.path(f"{SCOPES}/{vmid}.scope"), ignore_errors=True)
    for ending in ("pid", "qga"):
        if os.path.exists(model.path(f"{PIDS}/{vmid}.{ending}")):
            os.unlink(model.path(f"{PIDS}/{vmid}.{ending}"))


def forget_all() -> None:
    """What systemd and Proxmox had of running machines is gone with a reboot."""
    for folder in (SCOPES, PIDS):
        shutil.rmtree(model.path(folder), ignore_errors=True)


def inside(
    vmid: str, argv: Sequence[str], stdin: bytes = b"", seconds: float | None = None
) -> tuple[int, bytes, bytes]:
    """Run a command in a machine; returns its status as a shell says it, and what it wrote.

    Raises TimeoutError when it takes longer; it runs on then.
    """
    import select

    import guest_attach

    feeds, outs, errs = os.pipe(), os.pipe(), os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        for number, end in enumerate((feeds[0], outs[1], errs[1])):
            os.dup2(end, number)
        for end in (*feeds, *outs, *errs):
            os.close(end)
        status = 255
        try:
            status = guest_attach.attach(vmid, list(argv), {"PATH": PATH, "LANG": "C"}, machine=True)
        except BaseException as error:
            os.write(2, f"{error}\n".encode())
        os._exit(status)
    for end in (feeds[0], outs[1], errs[1]):
        os.close(end)
    said: dict[int, bytes] = {outs[0]: b"", errs[0]: b""}
    left, waiting = stdin, {outs[0], errs[0]}
    if not left:
        os.close(feeds[1])
    limit = None if seconds is None else time.monotonic() + seconds
    while waiting:
        rest = None if limit is None else limit - time.monotonic()
        if rest is not None and rest <= 0:
            raise TimeoutError
        readable, writable, _ = select.select(waiting, [feeds[1]] if left else [], [], rest)
        for end in writable:
            left = left[os.write(end, left[:65536]) :]
            if not left:
                os.close(end)
        for end in readable:
            part = os.read(end, 65536)
            said[end] += part
            waiting -= set() if part else {end}
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status) % 256, said[outs[0]], said[errs[0]]


def refuse_silent(vmid: str) -> None:
    """Refuse what the guest agent is to do where there is none that answers."""
    import qm_conf
    import qm_formats

    conf = qm_conf.load(vmid)
    if qm_formats.parse("agent", conf.values.get("agent", "0")).get("enabled") != "1":
        raise Refused("No QEMU guest agent configured")
    found = row(vmid)
    if not (found.get("running") and found.get("machine")):
        raise Refused(f"VM {vmid} is not running")
    if found.get("mute") or not has_agent(vmid):
        raise Refused("QEMU guest agent is not running")


def has_agent(vmid: str) -> bool:
    """Tell whether the agent runs in a machine."""
    plan = row(vmid).get("plan", {})
    root = plan.get("root", "") if isinstance(plan, dict) else ""
    if not root:
        return False
    import units

    with guest_run_simulated.inside(model.path(root)):
        state = model.read()
        unit = units.known(state, AGENT)
        return unit is not None and unit.get("active") == "active"
