"""A container's template as small as it gets: busybox, an init of five lines, the files Proxmox looks for.

It says to be a Debian, because that is what Proxmox can configure; at boot it does what Debian's own
programs would: the host's interfaces as /etc/network/interfaces says, and a machine id if it has none.
"""

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

NAME = "debian-12-busybox_1.0-1_amd64.tar.gz"
PATH = f"/usr/local/lib/{NAME}"
"""Where it lies on every node."""
BUSYBOX = "bin/busybox"
INIT = """\
#!/bin/sh
trap 'exit 0' PWR
grep -Eqx '[0-9a-f]{32}' /etc/machine-id || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
ip link set lo up
while read -r key value more; do
    case $key in
    iface) device=$value ;;
    address) ip address add "$value" dev "$device" && ip link set "$device" up ;;
    gateway) ip route add default via "$value" ;;
    esac
done </etc/network/interfaces
while :; do sleep 86400 & wait $!; done
"""
USERS = """\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
chat:x:1000:1000::/home/chat:/bin/sh
"""
FILES = {
    "sbin/init": INIT,
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "etc/debian_version": "12.11\n",
    "etc/passwd": USERS,
    "etc/group": "root:x:0:\nchat:x:1000:\n",
    "etc/shadow": "root:*:19800:0:99999:7:::\n",
    "etc/machine-id": "",
    "home/chat/notes": "of user 1000\n",
}
FOLDERS = (
    "bin", "sbin", "dev", "etc/network", "home/chat", "mnt", "proc", "root", "run", "srv", "sys",
    "tmp", "usr", "var/lib", "var/log",
)  # fmt: skip
EXECUTABLE = (BUSYBOX, "sbin/init")
OF_USER = "home/chat"


def make(base: Path, place: Path) -> str:
    """Write the template, with the busybox of a Debian root; return its SHA-256."""
    busybox = base / BUSYBOX
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(place, "w:gz", compresslevel=1) as archive:
        for name in FOLDERS:
            _add(archive, name, tarfile.DIRTYPE)
        _add(archive, BUSYBOX, content=busybox.read_bytes())
        for applet in sorted(set(applets) - {"busybox"}):
            _add(archive, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
        for link, target in {"usr/bin": "../bin", "usr/sbin": "../sbin"}.items():
            _add(archive, link, tarfile.SYMTYPE, link=target)
        for name, text in FILES.items():
            _add(archive, name, content=text.encode())
    return hashlib.sha256(place.read_bytes()).hexdigest()


def _add(
    archive: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", link: str = ""
) -> None:
    entry = tarfile.TarInfo(f"./{name}")
    entry.type, entry.size, entry.linkname = kind, len(content), link
    entry.mode = 0o755 if kind == tarfile.DIRTYPE or name in EXECUTABLE else 0o644
    if name.startswith(OF_USER):
        entry.uid = entry.gid = 1000
    archive.addfile(entry, io.BytesIO(content))
