"""Nodes to measure against: lab nodes behind a real sshd on loopback, and copies that answer at once."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from phoenix_hypervisor.lab.node import Disk, LabNode

from .sites import DISK_SIZE, Reach

LOCAL = "127.0.0.1"
RECORDED = "var/lib/bench"


class Servers:
    """The sshds and proxies started; ended when the benchmark ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._key = folder / "key"
        if os.geteuid() == 0:  # root's sshd insists on it, and a machine without the service lacks it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for name in ("key", "hostkey"):
            keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(keygen, check=True)
        (folder / "known_hosts").touch()

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.terminate()
        for process in self._started:
            process.wait()

    def reach(self, name: str, port: int) -> Reach:
        """Return how a port is reached: own key, own known_hosts, nothing of the person's own."""
        options = (
            f"IdentityFile={self._key}",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.folder / 'known_hosts'}",
            "StrictHostKeyChecking=yes",
        )
        return Reach(name, port, options)

    def sshd(self, node: LabNode) -> int:
        """Start an sshd whose every session is a shell inside the node; return its port."""
        port = _free_port()
        enter = self.folder / f"enter-{port}"
        enter.write_text(f"#!/bin/sh\nexec {shlex.join(node.argv(['sh']))}\n")
        enter.chmod(0o755)
        settings = {
            "Port": port,
            "ListenAddress": LOCAL,
            "HostKey": self.folder / "hostkey",
            "AuthorizedKeysFile": self.folder / "key.pub",
            "ForceCommand": enter,
            "UsePAM": "no",
            "StrictModes": "no",
            "PidFile": "none",
            "LogLevel": "ERROR",
            "MaxStartups": 100,
            "UseDNS": "no",
        }
        config = self.folder / f"sshd-{port}"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "sshd"
        self._start([program, "-D", "-e", "-f", str(config)])
        self._know(port)
        return port

    def delayed(self, port: int, milliseconds: int) -> int:
        """Start a proxy before a port, with that round-trip time; return the proxy's port."""
        own = _free_port()
        argv = [sys.executable, "-m", "benchmarks.delay", str(own), str(port), str(milliseconds)]
        self._start(argv)
        self._know(own)
        return own

    def _start(self, argv: Sequence[str]) -> None:
        with (self.folder / "servers.log").open("ab") as log:
            self._started.append(subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _know(self, port: int) -> None:
        """Wait until something listens on the port, and note the host key for it."""
        key = " ".join((self.folder / "hostkey.pub").read_text().split()[:2])
        with (self.folder / "known_hosts").open("a") as known:
            known.write(f"[{LOCAL}]:{port} {key}\n")
        for _ in range(500):
            with socket.socket() as trying:
                trying.settimeout(0.1)
                if trying.connect_ex((LOCAL, port)) == 0:
                    return
            self._started[-1].poll()
            if self._started[-1].returncode is not None:
                break
            try:
                self._started[-1].wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        raise SystemExit(f"nothing listens on port {port}:\n{(self.folder / 'servers.log').read_text()}")


def floor(reach: Reach) -> list[str]:
    """Return the argv of one fresh ssh connection that runs the script on its stdin."""
    argv = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
    for option in reach.options:
        argv += ["-o", option]
    return [*argv, "-p", str(reach.port), "--", LOCAL, "exec sh"]


def lab_node(folder: Path, name: str, disks: Sequence[str]) -> LabNode:
    """Make a fresh lab node."""
    node = LabNode(folder / name)
    node.up(name, [Disk(disk, DISK_SIZE) for disk in disks])
    return node


def copy(node: LabNode, folder: Path) -> LabNode:
    """Copy a node as it is, its sparse disks too."""
    subprocess.run(["cp", "-a", "--sparse=always", str(node.folder), str(folder)], check=True)
    return LabNode(folder)


RECORDER = """\
#!/bin/sh
n=$(mktemp {folder}/{tool}.XXXXXX)
printf '%s' "$*" >"$n.argv"
{command} >"$n.out" 2>"$n.err"
echo $? >"$n.status"
cat "$n.out"; cat "$n.err" >&2
exit "$(cat "$n.status")"
"""


def quick(node: LabNode, script: Path, folder: Path) -> LabNode:
    """Copy a node and let its tools answer from a table what they answer to the questions of a script.

    The lab's stand-ins are Python programs of some 20 to 60 ms a call; a real `zfs get` takes a few.
    """
    tools, notes = node.root / "usr/local/sbin", node.root / RECORDED
    notes.mkdir()
    originals = {tool.name: tool.read_text() for tool in tools.iterdir()}
    for name, text in originals.items():
        command = text.splitlines()[-1].removeprefix("exec ")
        (tools / name).write_text(RECORDER.format(folder=f"/{RECORDED}", tool=name, command=command))
    # on the node itself, not on a copy: the lab knows a file with an owner by its inode
    with script.open("rb") as stdin:
        subprocess.run(node.argv(["sh"]), stdin=stdin, capture_output=True, check=False)
    for name, text in originals.items():
        (tools / name).write_text(text)
    made = copy(node, folder)
    for name in originals:
        (made.root / "usr/local/sbin" / name).write_text(_table(notes, name))
    shutil.rmtree(notes)
    return made


def _table(notes: Path, tool: str) -> str:
    """A shell program that knows the recorded answers, and no other."""
    lines = ["#!/bin/sh", 'case "$*" in']
    seen = set()
    for argv in sorted(notes.glob(f"{tool}.*.argv")):
        words = argv.read_text()
        if argv.name.split(".")[0] != tool or words in seen:
            continue
        seen.add(words)
        record = argv.with_suffix("")
        lines.append(f"{shlex.quote(words)})")
        for stream, suffix in (("", ".out"), (" >&2", ".err")):
            text = record.with_name(record.name + suffix).read_text()
            if text:
                lines += [f"cat <<'RECORDED'{stream}", text.removesuffix("\n"), "RECORDED"]
        lines += [f"exit {record.with_name(record.name + '.status').read_text().strip()};;"]
    return "\n".join([*lines, "esac", f'echo "not recorded: {tool} $*" >&2; exit 70']) + "\n"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind((LOCAL, 0))
        port: int = listening.getsockname()[1]
        return port
