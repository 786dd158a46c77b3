"""Nodes with real systemd, sshd, Samba and exportfs, in containers of systemd-nspawn.

Three layers make a node's root: the base all clones share, what is the same for all nodes of one run
(stand-ins, units, whom sshd lets in), and the node's own. What a container cannot have comes from the
lab: ZFS and Proxmox's tools over sparse files, and an nfs-server that only fills the table of exports.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from phoenix_hypervisor.lab import node as lab
from phoenix_hypervisor.lab import skeleton
from phoenix_hypervisor.lab.vm import firewall

from .boot import DEVICES, DISKS, INTERFACES, UNITS
from .hub import (
    FOLDER,
    MARK,
    NETWORK,
    SHARED,
    Hub,
    cgroup_roots,
    cgroups,
    checked,
    children,
    remove_cgroups,
    until,
)

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))
"""What phoenix runs from on a node that watches a site itself."""
COMMON = f"{FOLDER}/common"
STANDINS = "/usr/local/lib/phoenix-lab"
STAND_IN_FOR = ("zpool", "zfs", "pvesm", "lsblk", "update-initramfs", "pct", "pveam")
REBOOTS = 133
"""How systemd-nspawn ends when the node inside wants to be started again."""
BOOTED = ("running", "degraded", "maintenance")
HOOK = "# the tests wait here"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# An old group of processors is of no use, nor those below it, until it is told which.
ENTER = """\
mkdir -p {group}
if [ -e {group}/cpuset.cpus ]; then
    cat {group}/../cpuset.cpus >{group}/cpuset.cpus
    cat {group}/../cpuset.mems >{group}/cpuset.mems
    echo 1 >{group}/cgroup.clone_children
fi
echo $$ >{group}/cgroup.procs
"""


class Node:
    """One node; its name is its host name."""

    def __init__(self, hub: Hub, base: Path, name: str, number: int, disks: Sequence[lab.Disk]) -> None:
        self.name = name
        self.address = f"{NETWORK}.{10 + number}"
        self._hub = hub
        self._base = base
        self._disks = disks
        self._place = f"{FOLDER}/{name}"
        self._link = f"vb-{name}"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    @property
    def root(self) -> Path:
        """The node's files, seen from here."""
        return self._hub.path(f"{self._place}/root")

    def fresh(self, host_key: Path) -> None:
        """Forget everything that was ever done on the node, and lay out its root anew."""
        self.kill()
        place = self._place
        self._hub.run(
            f"umount {place}/root 2>/dev/null || :; rm -rf {place}\n"
            f"mkdir -p {place}/own {place}/work {place}/root\n"
            f"mount -t overlay overlay {place}/root "
            f"-o lowerdir={COMMON}:{self._base},upperdir={place}/own,workdir={place}/work"
        )
        self._write("etc/hostname", f"{self.name}\n")
        self._write("etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        self._write("etc/phoenix-lab.conf", f"address={self.address}\n")
        self._write("etc/network/interfaces", INTERFACES.format(address=self.address))
        self._make_cluster_files()
        self._write("etc/ssh/ssh_host_ed25519_key", host_key.read_text(), 0o600)
        self._write("etc/ssh/ssh_host_ed25519_key.pub", host_key.with_suffix(".pub").read_text())
        self._put_in_disks()

    def _make_cluster_files(self) -> None:
        """Make the folders of /etc/pve, with the links to the node's own."""
        pve = self.root / "etc/pve"
        for guests in ("lxc", "qemu-server"):
            (pve / "nodes" / self.name / guests).mkdir(parents=True)
            (pve / guests).symlink_to(f"nodes/{self.name}/{guests}")
        (pve / "local").symlink_to(f"nodes/{self.name}")
        self._write("etc/pve/.vmlist", '{\n"version": 1,\n"ids": {}\n\n}\n')

    def _put_in_disks(self) -> None:
        model = skeleton.model(self.name)
        listed = ""
        for number, disk in enumerate(self._disks):
            kname = f"nvme{number}n1"
            file = self._write(f"{DISKS[1:]}/{kname}", "")
            os.truncate(file, disk.size)
            model["disks"][kname] = {
                "by_id": [disk.by_id],
                "size": disk.size,
                "serial": disk.serial,
                "model": disk.model,
            }
            listed += f"{kname} {disk.by_id}\n"
        self._write(f"{DISKS[1:]}.list", listed)
        lab._write(self.root / "var/lib/phoenix-lab/model.json", model)

    def _write(self, path: str, text: str, mode: int = 0o644) -> Path:
        return write(self.root / path, text, mode)

    def start(self) -> None:
        """Boot; returns at once, `wait` waits."""
        # A kernel that boots knows no control groups; those of containers would be in the way.
        until(f"{self.name} is all gone", lambda: remove_cgroups(cgroups(os.getpid(), self.name)))
        groups = [f"{root}/{MARK}-{os.getpid()}-{self.name}" for root in cgroup_roots()]
        enter = "".join(ENTER.format(group=group) for group in groups)
        nspawn = ["systemd-nspawn", "--quiet", f"--directory={self._place}/root", "--boot", "--console=pipe"]
        nspawn += ["--register=no", "--keep-unit", f"--machine={self.name}", "--link-journal=no"]
        nspawn += ["--network-bridge=br0", f"--bind={SHARED}:/mnt/shared"]
        nspawn += [f"--bind-ro={REPOSITORY}:/opt/phoenix", f"--bind-ro={PACKAGES}:/opt/packages"]
        script = f"{enter}export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1; exec {shlex.join(nspawn)}"
        with self._hub.path(f"{self._place}/console").open("wb") as console:
            self._process = subprocess.Popen(
                self._hub.inside("sh", "-euc", script),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def wait(self) -> None:
        """Wait until the node has booted and everything on it runs."""
        until(f"{self.name} has an init", self._find_leader)
        until(f"{self.name} answers", lambda: self._systemctl("is-system-running", "--wait") in BOOTED)
        state = self._systemctl("is-system-running")
        assert state == "running", self.run("systemctl --failed; journalctl --boot --no-pager")

    def _find_leader(self) -> bool:
        """Look for the container's first process among the descendants of systemd-nspawn."""
        assert self._process is not None
        assert self._process.poll() is None, self._hub.path(f"{self._place}/console").read_text()
        left = children(self._process.pid)
        while left:
            pid = left.pop()
            left += children(pid)
            try:
                namespaces = (
                    Path(f"/proc/{pid}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()
                )
            except FileNotFoundError:
                continue
            if len(namespaces) == 3 and namespaces[-1] == "1":
                self._leader = pid
                return True
        return False

    def _systemctl(self, *words: str) -> str:
        ended = subprocess.run(
            self._argv("systemctl", *words), capture_output=True, text=True, timeout=60, check=False
        )
        return ended.stdout.strip()

    def _argv(self, *argv: str) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", f"--target={self._leader}", *spaces, "--", "env", "-i", f"PATH={PATH}", *argv]

    def run(self, script: str, stdin: str = "") -> str:
        """Run a script on the node, past ssh and phoenix; it must succeed. What it said."""
        return checked(self._argv("sh", "-euc", script), stdin)

    def try_(self, script: str, stdin: str = "") -> tuple[int, str]:
        """Run a script on the node that may fail; its status and all it said."""
        ended = subprocess.run(
            self._argv("sh", "-euc", script),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def shut_down(self) -> None:
        """Stop the node in good order, as `systemctl poweroff` does."""
        os.kill(self._leader, signal.SIGRTMIN + 4)
        self.ended()

    def kill(self) -> None:
        """Pull the plug."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._leader, signal.SIGKILL)
            self.ended()

    def ended(self) -> None:
        """Wait for the end of a node that was told to end."""
        if self._process is not None:
            self._process.wait(60)

    @contextmanager
    def power(self) -> Iterator[None]:
        """Be the machine around it: a node that ends because it reboots is started again."""
        ending = Thread(target=self._start_again, name=f"power of {self.name}")
        ending.start()
        yield
        ending.join()

    def _start_again(self) -> None:
        assert self._process is not None
        if self._process.wait(120) == REBOOTS:
            self.start()
            self.wait()

    def unplug(self) -> None:
        """Cut the network: nothing arrives any more, and nobody is told."""
        self._hub.run(f"ip link set {self._link} down")

    def plug_in(self) -> None:
        """Undo `unplug`."""
        self._hub.run(f"ip link set {self._link} up")

    def before(self, tool: str, verb: str, script: str) -> None:
        """Let a script run on the node just before each `tool verb …`; `after_all` takes it back."""
        own = self.root / "usr/local/sbin" / tool
        if own.exists():
            own.rename(own.with_name(f"{tool}.kept"))
            real = f"/usr/local/sbin/{tool}.kept"
        else:
            real = self.run(f"command -v {tool}").strip()
        text = f'#!/bin/sh\n{HOOK}\nif [ "$1" = {verb} ]; then\n{script}\nfi\nexec {real} "$@"\n'
        write(own, text, 0o755)

    def after_all(self) -> None:
        """Take back what `before` did."""
        folder = self.root / "usr/local/sbin"
        for path in [path for path in folder.iterdir() if not path.name.endswith(".kept")]:
            if HOOK in path.read_text():
                path.unlink()
        for path in list(folder.glob("*.kept")):
            path.rename(path.with_suffix(""))

    def state(self) -> dict[str, tuple[int, ...]]:
        """Return inode, size, mode, owner and times of everything in /etc and /var/lib/phoenix."""
        found = {}
        for top in ("etc", "var/lib/phoenix"):
            for at, folders, files in os.walk(self.root / top):
                for name in (*folders, *files):
                    facts = os.lstat(path := os.path.join(at, name))
                    where = os.path.relpath(path, self.root)
                    found[where] = (
                        *(facts.st_ino, facts.st_size, facts.st_mode, facts.st_uid, facts.st_gid),
                        *(facts.st_mtime_ns, facts.st_ctime_ns),
                    )
        return found


def lay_common(hub: Hub, authorized_key: str) -> None:
    """Write what all nodes of this run share."""
    common = hub.path(COMMON)
    shutil.copytree(
        Path(lab.__file__).with_name("standins"),
        common / STANDINS[1:],
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for tool in set(STAND_IN_FOR) & set(lab.standins()):
        text = f'#!/bin/sh\n{lab.WRAPPER}\nexec /usr/bin/python3 -I -S -B {STANDINS} {tool} "$@"\n'
        write(common / "usr/local/sbin" / tool, text, 0o755)
    for name, text in UNITS.items():
        write(common / "etc/systemd/system" / name, text)
    wants = common / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    for name in UNITS:
        if "@" not in name:
            (wants / name).symlink_to(f"../{name}")
    write(common / "usr/local/lib/phoenix-lab.sh", DEVICES, 0o755)
    write(common / "usr/share/lxc/lxcnetaddbr", firewall.BRIDGES, 0o755)
    write(common / "usr/local/sbin/pve-firewall", firewall.TOOL, 0o755)
    write(common / "root/.ssh/authorized_keys", authorized_key, 0o600)
    for path in (common / "root", common / "root/.ssh"):
        path.chmod(0o700)
    words = {"kernel": skeleton.KERNEL}
    for name in ("boot/vmlinuz-{kernel}", "boot/initrd.img-{kernel}"):
        write(common / name.format(**words), skeleton.FILES[name])
    (common / "etc/pve").mkdir()


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Write a file with its folders, readable as on a node whatever this process's umask."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)
    path.write_text(text)
    path.chmod(mode)
    return path
