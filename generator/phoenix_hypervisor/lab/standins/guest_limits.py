"""What a container may use, said in the keys of the control groups that this node has.

Proxmox says it for version 2. Where memory and processor are controlled by version 1, its keys are used; what
that cannot say (memory.high) is left out.
"""

import os
import stat

_NEW, _OLD = "lxc.cgroup2.", "lxc.cgroup."
_TREE = "/sys/fs/cgroup"


def _version_2() -> bool:
    return os.path.exists(f"{_TREE}/cgroup.controllers")


def fitting(lines: list[str]) -> list[str]:
    """Return the lines of an LXC configuration with limits that this node can set."""
    if _version_2():
        return lines
    memory = 0
    found: list[str] = []
    for line in lines:
        key, _, value = (part.strip() for part in line.partition("="))
        if not key.startswith(_NEW):
            found.append(line)
            continue
        name = key.removeprefix(_NEW)
        if name == "memory.max" and value.isdecimal():
            memory = int(value)
        found += [f"{_OLD}{old} = {said}" for old, said in _old(name, value, memory)]
    return found


def _old(name: str, value: str, memory: int) -> list[tuple[str, str]]:
    """Return a setting of version 2 in version 1's keys."""
    if name == "memory.max":
        return [("memory.limit_in_bytes", value)]
    if name == "memory.swap.max":
        file = f"{_TREE}/memory/memory.memsw.limit_in_bytes"
        return [("memory.memsw.limit_in_bytes", str(memory + int(value)))] if os.path.exists(file) else []
    if name == "cpu.max":
        quota, _, period = value.partition(" ")
        return [("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", period or "100000")]
    if name == "cpu.weight":
        return [("cpu.shares", str(max(int(value) * 1024 // 100, 2)))]
    if name == "memory.high":
        return []
    return [(name, value)]


def set_now(vmid: str, lines: list[str]) -> None:
    """Give a running container the limits among the lines of its configuration."""
    prefix = _NEW if _version_2() else _OLD
    pairs = [line.partition(" = ")[::2] for line in lines if line.startswith(prefix)]
    names = [(key.removeprefix(prefix), value) for key, value in pairs]
    limits = [(key, value) for key, value in names if key.startswith(("memory.", "cpu."))]
    # Memory may not be more than memory and swap together, not even for a moment: at the second try it fits.
    for pair in [pair for pair in limits if not _set(vmid, *pair)]:
        _set(vmid, *pair)


def _set(vmid: str, key: str, value: str) -> bool:
    tree = _TREE if _version_2() else f"{_TREE}/{key.partition('.')[0]}"
    try:
        with open(f"{tree}/lxc/{vmid}/{key}", "w", encoding="ascii") as file:
            file.write(value)
    except OSError:
        return False
    return True


def allowed(node: str) -> str:
    """Return the line that lets a container use a device, given as a path."""
    facts = os.stat(node)
    kind = "b" if stat.S_ISBLK(facts.st_mode) else "c"
    number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    return f"{_NEW if _version_2() else _OLD}devices.allow = {kind} {number} rwm"
