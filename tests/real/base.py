"""The Debian root all nodes share, and the packages this machine needs to run them.

The root is built once with the machine's own apt sources and kept outside the clone, under a key of
everything it is made from. Nodes lay their own files over it and never write into it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("PHOENIX_TESTS_CACHE", "/var/cache/phoenix-tests"))
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "nsenter": "util-linux",
}
"""What must be on this machine's PATH, and the Debian package that brings it."""

PACKAGES = (
    "systemd-sysv", "dbus", "openssh-server", "iproute2", "samba", "smbclient", "nfs-kernel-server",
    "rpcbind", "acl", "attr", "python3", "procps", "kmod", "openssl", "lxc", "uidmap", "busybox-static",
    "iputils-ping", "zstd", "iptables", "ipset", "cloud-init", "systemd-journal-remote", "curl",
)  # fmt: skip
UNWANTED = ("man", "doc", "locale", "info")
# Without a kernel of its own a node cannot have these; the rest only costs time at every boot.
MASKED = (
    "systemd-udevd.service", "systemd-udev-trigger.service", "proc-fs-nfsd.mount", "run-rpc_pipefs.mount",
    "samba-ad-dc.service", "nmbd.service", "rpcbind.service", "rpcbind.socket", "nfs-blkmap.service",
    "rpc-statd-notify.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
    "fstrim.timer", "e2scrub_reap.service", "e2scrub_all.timer", "lxc.service", "lxc-net.service",
    "lxc-monitord.service",
)  # fmt: skip
FINISH = f"""\
set -eu
root=$1
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
for unit in {" ".join(MASKED)}; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
touch "$root"/etc/cloud/cloud-init.disabled  # only its schema is asked
for file in subuid subgid; do echo root:100000:65536 >"$root/etc/$file"; done
"""
POLICY = Path("/usr/sbin/policy-rc.d")


class Unusable(Exception):  # noqa: N818  (it says what this machine is)
    """Why this machine cannot run systemd nodes."""


def root() -> Path:
    """Return the base root, after building it and installing what that needs. Raises Unusable."""
    _install_tools()
    CACHE.mkdir(parents=True, exist_ok=True)
    place = CACHE / _key()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _build(place)
    return place


def _install_tools() -> None:
    if os.geteuid() != 0:
        raise Unusable("needs root")
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise Unusable(f"needs {', '.join(missing)}, and there is no apt-get to install it")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_daemons():
        for argv in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            ended = subprocess.run(
                ["apt-get", "-qq", "-o", "Acquire::Retries=3", *argv],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode:
                raise Unusable(f"apt-get {' '.join(argv)}: {ended.stderr.strip() or ended.stdout.strip()}")


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Packages we install start nothing on this machine."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _sources() -> Path:
    """The machine's own list of Debian's archives."""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if path.is_file() and path.read_text().strip():
            return path
    raise Unusable("this machine has no apt sources")


def _suite() -> str:
    said = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    if "VERSION_CODENAME" not in said:
        raise Unusable("/etc/os-release names no Debian release")
    return said["VERSION_CODENAME"].strip('"')


def _key() -> str:
    parts = (_suite(), _sources().read_text(), *PACKAGES, *UNWANTED, FINISH)
    return f"{_suite()}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _build(place: Path) -> None:
    """Build beside the place and move it there when it is whole."""
    new = place.with_name(place.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    argv = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(PACKAGES)}"]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNWANTED]
    for command in (
        [*argv, _suite(), str(new), str(_sources())],
        ["sh", "-c", FINISH, "finish", str(new)],
    ):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise Unusable(f"{command[0]}: {ended.stderr.strip()[-2000:]}")
    new.rename(place)
