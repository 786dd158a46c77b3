"""One virtual machine in one folder: QEMU's command line, its disks, its snapshots, its end."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import PhoenixError
from ...process import Child, run
from . import lean, monitor
from .image import Image

FACTS = "machine.json"
MONITOR = "monitor"
PID = "pid"
CONSOLE = "console.log"
MEMORY_MIB = 1536
KERNEL_WORDS = (
    "console=ttyS0 root=/dev/vda rw quiet net.ifnames=0 systemd.show_status=0 mitigations=off nokaslr "
    "random.trust_cpu=on apparmor=0 tsc=reliable no_timer_check "
) + lean.KERNEL_WORDS
BOOT_SECONDS = 300
STOP_SECONDS = 20


class Drive(NamedTuple):
    """A disk of the machine besides the one it starts from."""

    serial: str
    """What the guest reads as its serial number: up to 20 characters."""
    size: int


class Machine:
    """A machine, running or not. Its snapshots hold memory and all disks, and live as long as its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mortal: Child | None = None

    @property
    def exists(self) -> bool:
        """Tell whether it has been made."""
        return (self.folder / FACTS).is_file()

    @property
    def port(self) -> int:
        """The port of the loopback interface behind which its sshd is."""
        return int(self._facts()["port"])

    @property
    def running(self) -> bool:
        """Tell whether its QEMU runs."""
        return self._pid() != 0

    def make(self, image: Image, own: bytes, drives: Sequence[Drive], accelerator: Sequence[str]) -> None:
        """Make its disks; `own` is an archive that its first boot lays over the image's files (own/…)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "initrd").write_bytes(_aligned(image.initrd.read_bytes()) + own)
        (self.folder / "initrd").chmod(0o600)
        backing = ["-F", "raw", "-b", str(image.root)]
        self._image_tool("create", "-q", "-f", "qcow2", *backing, "root.qcow2")
        for number, drive in enumerate(drives):
            self._image_tool("create", "-q", "-f", "qcow2", f"disk{number}.qcow2", str(drive.size))
        facts = {
            "vmlinuz": str(image.vmlinuz),
            "drives": [list(drive) for drive in drives],
            "accelerator": list(accelerator),
            "processors": _processors(),
            "port": 0,
        }
        (self.folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")

    def start(self, *, mortal: bool = False, snapshot: str = "") -> None:
        """Start it, from a snapshot or from power-on; returns at once. Raises PhoenixError.

        A `mortal` machine dies with the thread that starts it, however that ends.
        """
        if self.running:
            raise PhoenixError(f"the virtual machine in {self.folder} runs already")
        for name in (MONITOR, PID):
            (self.folder / name).unlink(missing_ok=True)
        facts = self._facts() | {"port": _free_port()}
        (self.folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
        argv = ["env", "-C", str(self.folder), "qemu-system-x86_64", *self._words(facts)]
        if snapshot:
            argv += ["-loadvm", snapshot]
        if mortal:
            self._mortal = Child(["setpriv", "--pdeathsig", "KILL", *argv])
            end = time.monotonic() + STOP_SECONDS
            while not self.running and time.monotonic() < end:
                time.sleep(0.05)
        else:
            started = run([*argv, "-daemonize"], timeout=60)
            if started.status:
                said = started.stderr.decode(errors="replace").strip()
                raise PhoenixError(f"QEMU does not start in {self.folder}: {said}")
        if not self.running:
            raise PhoenixError(f"QEMU ended at once in {self.folder}{self._last_words()}")

    def _words(self, facts: dict[str, Any]) -> list[str]:
        words = ["-M", "q35", *facts["accelerator"], "-m", str(MEMORY_MIB), "-nodefaults"]
        words += ["-smp", str(facts["processors"])]
        words += ["-display", "none", "-serial", f"file:{CONSOLE}", "-pidfile", str(self.folder / PID)]
        words += ["-monitor", f"unix:{MONITOR},server,nowait"]
        words += ["-kernel", facts["vmlinuz"], "-initrd", "initrd", "-append", KERNEL_WORDS]
        words += ["-drive", "file=root.qcow2,format=qcow2,if=none,id=root,cache=unsafe,discard=unmap"]
        words += ["-device", "virtio-blk-pci,drive=root", "-device", "virtio-rng-pci"]
        words += ["-device", "virtio-scsi-pci,id=scsi"]
        for number, (serial, _) in enumerate(facts["drives"]):
            words += ["-drive", f"file=disk{number}.qcow2,format=qcow2,if=none,id=disk{number},cache=unsafe"]
            words += ["-device", f"scsi-hd,bus=scsi.0,drive=disk{number},serial={serial}"]
        words += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{facts['port']}-:22"]
        return [*words, "-device", "virtio-net-pci,netdev=net"]

    def wait(self, *, seconds: float = BOOT_SECONDS, tell: Callable[[str], object] = lambda _: None) -> None:
        """Wait until its sshd greets. Raises PhoenixError with the console's last lines."""
        end = time.monotonic() + seconds
        patience = 2.0
        while not greets(self.port, patience):
            patience = min(patience * 1.5, 60)  # on a busy machine a greeting takes its time
            if not self.running:
                raise PhoenixError(f"the virtual machine in {self.folder} ended{self._last_words()}")
            if time.monotonic() > end:
                raise PhoenixError(
                    f"the virtual machine in {self.folder} does not answer after {seconds:g} seconds"
                    f"{self._last_words()}"
                )
            time.sleep(0.2)
        tell("it answers")

    def save(self, snapshot: str) -> None:
        """Keep memory and disks under a name, replacing what had that name."""
        self.tell(f"savevm {snapshot}")

    def load(self, snapshot: str) -> None:
        """Go back to a snapshot, in place: processes, memory and disks are as they were."""
        self.tell(f"loadvm {snapshot}")

    def tell(self, command: str) -> str:
        """Tell its monitor something; what that answers. Raises PhoenixError."""
        return monitor.tell(self.folder / MONITOR, command)

    def kill(self) -> None:
        """Pull the plug: whatever the guest had not written to its disks is lost. It need not run."""
        pid = self._pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._until_ended(pid)
        if self._mortal is not None:
            self._mortal.end()
            self._mortal = None

    def remove(self) -> None:
        """Stop it and remove its folder, with its disks and snapshots."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _until_ended(self, pid: int) -> None:
        end = time.monotonic() + STOP_SECONDS
        while self._pid() == pid:
            if self._mortal is not None:
                self._mortal.end()
            if time.monotonic() > end:
                raise PhoenixError(f"process {pid}, the virtual machine in {self.folder}, does not end")
            time.sleep(0.02)

    def _pid(self) -> int:
        """Return the pid of its QEMU; 0 when that is gone, even if another process has its number now."""
        try:
            pid = int((self.folder / PID).read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return 0
        # of a process that ended and was not waited for there are no words
        return pid if str(self.folder / PID).encode() in words else 0

    def _last_words(self) -> str:
        try:
            lines = (self.folder / CONSOLE).read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return ":\n" + "\n".join(lines[-10:]) if lines else ""

    def _facts(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.folder / FACTS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise PhoenixError(f"there is no virtual machine in {self.folder}") from None
        return found

    def _image_tool(self, *words: str) -> None:
        ended = run(["env", "-C", str(self.folder), "qemu-img", *words])
        if ended.status:
            raise PhoenixError(f"qemu-img {words[0]}: {ended.stderr.decode(errors='replace').strip()}")


def _aligned(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _processors() -> int:
    """Return how many to emulate: where there are two, the other one is for who asks the machine."""
    return 1 if len(os.sched_getaffinity(0)) <= 2 else 2


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def greets(port: int, seconds: float) -> bool:
    """Tell whether an sshd says its version: QEMU itself takes connections long before the guest does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
