"""Namespaces of their own for the nodes: mounts, network, processes.

Everything the nodes are made of lives in there: overlays in a tmpfs, a bridge without a way out, all
their processes. It lasts as long as this process holds its stdin open; then the kernel ends every
process in it and forgets its mounts and interfaces, however this process ended. Only empty cgroup
folders can be left over, and the next hub removes those of dead ones.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from .base import Unusable

NETWORK = "10.77.0"
FOLDER = "/run/phoenix-tests"
"""Where the nodes are, inside."""
SHARED = f"{FOLDER}/shared"
MARK = "phoenix-tests"

# A fresh sysfs shows this network's interfaces; the machine's cgroups must then be brought in again.
SCRIPT = f"""\
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {SHARED} /run/cgroup
mount --rbind /sys/fs/cgroup /run/cgroup
umount -R -l /sys
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -R -l /run/cgroup
ip link set lo up
ip link add br0 type bridge
ip address add {NETWORK}.1/24 dev br0
ip link set br0 up
echo ready
exec cat
"""


class Hub:
    """Open namespaces, to be entered with `inside` (all of them) or `network` (that one alone)."""

    def __init__(self) -> None:
        _remove_leftovers()
        private = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._process = subprocess.Popen(
            ["unshare", *private, "--propagation", "private", "sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            _, said = self._process.communicate()
            raise Unusable(f"no namespaces for the nodes: {said.decode().strip()}")
        self.pid = children(self._process.pid)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        until("the nodes' processes are gone", lambda: remove_cgroups(cgroups(os.getpid())))

    def path(self, inside: str) -> Path:
        """Return where a path of the inside is found from here."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def inside(self, *argv: str) -> list[str]:
        """Return the argv that runs a command in all of the namespaces."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--", *argv]

    def network(self, *argv: str) -> list[str]:
        """Return the argv that runs a command of this machine that sees only the nodes' network."""
        return ["nsenter", f"--target={self.pid}", "--net", "--", *argv]

    def run(self, script: str) -> str:
        """Run a script inside; what it said."""
        return checked(self.inside("sh", "-euc", script))


def checked(argv: list[str], stdin: str = "") -> str:
    """Run a program that must succeed; what it said on stdout."""
    ended = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, f"{argv[-1]}: {ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def until(what: str, true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something to come true; fails with its name when it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds:g} seconds in vain until {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def cgroups(pid: int | str, node: str = "*") -> Iterator[Path]:
    """Yield the cgroup folders of the nodes of a hub that the process `pid` holds."""
    for root in cgroup_roots():
        yield from root.glob(f"{MARK}-{pid}-{node}")


def cgroup_roots() -> list[Path]:
    """Return the trees of control groups: systemd's own and one an old controller, or the one there is."""
    top = Path("/sys/fs/cgroup")
    roots = [found.parent for found in sorted(top.glob("*/cgroup.procs")) if not found.parent.is_symlink()]
    return [top] if (top / "cgroup.procs").exists() else roots


def _remove_leftovers() -> None:
    for folder in list(cgroups("*")):
        pid = folder.name.removeprefix(f"{MARK}-").partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            remove_cgroups([folder])


def remove_cgroups(folders: Iterator[Path] | list[Path]) -> bool:
    """Remove empty cgroups with all below; False while something still runs in one."""
    for folder in folders:
        for at, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(at)
            except OSError:
                return False
    return True
