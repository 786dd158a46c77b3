"""The kernel starts: which one and with what, its modules, its parameters; what is volatile is empty."""

import os
import uuid
from contextlib import redirect_stderr, redirect_stdout

import kernels
import model
import tool_modprobe
import tool_proxmox_boot_tool
import tool_sysctl

VOLATILE = ("/run", "/tmp")  # noqa: S108  (the node's)
KEPT = ("phoenix-lab", "phoenix-lab-programs")
"""Of /run: where stand-ins and programs are shown."""


def boot() -> None:
    """Start the kernel that the boot loader chooses. Raises NoKernelError."""
    with model.change() as state:
        kernel, line = kernels.next_boot(state)
        state["boot"] = {"id": str(uuid.uuid4()), "kernel": kernel, "cmdline": line}
        modules = model.section(state, "modules")
        loaded = {*modules, "zfs"}
        modules.clear()
        state.pop("sysctl", None)
        shown = state["boot"]
    _show("cmdline", shown["cmdline"])
    _show("boot_id", shown["id"])
    for folder in VOLATILE:
        _empty(model.path(folder), KEPT)
    os.makedirs(model.path("/run/lock"), exist_ok=True)
    os.chmod(model.path("/tmp"), 0o1777)  # noqa: S103, S108  (as everywhere)
    for name in loaded:
        _empty(model.path(f"/sys/module/{name}/parameters"))
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        tool_modprobe.load(["zfs"], _from_initramfs(shown["kernel"]))
        for name in _lines("/etc/modules-load.d") + kernels.text("/etc/modules").splitlines():
            if name.strip() and name.strip()[0] not in "#;":
                tool_modprobe.main([name.split()[0]])
        for line in _lines("/etc/sysctl.d"):
            if "=" in line and line.strip()[0] not in "#;":
                key, _, value = line.strip().lstrip("-").partition("=")
                tool_sysctl.main(["-q", "-w", f"{key.strip()}={value.strip()}"])
        _forget_next_pin()


def _from_initramfs(kernel: str) -> list[str] | None:
    """The options a root on ZFS is mounted with: the initramfs has its own copy."""
    if not kernels.by_partitions():
        return None
    return tool_modprobe.options_in(kernels.text(f"/boot/initrd.img-{kernel}"))


def _forget_next_pin() -> None:
    """A kernel that was pinned for one boot had it (proxmox-boot-cleanup.service)."""
    if os.path.exists(model.path(kernels.NEXT)):
        tool_proxmox_boot_tool.main(["kernel", "unpin", "--next-boot"])
        tool_proxmox_boot_tool.main(["refresh"])


def _show(name: str, text: str) -> None:
    """Put a new file in the place of the one that is shown in /proc: shells of before see the old one."""
    place = os.path.join(model.FOLDER, name)
    with open(place + ".new", "w", encoding="ascii") as file:
        file.write(text + "\n")
    os.replace(place + ".new", place)


def _lines(folder: str) -> list[str]:
    """Return the lines of a folder's *.conf files, in the order of their names."""
    there = model.path(folder)
    names = sorted(os.listdir(there)) if os.path.isdir(there) else []
    return [
        line
        for name in names
        if name.endswith(".conf")
        for line in kernels.text(f"{folder}/{name}").splitlines()
    ]


def _empty(folder: str, kept: tuple[str, ...] = ()) -> None:
    for entry in list(os.scandir(folder)) if os.path.isdir(folder) else []:
        if entry.name in kept:
            continue
        if entry.is_dir(follow_symlinks=False):
            _empty(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
