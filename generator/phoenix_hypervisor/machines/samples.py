"""What the contract suite tries machines with: declarations that differ in all that can be changed."""

import hashlib
from collections.abc import Iterator
from typing import Any

from ..resource import Samples

_DISKS = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
_BLANK = "a disk without a system\n"
"""What the samples' image holds: they start, and have nothing to wait for."""
_AROUND: dict[str, Any] = {
    "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": _DISKS}]}},
    "zfs_dataset": {f"tank/{name}": {} for name in ("disks", "more", "snippets")},
    "pve_storage": {
        "tank-disks": {"type": "zfspool", "pool": "tank/disks", "content": ["images"]},
        "tank-more": {"type": "zfspool", "pool": "tank/more", "content": ["images"]},
        "tank-snippets": {"type": "dir", "path": "/tank/snippets", "content": ["snippets"]},
    },
    "host_file": {
        "/srv/phoenix-image": {"content": _BLANK},
        **{
            f"/tank/snippets/snippets/{name}.sh": {"content": "#!/bin/sh\nexit 0\n", "mode": "0755"}
            for name in ("one", "two")
        },
    },
    "vm_image": {
        "blank": {
            "url": "file:///srv/phoenix-image",
            "sha256": hashlib.sha256(_BLANK.encode()).hexdigest(),
            "vmid": 9000,
            "storage": "tank-disks",
            "room": "1G",
        },
        "ubuntu": {
            "url": "https://cloud-images.ubuntu.com/releases/noble/release-20260814/"
            "ubuntu-24.04-server-cloudimg-amd64.img",
            "sha256": "6e40c07ae715f744f84af0bec76415cc1987dd115b4b8de437818561f01a3733",
            "vmid": 9001,
            "storage": "tank-disks",
            "room": "1G",
        },
    },
    "kernel_cmdline": {"iommu": {"value": "pt"}},
    "vfio_device": {"0000:10:00.0": {"id": "bdbd:a124"}},
}
_ROOT = {"storage": "tank-disks", "size": "1G"}
_BASE: dict[str, Any] = {
    "image": "blank",
    "agent": {"enabled": False},
    "disks": {"scsi0": _ROOT},
    "restart": "auto",
}
_SEED = {"storage": "tank-disks", "snippets": "tank-snippets", "packages": ["curl"]}
_BOTH: dict[str, tuple[Any, Any]] = {
    "hostname": ("first", "second.test"),
    "description": ("The first: at 100 %", "The second\nin two lines"),
    "tags": (["ai"], ["ai", "web"]),
    "cores": (1, 2),
    "sockets": (1, 2),
    "cpu": ("host", "x86-64-v2-AES"),
    "cpulimit": (1, 1.5),
    "cpuunits": (100, 200),
    "numa": (False, True),
    "memory": ("512M", "1G"),
    "balloon": ("256M", "0"),
    "machine": ("q35", "pc"),
    "scsihw": ("virtio-scsi-single", "virtio-scsi-pci"),
    "ostype": ("l26", "other"),
    "vga": ("std", "serial0"),
    "serial": (True, False),
    "tablet": (True, False),
    "hotplug": (["network", "disk", "usb"], ["network", "disk"]),
    "boot": (["scsi0"], ["scsi0", "net0"]),
    "onboot": (False, True),
    "startup": ({"order": 1, "up": 5}, {"order": 2}),
    "protection": (False, True),
    "agent": ({"enabled": False}, {"enabled": False, "freeze_on_backup": False}),
    "disks": (
        {"scsi0": {**_ROOT, "discard": True}, "scsi1": _ROOT},
        {"scsi0": {**_ROOT, "discard": True, "ssd": True}, "scsi1": {**_ROOT, "backup": False}},
    ),
    "net": (
        {"net0": {"bridge": "vmbr0"}},
        {
            "net0": {"bridge": "vmbr0", "firewall": True, "tag": 5},
            "net1": {"bridge": "vmbr0", "mac": "02:00:00:00:00:51", "model": "e1000"},
        },
    ),
}
_STILL: dict[str, tuple[Any, Any]] = {
    "image": ("ubuntu", "ubuntu"),
    "state": ("stopped", "running"),
    "agent": ({"enabled": True}, {"enabled": True}),
    "disks": ({"scsi0": {"storage": "tank-disks", "size": "3584M"}},) * 2,
    "machine": ("q35", "q35"),
    "hookscript": ("tank-snippets:snippets/one.sh", "tank-snippets:snippets/two.sh"),
    "bios": ("ovmf", "ovmf"),
    "efi": ({"storage": "tank-disks"},) * 2,
    "tpm": ({"storage": "tank-disks"},) * 2,
    "pci": ({}, {"hostpci0": {"address": "0000:10:00.0"}}),
    "cloud_init": (_SEED, {**_SEED, "nameserver": ["10.0.0.1"]}),
    "net": ({"net0": {"bridge": "vmbr0"}}, {"net0": {"bridge": "vmbr0", "ip": "10.0.0.60/24"}}),
}
_NEVER = (
    {"disks": {"scsi0": {"storage": "tank-disks", "size": "1M"}}},
    {"disks": {"scsi0": {"storage": "tank-more", "size": "3584M"}}},
    {"efi": {"storage": "tank-disks", "secure_boot": True}},
    {"tpm": {"storage": "tank-disks", "version": "v1.2"}},
    {"bios": "seabios", "efi": None},
)


def sets() -> Iterator[Samples]:
    """Yield the sets: one that runs, and one that rests at first and has what is never changed."""
    for name, both, never in (("101", _BOTH, ()), ("102", _STILL, _NEVER)):
        first, second = (
            {**_BASE, **{setting: values[number] for setting, values in both.items()}} for number in (0, 1)
        )
        yield Samples(name, first, second, _AROUND, never)
