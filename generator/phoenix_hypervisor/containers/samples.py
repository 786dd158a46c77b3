"""What the contract suite tries containers with: declarations that differ in all that can be changed."""

from collections.abc import Iterator
from typing import Any

from ..resource import Samples

_DISKS = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
_VOLUMES = {"type": "zfspool", "content": ["images", "rootdir"]}
_AROUND: dict[str, Any] = {
    "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": _DISKS}]}},
    "zfs_dataset": {f"tank/{name}": {} for name in ("disks", "more", "archives", "one", "two", "hooks")},
    "pve_storage": {
        "tank-disks": {**_VOLUMES, "pool": "tank/disks"},
        "tank-more": {**_VOLUMES, "pool": "tank/more"},
        "tank-archives": {"type": "dir", "path": "/tank/archives", "content": ["vztmpl"]},
        "tank-hooks": {"type": "dir", "path": "/tank/hooks", "content": ["snippets"]},
    },
    "ct_template": {
        "base": {"storage": "tank-archives", "file": "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"}
    },
    "host_file": {
        f"/tank/hooks/snippets/{name}.sh": {"content": "#!/bin/sh\nexit 0\n", "mode": "0755"}
        for name in ("one", "two")
    },
}
_BASE = {"template": "base", "rootfs": {"storage": "tank-disks", "size": "1G"}, "restart": "auto"}
_BOTH: dict[str, tuple[Any, Any]] = {
    "hostname": ("first", "second.test"),
    "description": ("The first: at 100 %", "The second\nin two lines"),
    "tags": (["ai"], ["ai", "web"]),
    "cores": (1, 2),
    "cpulimit": (1, 1.5),
    "cpuunits": (100, 200),
    "memory": ("128M", "256M"),
    "swap": ("64M", "0"),
    "nameserver": (["10.0.0.1"], ["10.0.0.2", "10.0.0.3"]),
    "searchdomain": (["first.test"], ["second.test"]),
    "onboot": (False, True),
    "startup": ({"order": 1, "up": 5}, {"order": 2}),
    "protection": (False, True),
    "features": ({"nesting": True}, {"keyctl": True, "mount": ["nfs"]}),
    "timezone": ("host", "Europe/Berlin"),
    "console": (True, False),
    "tty": (2, 1),
    "cmode": ("tty", "shell"),
    "rootfs": (_BASE["rootfs"], {"storage": "tank-disks", "size": "1G", "mountoptions": ["noatime"]}),
    "net": (
        {"eth0": {"bridge": "vmbr0", "ip": "dhcp"}},
        {
            "eth0": {"bridge": "vmbr0", "ip": "10.0.0.50/24", "gw": "10.0.0.1", "firewall": True},
            "eth1": {"bridge": "vmbr0", "mac": "02:00:00:00:00:51"},
        },
    ),
    "mounts": (
        {
            "/data": {"storage": "tank-disks", "size": "1G"},
            "/one": {"source": "/tank/one", "uid": 0, "gid": 0},
        },
        {
            "/data": {"storage": "tank-disks", "size": "1G", "backup": True},
            "/two": {"source": "/tank/two", "read_only": True, "uid": 1000, "gid": 1000},
        },
    ),
    "devices": (
        {"/dev/null": {"mode": "0666"}},
        {"/dev/null": {"mode": "0660", "uid": 1000}, "/dev/zero": {}},
    ),
    "raw": (
        {"lxc.cap.drop": ["mac_admin"]},
        {"lxc.cap.drop": ["mac_admin", "mac_override"], "lxc.prlimit.nofile": 65536},
    ),
    "apparmor": ("generated", "unconfined"),
}
_STILL: dict[str, tuple[Any, Any]] = {
    "state": ("stopped", "running"),
    "hookscript": ("tank-hooks:snippets/one.sh", "tank-hooks:snippets/two.sh"),
    "gpus": (["gpu0"], ["gpu1"]),
    "arch": ("amd64", "i386"),
    "ostype": ("ubuntu", "debian"),
}
_NEVER = (
    {"unprivileged": False},
    {"shared_ids": {"uids": {1000: 1000}}},
    {"rootfs": {"storage": "tank-disks", "size": "512M"}},
    {"rootfs": {"storage": "tank-more", "size": "1G"}},
)


def sets() -> Iterator[Samples]:
    """Yield the sets: one that runs, and one that rests at first and has what is never changed."""
    for name, both, never in (("101", _BOTH, ()), ("102", _STILL, _NEVER)):
        first, second = (
            {**_BASE, **{setting: values[number] for setting, values in both.items()}} for number in (0, 1)
        )
        yield Samples(name, first, second, _AROUND, never)


def around_a_guest(stem: str, inside: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    """Return what must be declared for a running container in which something is tried.

    `stem` is its file's name (`120-server`), `inside` its other sections, `own` more of its `lxc` section.
    """
    node = {name: _AROUND[name] for name in ("zfs_pool", "pve_storage", "ct_template")}
    datasets: dict[str, Any] = {f"tank/{name}": {} for name in ("disks", "archives")}
    storages = {name: node["pve_storage"][name] for name in ("tank-disks", "tank-archives")}
    node |= {"zfs_dataset": datasets, "pve_storage": storages}
    # others may use the same names beside it, all together
    return {**node, "guests": {stem: {"lxc": {**_BASE, **own}, **(inside or {})}}}
