"""The kernels of a lab node: those in /boot, those its boot loader offers, the one that is started next."""

import os
import re

import model

UUIDS = "/etc/kernel/proxmox-boot-uuids"
MANUAL = "/etc/kernel/proxmox-boot-manual-kernels"
PIN = "/etc/kernel/proxmox-boot-pin"
NEXT = "/etc/kernel/next-boot-pin"
MENU = "/boot/grub/grub.cfg"
PREFIX = "vmlinuz-"
_ENTRY = re.compile(
    r"menuentry '[^']*'.* '(?P<id>[^' ]+)' \{\n\s*linux\s+/\S*vmlinuz-(?P<kernel>\S+) (?P<line>.*)"
)


class NoKernelError(Exception):
    """The machine would not come up; says why."""


def order(version: str) -> list[tuple[int, str]]:
    """Sort 6.8.12-10 after 6.8.12-9."""
    words = version.replace("-", ".").split(".")
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def installed() -> list[str]:
    """Return the kernels in /boot, oldest first."""
    folder = model.path("/boot")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted((name[len(PREFIX) :] for name in names if name.startswith(PREFIX)), key=order)


def running() -> str:
    """Return the kernel the node runs."""
    return str(model.section(model.read(), "boot").get("kernel", "")) or os.uname().release


def text(path: str) -> str:
    """Return a file's text; empty if there is none."""
    try:
        with open(model.path(path), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def first_line(path: str) -> str:
    """Return a file's first line; empty if there is none."""
    return (text(path).splitlines() or [""])[0]


def chosen() -> list[str]:
    """Return the kernels that `proxmox-boot-tool` keeps ready, in the order in which sort(1) has them."""
    there = installed()
    pins = [first_line(PIN), first_line(NEXT)]
    wanted = {*there[-2:], running(), *text(MANUAL).split(), *filter(None, pins)}
    return sorted(version for version in wanted if version in there or version in text(MANUAL).split())


def by_partitions() -> bool:
    """Tell whether the node boots from partitions that `proxmox-boot-tool` fills."""
    return os.path.exists(model.path(UUIDS))


def next_boot(state: model.Model) -> tuple[str, str]:
    """Return the kernel and the command line the machine starts with next. Raises NoKernelError."""
    kernel, line = _from_partition(state) if by_partitions() else _from_menu()
    if not os.path.exists(model.path(f"/boot/{PREFIX}{kernel}")) and not by_partitions():
        raise NoKernelError(f"error: file `/boot/{PREFIX}{kernel}' not found.")
    if "root=" not in line:
        raise NoKernelError("VFS: Unable to mount root fs on unknown-block(0,0)")
    return kernel, line


def _from_partition(state: model.Model) -> tuple[str, str]:
    esp = model.section(state, "esp")
    entries: dict[str, str] = esp.get("entries", {})
    if not entries:
        raise NoKernelError("No bootable medium found!")
    wanted = str(esp.get("default", "")).removeprefix("proxmox-").removesuffix(".conf")
    kernel = wanted if wanted in entries else max(entries, key=order)
    return kernel, rf"initrd=\EFI\proxmox\{kernel}\initrd.img-{kernel} {entries[kernel]}"


def _from_menu() -> tuple[str, str]:
    entries = [found.groupdict() for found in _ENTRY.finditer(text(MENU))]
    if not entries:
        raise NoKernelError("error: no such file: /boot/grub/grub.cfg, entering rescue mode")
    found = re.search(r'^set default="(?P<id>[^"]+)"', text(MENU), re.MULTILINE)
    wanted = found["id"].rpartition(">")[2] if found else ""
    entry = next((entry for entry in entries if entry["id"] == wanted), entries[0])
    return entry["kernel"], f"BOOT_IMAGE=/boot/{PREFIX}{entry['kernel']} {entry['line']}"
