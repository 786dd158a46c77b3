"""What a lab node boots from: its kernel, its boot loader, and what the running kernel says of itself.

Two sorts of node, as Proxmox's installer makes them: root on ZFS with EFI starts from systemd-boot, whose
partitions `proxmox-boot-tool` fills; everything else from GRUB.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from . import machine

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = "6.14.11-4-pve"
SYSTEMD, GRUB = "systemd-boot", "grub"
LOADERS = (SYSTEMD, GRUB)
STATE = "var/lib/phoenix-lab"
CMDLINE, BOOT_ID, GOING, DOWN = (f"{STATE}/{name}" for name in ("cmdline", "boot_id", "boots", "down"))
"""Shown as /proc/cmdline and as /proc/sys/kernel/random/boot_id; a line for each time the node went down;
there while it is down."""
ESP = "8354-C2A8"
ROOT_ON_ZFS = "root=ZFS=rpool/ROOT/pve-1 boot=zfs"
DEVICE = "d5b1b93e-6d0a-4a5e-8a43-2f0c5a4b8e11"
"""The id of the root file system in GRUB's menu."""

GRUB_DEFAULTS = """\
# If you change this file, run 'update-grub' afterwards to update
# /boot/grub/grub.cfg.

GRUB_DEFAULT=0
GRUB_TIMEOUT=5
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="{0}"
"""


def lay(root: Path, loader: str) -> None:
    """Write a node's boot loader and what its kernel was started with."""
    zfs = loader == SYSTEMD
    line = rf"initrd=\EFI\proxmox\{KERNEL}\initrd.img-{KERNEL} {ROOT_ON_ZFS}"
    if zfs:
        _write(root / "etc/kernel/cmdline", ROOT_ON_ZFS + "\n")
        _write(root / "etc/kernel/proxmox-boot-uuids", ESP + "\n")
        (root / "sys/firmware/efi").mkdir(parents=True, exist_ok=True)
    else:
        line = f"BOOT_IMAGE=/boot/vmlinuz-{KERNEL} root=/dev/mapper/pve-root ro quiet"
        _write(root / "boot/grub/grub.cfg", menu(line))
    _write(root / "etc/default/grub", GRUB_DEFAULTS.format(ROOT_ON_ZFS if zfs else ""))
    for name in (f"boot/vmlinuz-{KERNEL}", f"boot/initrd.img-{KERNEL}"):
        if not (root / name).exists():  # a node that an earlier version made
            _write(root / name, "")
    _write(root / CMDLINE, line + "\n")
    _write(root / BOOT_ID, f"{uuid.uuid4()}\n")
    _write(root / GOING, "")


def model(root: Path, loader: str) -> dict[str, Any]:
    """Return what the stand-ins remember of the boot, and of the partition the node boots from."""
    boot = {
        "id": (root / BOOT_ID).read_text(encoding="ascii").strip(),
        "kernel": KERNEL,
        "cmdline": (root / CMDLINE).read_text(encoding="ascii").strip(),
    }
    if loader == GRUB:
        return {"boot": boot}
    return {"boot": boot, "esp": {"default": "proxmox-*", "entries": {KERNEL: ROOT_ON_ZFS}}}


def menu(line: str) -> str:
    """Return GRUB's menu with the one kernel."""
    title = "Proxmox VE GNU/Linux"
    linux = "\tlinux\t" + line.removeprefix("BOOT_IMAGE=")
    return f"""\
### BEGIN /etc/grub.d/10_linux ###
menuentry '{title}' --class proxmox $menuentry_id_option 'gnulinux-simple-{DEVICE}' {{
{linux}
}}
submenu 'Advanced options for {title}' $menuentry_id_option 'gnulinux-advanced-{DEVICE}' {{
\tmenuentry '{title}, with Linux {KERNEL}' $menuentry_id_option 'gnulinux-{KERNEL}-advanced-{DEVICE}' {{
\t{linux}
\t}}
}}
### END /etc/grub.d/10_linux ###
"""


def shown(root: Path) -> tuple[tuple[Path, str], ...]:
    """Return what a node sees of its boot and of its machine in /proc: (file, place)."""
    places = {CMDLINE: "/proc/cmdline", BOOT_ID: "/proc/sys/kernel/random/boot_id"}
    places |= {machine.PROCESSOR: "/proc/cpuinfo", machine.MEMORY: "/proc/meminfo"}
    return tuple((root / name, place) for name, place in places.items() if (root / name).exists())


def went_down(root: Path) -> int:
    """Return a number that is another one each time the node goes down; for shells of before."""
    return (root / GOING).stat().st_size


def down_since(root: Path) -> float | None:
    """Return when the node went down, in Unix time; None while it is up."""
    try:
        found: float = json.loads((root / DOWN).read_text(encoding="ascii"))["since"]
    except FileNotFoundError:
        return None
    return found


def _write(path: Path, text: str) -> None:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
