"""What makes a Debian in a virtual machine this very node: names, keys, disks, and stand-ins for Proxmox.

Everything is laid over the image by the first boot, so images are the same for all nodes.
"""

import json
import py_compile
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from pathlib import Path

from .. import skeleton
from ..boots import KERNEL
from ..node import WRAPPER, Disk, standins
from . import cpio, firewall, lean
from .machine import Drive

STAND_IN_FOR = (
    "pct", "pveam", "pvesh", "pvesm", "pveum", "update-initramfs", "vzdump",
)  # fmt: skip
"""Proxmox's own tools, of which Debian has none; and one that would need what the image leaves out."""
IMAGE_PYTHON = "cpython-311"
"""The Python of the image's Debian, as compiled modules name it."""
INTERFACES = """\
auto lo
iface lo inet loopback

auto vmbr0
iface vmbr0 inet static
\taddress {address}
\tbridge-ports none
\tbridge-stp off
\tbridge-fd 0
"""
CONTAINER_UNIT = """\
[Unit]
Description=PVE LXC Container: %i
[Service]
Type=simple
Delegate=yes
KillMode=mixed
TimeoutStopSec=120s
ExecStart=/usr/bin/lxc-start -F -n %i -f /var/lib/lxc/%i/started
ExecStop=-/usr/bin/lxc-stop -n %i --nokill --timeout 60
StandardOutput=null
StandardError=truncate:/run/pve/ct-%i.stderr
"""
GUESTS_UNIT = """\
[Unit]
Description=PVE guests
After=network.target zfs-mount.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'grep -lsx "onboot: 1" /etc/pve/lxc/*.conf | while read -r conf; do \\
    pct start "$(basename "$conf" .conf)"; done'
[Install]
WantedBy=multi-user.target
"""


def drives(disks: Sequence[Disk]) -> list[Drive]:
    """Return the machine's drives for a node's disks."""
    return [Drive(_serial(number), disk.size) for number, disk in enumerate(disks)]


def archive(hostname: str, address: str, disks: Sequence[Disk], keys: Mapping[str, str]) -> bytes:
    """Return the files of a node for its first boot. `address` has a prefix length.

    `keys` are texts: `authorized`, the key that may log in, and `host` and `host.pub`, sshd's own.
    """
    own = ip_interface(address)
    entries = {
        "root": cpio.folder(0o700),
        "root/.ssh": cpio.folder(0o700),
        "root/.ssh/authorized_keys": cpio.text(keys["authorized"], 0o600),
        "etc/ssh/ssh_host_ed25519_key": cpio.text(keys["host"], 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": cpio.text(keys["host.pub"]),
        "etc/hostname": cpio.text(f"{hostname}\n"),
        "etc/hosts": cpio.text(f"127.0.0.1 localhost\n{own.ip} {hostname}.lab {hostname}\n"),
        "etc/network/interfaces": cpio.text(INTERFACES.format(address=address)),
        "etc/udev/rules.d/61-phoenix-lab.rules": cpio.text(_rules(disks)),
        "etc/systemd/system/pve-container@.service": cpio.text(CONTAINER_UNIT),
        "etc/systemd/system/pve-firewall.service": cpio.text(firewall.UNIT.format(ways="nft")),
        "usr/local/sbin/pve-firewall": cpio.text(firewall.TOOL, 0o755),
        "usr/share/lxc/lxcnetaddbr": cpio.text(firewall.BRIDGES, 0o755),
        "etc/systemd/system/pve-guests.service": cpio.text(GUESTS_UNIT),
    }
    wanted = "etc/systemd/system/multi-user.target.wants"
    for unit in ("pve-firewall", "pve-guests"):
        entries[f"{wanted}/{unit}.service"] = cpio.link(f"../{unit}.service")
    entries |= lean.entries(address) | _proxmox(hostname) | _stand_ins()
    return cpio.pack({f"own/{path}": entry for path, entry in entries.items()})


def _proxmox(hostname: str) -> dict[str, cpio.Entry]:
    """Return the folders of /etc/pve, with the links to the node's own; what stand-ins remember; a kernel."""
    entries = {
        f"etc/pve/nodes/{hostname}/{guests}": cpio.folder() for guests in ("lxc", "qemu-server", "priv")
    }
    entries |= {f"etc/pve/{name}": cpio.link(f"nodes/{hostname}/{name}") for name in ("lxc", "qemu-server")}
    entries["etc/pve/local"] = cpio.link(f"nodes/{hostname}")
    entries["etc/pve/priv"] = cpio.folder(0o700)
    entries["etc/pve/.vmlist"] = cpio.text('{\n"version": 1,\n"ids": {}\n\n}\n')
    entries["var/lib/phoenix-lab/model.json"] = cpio.text(json.dumps(skeleton.model(hostname)))
    for name in ("boot/vmlinuz-{kernel}", "boot/initrd.img-{kernel}"):
        entries[name.format(kernel=KERNEL)] = cpio.text(skeleton.FILES[name])
    return entries


def _stand_ins() -> dict[str, cpio.Entry]:
    folder = Path(skeleton.__file__).with_name("standins")
    files = sorted(folder.glob("*.py"))
    modules = {file.name: cpio.Entry(file.read_bytes()) for file in files} | _compiled(files)
    entries = {f"{firewall.STANDINS[1:]}/{name}": entry for name, entry in modules.items()}
    for tool in sorted(set(STAND_IN_FOR) & set(standins())):
        text = f'#!/bin/sh\n{WRAPPER}\nexec /usr/bin/python3 -I -S {firewall.STANDINS} {tool} "$@"\n'
        entries[f"usr/local/sbin/{tool}"] = cpio.Entry(text.encode(), stat.S_IFREG | 0o755)
    return entries


def _compiled(files: Sequence[Path]) -> dict[str, cpio.Entry]:
    """Return modules compiled, by the names that Python gives them; none where ours is another Python.

    An emulated processor takes seconds for that, and a power cut would take what it wrote.
    """
    if sys.implementation.cache_tag != IMAGE_PYTHON:
        return {}
    entries = {}
    with tempfile.TemporaryDirectory() as scratch:
        for file in files:
            made = Path(scratch, "made")
            shown = f"{firewall.STANDINS}/{file.name}"
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(file), str(made), shown, doraise=True, invalidation_mode=mode)
            entries[f"__pycache__/{file.stem}.{IMAGE_PYTHON}.pyc"] = cpio.Entry(made.read_bytes())
    return entries


def _rules(disks: Sequence[Disk]) -> str:
    """Return the rules of udev that give disks the names by which the files know them."""
    lines = ["# The lab's disks by the names that they are declared by."]
    for number, disk in enumerate(disks):
        found = f'SUBSYSTEM=="block", ENV{{ID_SCSI_SERIAL}}=="{_serial(number)}"'
        lines += [
            f'{found}, ENV{{DEVTYPE}}=="disk", SYMLINK+="disk/by-id/{disk.by_id}"',
            f'{found}, ENV{{DEVTYPE}}=="partition", SYMLINK+="disk/by-id/{disk.by_id}-part%n"',
        ]
    return "\n".join([*lines, ""])


def _serial(number: int) -> str:
    return f"phoenix{number}"
