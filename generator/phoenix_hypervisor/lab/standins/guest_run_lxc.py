"""Guests in LXC itself, on a node that has it, root's rights and systemd: what pct does on a real node.

Proxmox's configuration (/var/lib/lxc/ID/config) leans on its own hooks and profiles, and on control groups of
version 2. LXC is started by the node's unit `pve-container@ID` with what remains of it without them
(/var/lib/lxc/ID/started), and with mounts and devices spelt out; bridges too, on a node without Proxmox's
network script.
"""

import os
import re
import subprocess
import time

import guest_hotplug
import guest_limits
import model
from guest_runtime import Plan, RunError

FOLDER = "/var/lib/lxc"
UNIT = "pve-container@{}.service"
SAID = "/run/pve/ct-{}.stderr"
"""Where the unit lets lxc-start write what goes wrong."""
LEANING = ("lxc.apparmor.", "lxc.rootfs.path", "lxc.seccomp.profile = /var/lib/lxc/")
"""What is left out of Proxmox's configuration, by how its lines begin."""
LINKS = "/usr/share/lxc/lxcnetaddbr"
"""The network script: it hangs interfaces on bridges, those under the firewall on bridges of their own."""
PATIENCE = 60


def running() -> dict[str, int]:
    ended = _run(["/usr/bin/lxc-ls", "-P", FOLDER, "--running", "-1"])
    found = {vmid: _pid(vmid) for vmid in ended.stdout.split() if vmid.isdecimal()}
    return {vmid: pid for vmid, pid in found.items() if pid}


def _pid(vmid: str) -> int:
    ended = _run(["/usr/bin/lxc-info", "-P", FOLDER, "-n", vmid, "-p", "-H"])
    return int(ended.stdout.strip() or 0)


def start(vmid: str, plan: Plan) -> None:
    for row in plan["mounts"]:
        guest_hotplug.own(row, plan)
    lines = [*_kept(vmid), f"lxc.rootfs.path = dir:{plan['root']}", *_mounts(vmid, plan), *_nets(plan)]
    with open(f"{FOLDER}/{vmid}/started", "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    os.makedirs(os.path.dirname(SAID), exist_ok=True)
    started = _run(["systemctl", "start", UNIT.format(vmid)])
    pid = _until_it_runs(vmid) if started.returncode == 0 else 0
    if not pid:
        raise RunError(_said(vmid) or started.stderr.strip())
    with model.change() as state:
        row = model.section(state, "guests").setdefault(vmid, {})
        row.update(running=True, pid=pid, started=int(time.time()), plan=plan)


def _kept(vmid: str) -> list[str]:
    with open(f"{FOLDER}/{vmid}/config", encoding="utf-8") as file:
        lines = file.read().splitlines()
    linked = os.path.exists(LINKS)
    lines = [one for one in lines if not one.startswith(LEANING) and (linked or ".script.up = " not in one)]
    return guest_limits.fitting(lines)


def _until_it_runs(vmid: str) -> int:
    """Return the pid of the guest's init; 0 when the unit has failed before there was one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if _run(["/usr/bin/lxc-info", "-P", FOLDER, "-n", vmid, "-s", "-H"]).stdout.strip() == "RUNNING":
            return _pid(vmid)
        if _run(["systemctl", "is-active", "--quiet", UNIT.format(vmid)]).returncode:
            return 0
        time.sleep(0.02)
    raise RunError(f"container '{vmid}' is neither running nor stopped after {PATIENCE} seconds")


def _said(vmid: str) -> str:
    """Return what lxc-start said, without where it comes from in its source."""
    try:
        with open(SAID.format(vmid), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join(re.sub(r"^lxc-start: \S+: (\S+/\S+\.c: )?", "", line) for line in lines)


def _mounts(vmid: str, plan: Plan) -> list[str]:
    """Mount points and devices; those that a raw line asks for LXC mounts itself."""
    lines = []
    for row in plan["mounts"]:
        if "optional" not in row:
            options = "rbind,create=dir" + (",ro" if row["read_only"] else "")
            lines.append(
                f"lxc.mount.entry = {_word(row['source'])} {_word(row['target'][1:])} none {options} 0 0"
            )
    for device in plan["devices"]:
        node = guest_hotplug.make_device(f"{FOLDER}/{vmid}", device, plan)
        lines.append(f"lxc.mount.entry = {node} {device[0][1:]} none bind,create=file 0 0")
        lines.append(guest_limits.allowed(node))
    return lines


def _word(path: str) -> str:
    """Spell a path as fstab does."""
    return path.replace("\\", "\\134").replace(" ", "\\040")


def _nets(plan: Plan) -> list[str]:
    if os.path.exists(LINKS):
        return []
    return [f"lxc.net.{number}.link = {bridge}" for number, bridge in plan["bridges"] if bridge]


def stop(vmid: str, timeout: int | None) -> None:
    how = ["--kill"] if timeout is None else ["--nokill", "--timeout", str(timeout)]
    ended = _run(["/usr/bin/lxc-stop", "-P", FOLDER, "-n", vmid, *how], (timeout or 0) + PATIENCE)
    if ended.returncode:
        raise RunError("container did not stop")
    # A unit that is still ending could not be started again.
    _run(["systemctl", "stop", UNIT.format(vmid)])
    with model.change() as state:
        row = model.section(state, "guests").get(vmid, {})
        for key in ("running", "pid", "started", "plan"):
            row.pop(key, None)


def change(vmid: str, plan: Plan) -> None:
    """Limits, new mounts and new devices; what else has changed waits for the next start."""
    pid = running().get(vmid)
    if not pid:
        return
    guest_limits.set_now(vmid, _kept(vmid))
    with model.change() as state:
        row = model.section(state, "guests").setdefault(vmid, {})
        before = row.get("plan", {"mounts": [], "devices": []})
        for mount in plan["mounts"]:
            if mount not in before["mounts"] and "optional" not in mount:
                guest_hotplug.own(mount, plan)
                guest_hotplug.mount(pid, mount["source"], mount["target"], read_only=mount["read_only"])
        for device in plan["devices"]:
            if device not in before["devices"]:
                node = guest_hotplug.make_device(f"{FOLDER}/{vmid}", device, plan)
                guest_hotplug.mount(pid, node, device[0], read_only=False)
        row["plan"] = plan


def attach(vmid: str, argv: list[str], environment: dict[str, str]) -> int:
    words = ["/usr/bin/lxc-attach", "-P", FOLDER, "-n", vmid, "--clear-env"]
    for name, value in environment.items():
        words += ["-v", f"{name}={value}"]
    status = subprocess.call([*words, *(["--", *argv] if argv else [])])
    return status if status >= 0 else 128 - status


def _run(argv: list[str], seconds: int = PATIENCE) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise RunError(f"{os.path.basename(argv[0])} does not end") from None
