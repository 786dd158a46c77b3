"""A lab node that is a virtual machine: the same verbs and faults as one in a sandbox, reached by ssh."""

import json
import os
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import PhoenixError
from ...process import Broken, Ended, attach, run
from ...secrets import Text
from ...transport import Address
from ...transport.ssh import argv as ssh_argv
from ...transport.ssh import hang_up
from ..machine import Machine as Hardware
from ..node import Disk, Gpu, LabNode, Status
from . import furnishing
from .accelerator import accelerator
from .image import image
from .machine import BOOT_SECONDS, Machine

MARKER = "phoenix-vm.json"
BOOTED = "booted"
"""The snapshot of a machine that has booted and on which nothing was done yet."""
HOST = "phoenix-lab-vm"
"""The name under which ssh knows the machine's key."""
Tell = Callable[[str], object]


def _quiet(_: str) -> None:
    return


class VmNode(LabNode):
    """One node in one folder; what it writes besides is the image, in a cache of this machine."""

    sandboxed = False

    def __init__(self, folder: Path, tell: Tell = _quiet) -> None:
        super().__init__(folder)
        self.mortal = False
        """Whether a machine that is started dies with the thread that starts it, however that ends."""
        self._tell = tell
        self.machine = Machine(self.folder / "vm")

    @property
    def state(self) -> str:
        """Say in a word how it is."""
        if not self.machine.running:
            return "stopped"
        return f"up, a virtual machine behind port {self.machine.port} of 127.0.0.1"

    @property
    def exists(self) -> bool:
        """Tell whether the node has been made, running or not."""
        return (self.folder / MARKER).is_file()

    def up(
        self,
        hostname: str,
        disks: Sequence[Disk],
        address: str = "127.0.1.1",
        gpus: Sequence[Gpu] = (),
        *,
        fresh: bool = False,
        loader: str = "",
        driver: bool = True,
        hardware: Hardware | None = None,
    ) -> bool:
        """Make the machine and boot it, or boot one that does not run; True if it was made.

        There are no cards, QEMU starts the kernel, and the processor is the one it emulates.
        """
        del gpus, loader, driver, hardware
        if fresh:
            self.down()
        made = not self.exists
        if made:
            self._make_machine(hostname, disks, address if "/" in address else f"{address}/24")
        if not self.machine.running:
            self._start()
            if made:
                self.save(BOOTED)
        return made

    def _make_machine(self, hostname: str, disks: Sequence[Disk], address: str) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise PhoenixError(
                f"{self.folder} holds something that is not a lab node", hint="choose another folder"
            )
        made_of = image(self._tell)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = self._make_keys()
        own = furnishing.archive(hostname, address, disks, keys)
        self.machine.make(made_of, own, furnishing.drives(disks), accelerator(made_of))
        known = {"hostname": hostname, "address": address, "disks": [list(disk) for disk in disks]}
        (self.folder / MARKER).write_text(json.dumps(known), encoding="utf-8")

    def _make_keys(self) -> dict[str, str]:
        for name in ("key", "host"):
            path = self.folder / name
            path.unlink(missing_ok=True)
            ended = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)])
            if ended.status:
                raise PhoenixError(f"ssh-keygen: {ended.stderr.decode(errors='replace').strip()}")
        texts = {name: (self.folder / name).read_text() for name in ("key.pub", "host", "host.pub")}
        (self.folder / "host").unlink()
        (self.folder / "known_hosts").write_text(f"{HOST} {texts['host.pub']}", encoding="utf-8")
        return {"authorized": texts["key.pub"], "host": texts["host"], "host.pub": texts["host.pub"]}

    def _start(self) -> None:
        try:
            self.machine.start(mortal=self.mortal)
            self.machine.wait()
            self._until_booted()
        except BaseException:
            self.machine.kill()
            raise

    def _until_booted(self) -> None:
        """Wait until systemd has started what it starts at boot."""
        ended = self.run("systemctl is-system-running --wait || systemctl --failed --no-legend", timeout=300)
        if ended.stdout.strip() != b"running":
            said = (ended.stdout + ended.stderr).decode(errors="replace").strip()
            raise PhoenixError(f"the virtual machine in {self.folder} did not boot well: {said}")

    def down(self) -> bool:
        """Stop the machine and remove the node; False if there is none."""
        if not self.exists:
            return False
        if self.machine.exists:
            self._hang_up()
            self.machine.remove()
        for part in sorted(self.folder.rglob("*"), reverse=True):
            if part.name != MARKER:
                part.rmdir() if part.is_dir() and not part.is_symlink() else part.unlink()
        (self.folder / MARKER).unlink()
        self.folder.rmdir()
        return True

    def status(self) -> Status:
        """Return the node's facts; the kernel names of its disks are in the order they are declared in."""
        marker = self._marker()
        disks = {f"sd{chr(ord('a') + number)}": row[0] for number, row in enumerate(marker["disks"])}
        used = sum(path.lstat().st_blocks * 512 for path in self.folder.rglob("*") if path.is_file())
        return Status(marker["hostname"], marker["address"], disks, len(self.actions()), used)

    def model(self) -> dict[str, Any]:
        """Return what the stand-ins on it remember."""
        found: dict[str, Any] = json.loads(self._checked("cat /var/lib/phoenix-lab/model.json"))
        return found

    def argv(self, command: Sequence[str], *, full: Sequence[str] = (), way: str | None = None) -> list[str]:
        """Return the argv that runs a command there, over a connection that the next one shares."""
        del way  # there is only one
        if full:
            raise PhoenixError("folders of a virtual machine cannot be made full: that is for sandboxes")
        *ssh, _ = ssh_argv(self._address())
        return [*ssh, shlex.join(command)]

    def attach(self, command: Sequence[str]) -> int:
        """Run a command on our own terminal, inside the node; its exit status."""
        ssh, *rest = self.argv(command)
        return attach([ssh, "-t", *rest[1:]] if os.isatty(0) else [ssh, *rest])

    def reboot(self, *, timeout: float = 60) -> None:
        """Let the node go down, as `reboot` on it does; it comes up again by itself."""
        self.run("systemctl reboot", timeout=timeout)
        self._hang_up()

    def boot_id(self) -> str:
        """Return what tells one boot from another."""
        return self._checked("cat /proc/sys/kernel/random/boot_id").decode().strip()

    def wait(self, after: str = "", *, seconds: float = BOOT_SECONDS) -> None:
        """Wait until it has booted, if `after` is given another time than that. Raises PhoenixError."""
        end = time.monotonic() + seconds
        while True:
            self.machine.wait()
            try:
                if self.boot_id() != after:
                    break
            except (Broken, PhoenixError):
                self._hang_up()  # it goes down just now
            if time.monotonic() > end:
                raise PhoenixError(f"{self.folder.name} did not go down in {seconds:g} seconds")
            time.sleep(1)
        self._until_booted()

    def pull_plug(self) -> None:
        """Kill the machine, as a power cut does; `up` starts it again."""
        self.machine.kill()
        self._hang_up()

    def reset(self, snapshot: str = BOOTED) -> None:
        """Go back to a snapshot in seconds; the clock is set, as that went back with it."""
        self._hang_up()
        self.machine.load(snapshot)
        self._set_clock()

    def save(self, snapshot: str) -> None:
        """Keep the state under a name, to be gone back to."""
        self._checked("sync")
        self._hang_up()
        self.machine.save(snapshot)

    def _set_clock(self) -> None:
        self._checked(f"date --utc --set=@{time.time():.0f}")

    def _checked(self, command: str) -> bytes:
        ended = self.run(command)
        if ended.status:
            said = ended.stderr.decode(errors="replace").strip()
            raise PhoenixError(f"{self.folder.name}: `{command}` ended with {ended.status}: {said}")
        return ended.stdout

    def run(self, command: str, stdin: Text | None = None, *, timeout: float = 60) -> Ended:
        """Run one shell command on the node, past phoenix and its faults and log."""
        return run(self.argv(["sh", "-c", f"umask 022; {command}"]), stdin, timeout=timeout)

    def _hang_up(self) -> None:
        """End the shared connection: to a machine that is not there any more, or whose past is another."""
        hang_up(self._address())

    def _address(self) -> Address:
        options = (
            f"IdentityFile={self.folder / 'key'}",
            f"UserKnownHostsFile={self.folder / 'known_hosts'}",
            f"HostKeyAlias={HOST}",
            *("StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes"),
            *("IdentityAgent=none", "LogLevel=ERROR", "ControlPersist=600"),
        )
        port = self.machine.port
        return Address(
            self.folder.name, "127.0.0.1", port=port, username="root", connect_seconds=30, options=options
        )

    def _marker(self) -> dict[str, Any]:
        if not self.exists:
            raise PhoenixError(
                f"there is no lab node in {self.folder}", hint="make it: `phoenix lab up --vm`"
            )
        found: dict[str, Any] = json.loads((self.folder / MARKER).read_text(encoding="utf-8"))
        return found
