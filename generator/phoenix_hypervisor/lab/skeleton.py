"""What is on a node's root before anybody has touched it: Debian 13 with Proxmox VE 9."""

import hashlib
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from .boots import KERNEL

FOLDERS = (
    "boot", "etc/alternatives", "etc/apt/keyrings", "etc/apt/sources.list.d", "etc/chrony/sources.d",
    "etc/logrotate.d", "etc/default", "etc/modprobe.d", "etc/modules-load.d", "etc/network/interfaces.d",
    "etc/pve/firewall", "etc/pve/priv", "etc/samba", "etc/security", "etc/skel", "etc/sysctl.d",
    "etc/systemd/system", "etc/zfs",
    "etc/ssh/sshd_config.d", "etc/sudoers.d",
    "dev", "home", "media", "mnt", "opt", "proc", "run/lock", "run/phoenix-lab", "srv", "usr/local/bin",
    "usr/local/lib", "usr/local/sbin", "usr/local/share", "var/cache", "var/lib/nfs", "var/lib/phoenix-lab",
    "var/lib/samba/private", "var/lib/vz", "var/log", "var/spool", "var/lib/apt/lists",
    "var/lib/dpkg/updates",
)  # fmt: skip

MODES = {
    "root": 0o700,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "etc/pve/priv": 0o700,
    "var/lib/samba/private": 0o700,
}

LINKS = {
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/mtab": "../proc/self/mounts",
    "etc/pve/local": "nodes/{host}",
    "etc/pve/lxc": "nodes/{host}/lxc",
    "etc/pve/qemu-server": "nodes/{host}/qemu-server",
    "var/lock": "/run/lock",
    "var/run": "/run",
}

PACKAGES = {
    "apt": "3.0.3", "bash": "5.2.37-2+b5", "chrony": "4.6.1-3", "coreutils": "9.7-3",
    "debian-archive-keyring": "2025.1", "dpkg": "1.22.21", "ifupdown2": "3.3.0-1+pmx10",
    "logrotate": "3.22.0-1", "nfs-kernel-server": "1:2.8.3-1", "openssh-server": "1:10.0p1-7",
    "proxmox-archive-keyring": "4.0", "pve-manager": "9.0.3", "proxmox-ve": "9.0.0",
    "samba": "2:4.22.4+dfsg-1~deb13u1", "smbclient": "2:4.22.4+dfsg-1~deb13u1",
    "tzdata": "2025b-4+deb13u1", "zfsutils-linux": "2.3.4-pve1",
}  # fmt: skip
"""Some of the packages that are installed, so that there are such."""

SYSTEM_USERS = {
    "daemon": (1, "/usr/sbin"), "bin": (2, "/bin"), "sys": (3, "/dev"), "mail": (8, "/var/mail"),
    "www-data": (33, "/var/www"), "backup": (34, "/var/backups"), "_apt": (42, "/nonexistent"),
    "systemd-network": (998, "/"), "_rpc": (103, "/run/rpcbind"), "statd": (104, "/var/lib/nfs"),
    "sshd": (105, "/run/sshd"), "nobody": (65534, "/nonexistent"),
}  # fmt: skip
SYSTEM_GROUPS = {
    "root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "disk": 6, "mail": 8, "kmem": 15,
    "cdrom": 24, "sudo": 27, "audio": 29, "www-data": 33, "backup": 34, "shadow": 42, "video": 44,
    "users": 100, "render": 106, "kvm": 107, "sambashare": 112, "systemd-network": 998, "nogroup": 65534,
}  # fmt: skip

UNITS = (
    "chrony", "cron", "nfs-idmapd", "nfs-mountd", "nfs-server", "nmbd", "pve-cluster", "pve-firewall",
    "pve-guests", "pvedaemon", "pveproxy", "pvestatd", "rpcbind", "smbd", "ssh", "systemd-journald",
    "zfs-import-cache", "zfs-mount", "zfs-share", "zfs-zed",
)  # fmt: skip
IDLE = ("systemd-timesyncd",)
"""Units that a node has and does not use."""
ONESHOT = ("pve-guests", "zfs-import-cache", "zfs-mount", "zfs-share")

FILES = {
    "root/.bashrc": "PS1='\\u@\\h:\\w\\$ '\n",
    "etc/hostname": "{host}\n",
    "etc/hosts": "127.0.0.1 localhost.localdomain localhost\n{address} {host}.lab {host}\n",
    "etc/machine-id": "{machine_id}\n",
    "etc/debian_version": "13.1\n",
    "etc/apt/sources.list.d/debian.sources": """\
Types: deb
URIs: http://deb.debian.org/debian/
Suites: trixie trixie-updates
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.debian.org/debian-security/
Suites: trixie-security
Components: main contrib non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
""",
    "etc/apt/sources.list.d/pve-enterprise.sources": """\
Types: deb
URIs: https://enterprise.proxmox.com/debian/pve
Suites: trixie
Components: pve-enterprise
Signed-By: /usr/share/keyrings/proxmox-archive-keyring.gpg
""",
    "etc/apt/sources.list.d/ceph.sources": """\
Types: deb
URIs: https://enterprise.proxmox.com/debian/ceph-squid
Suites: trixie
Components: enterprise
Signed-By: /usr/share/keyrings/proxmox-archive-keyring.gpg
""",
    "etc/chrony/chrony.conf": """\
confdir /etc/chrony/conf.d
pool 2.debian.pool.ntp.org iburst
sourcedir /etc/chrony/sources.d
makestep 1 3
""",
    "etc/logrotate.conf": """\
weekly
rotate 4
create
include /etc/logrotate.d
""",
    "var/lib/dpkg/status": "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
        for name, version in PACKAGES.items()
    ),
    "etc/timezone": "Etc/UTC\n",
    "etc/ssh/sshd_config": """\
Include /etc/ssh/sshd_config.d/*.conf
PermitRootLogin yes
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
""",
    "etc/sudoers": """\
Defaults env_reset
root ALL=(ALL:ALL) ALL
%sudo ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
""",
    "etc/fstab": "proc /proc proc defaults 0 0\n",
    "etc/exports": "# one exported folder a line; see exports(5)\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/shells": "/bin/sh\n/bin/bash\n/usr/bin/bash\n",
    "etc/subuid": "root:100000:65536\n",
    "etc/subgid": "root:100000:65536\n",
    "etc/login.defs": """\
UID_MIN 1000
UID_MAX 60000
SYS_UID_MIN 100
GID_MIN 1000
GID_MAX 60000
UMASK 022
USERGROUPS_ENAB yes
ENCRYPT_METHOD YESCRYPT
""",
    "etc/os-release": """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
""",
    "etc/modprobe.d/pve-blacklist.conf": "# disturbs passthrough\nblacklist nvidiafb\n",
    "etc/network/interfaces": """\
auto lo
iface lo inet loopback

iface eno1 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress {network}
\tgateway {gateway}
\tbridge-ports eno1
\tbridge-stp off
\tbridge-fd 0

source /etc/network/interfaces.d/*
""",
    "etc/samba/smb.conf": """\
# The node's Samba as its distribution ships it: a stand-alone server, home folders, two printer shares.
[global]
   workgroup = WORKGROUP
   log file = /var/log/samba/log.%m
   max log size = 1000
   logging = file
   panic action = /usr/share/samba/panic-action %d
   server role = standalone server
   obey pam restrictions = yes
   unix password sync = yes
   pam password change = yes
   map to guest = bad user
   usershare allow guests = yes

[homes]
   comment = Home Directories
   browseable = no
   read only = yes
   create mask = 0700
   directory mask = 0700
   valid users = %S

[printers]
   comment = All Printers
   browseable = no
   path = /var/tmp
   printable = yes
   guest ok = no
   read only = yes
   create mask = 0700

[print$]
   comment = Printer Drivers
   path = /var/lib/samba/printers
   browseable = yes
   read only = yes
   guest ok = no
""",
    "boot/vmlinuz-{kernel}": "the lab's kernel: never started\n",
    "boot/initrd.img-{kernel}": "the lab's initial ramdisk: never unpacked\n",
    "sys/module/zfs/parameters/zfs_arc_max": "0\n",
    "sys/module/zfs/parameters/zfs_arc_min": "0\n",
    "etc/pve/.vmlist": '{{\n"version": 1,\n"ids": {{}}\n\n}}\n',
    "var/lib/nfs/etab": "",
    "var/lib/nfs/rmtab": "",
    "var/lib/nfs/xtab": "",
}


def make(root: Path, hostname: str, address: str) -> None:
    """Fill an empty folder with a fresh node's root. `address` may have a prefix length; else it is 24."""
    words = {"host": hostname, "kernel": KERNEL, "machine_id": _machine_id(hostname)}
    words |= {"address": address.partition("/")[0], "network": address if "/" in address else f"{address}/24"}
    words["gateway"] = _gateway(words["network"])
    for folder in (
        *FOLDERS,
        f"etc/pve/nodes/{hostname}/lxc",
        f"etc/pve/nodes/{hostname}/qemu-server",
        *MODES,
    ):
        _folder(root, folder)
    for name, text in FILES.items():
        path = root / name.format(**words)
        _folder(root, str(path.parent.relative_to(root)))
        _file(path, text.format(**words))
    _file(root / "etc/passwd", _passwd())
    _file(root / "etc/group", "".join(f"{name}:x:{gid}:\n" for name, gid in SYSTEM_GROUPS.items()))
    _file(
        root / "etc/shadow",
        "".join(f"{name}:*:19800:0:99999:7:::\n" for name in ("root", *SYSTEM_USERS)),
        0o640,
    )
    for link, target in LINKS.items():
        (root / link).symlink_to(target.format(**words))
    for folder, mode in MODES.items():
        (root / folder).chmod(mode)


def units() -> dict[str, dict[str, str]]:
    """Return the units of a node right after it was started."""
    found: dict[str, dict[str, str]] = {}
    for name in UNITS:
        sub = "exited" if name in ONESHOT else "running"
        found[f"{name}.service"] = {"load": "loaded", "active": "active", "sub": sub, "enabled": "enabled"}
    for name in IDLE:
        found[f"{name}.service"] = {
            "load": "loaded",
            "active": "inactive",
            "sub": "dead",
            "enabled": "disabled",
        }
    return found


def model(hostname: str) -> dict[str, Any]:
    """Return the state that on a real node lives in its kernel and its daemons."""
    return {"hostname": hostname, "disks": {}, "units": units()}


def _passwd() -> str:
    nologin = [
        f"{name}:x:{uid}:{SYSTEM_GROUPS.get(name, 65534)}:{name}:{home}:/usr/sbin/nologin\n"
        for name, (uid, home) in SYSTEM_USERS.items()
    ]
    return "root:x:0:0:root:/root:/bin/bash\n" + "".join(nologin)


def _gateway(network: str) -> str:
    """Return what the installer proposes: the first address of the network that is not the node's own."""
    own = ip_interface(network)
    return str(next(address for address in own.network.hosts() if address != own.ip))


def _machine_id(hostname: str) -> str:
    return hashlib.sha256(f"phoenix lab {hostname}".encode()).hexdigest()[:32]


def _folder(root: Path, name: str) -> None:
    """Make a folder and those above it, readable for all whatever the person's umask."""
    path = root
    for part in Path(name).parts:
        path /= part
        if not path.exists():
            path.mkdir()
            path.chmod(0o755)


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
