"""A lab node: a folder with a node's root, its disks, and what it has been through."""

import fcntl
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import PhoenixError
from ..process import Ended, attach, run
from ..secrets import Text
from . import boots, bytecode, graphics, machine, pci, sandbox, skeleton
from .quick import QUICK, WARM

MARKER = "phoenix-lab.json"
ACTIONS = "actions.log"
WRAPPER = "# a stand-in of the lab"

PROGRAM = "lab-program"
"""What runs a program of lab/programs: `lab-program NAME ARGUMENTS…`."""


class Disk(NamedTuple):
    """A disk to put into a node."""

    by_id: str
    """Its name below /dev/disk/by-id; a name that begins with `nvme-` makes it an NVMe disk."""
    size: int
    """Bytes; the file is sparse, so terabytes cost nothing until they are written."""
    serial: str = ""
    model: str = ""


class Gpu(NamedTuple):
    """A graphics card to put into a node."""

    pci: str
    """Its address, as 0000:01:00.0; the driver numbers the cards in this order."""
    model: str = ""
    memory: int = 0
    """Bytes; 0 for as much as the lab gives a card of which nothing is said."""


class Status(NamedTuple):
    """What can be said about a lab node without entering it."""

    hostname: str
    address: str
    disks: dict[str, str]
    """Kernel name → by-id name."""
    actions: int
    """How many acts the transport has carried out since the node was made."""
    bytes_used: int


class LabNode:
    """One node in one folder. Nothing else on the machine is ever written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.root = self.folder / "root"

    sandboxed = True
    """Whether it lives in a sandbox: such a node has a door and boots that others have of their own."""

    @property
    def state(self) -> str:
        """Say in a word how it is; one in a sandbox needs nothing that runs."""
        return "up"

    @property
    def exists(self) -> bool:
        """Tell whether the node has been made (`up`)."""
        return (self.folder / MARKER).is_file()

    @property
    def address(self) -> str:
        """The address that it was made with, with its prefix."""
        found = str(self._marker()["address"])
        return found if "/" in found else f"{found}/24"

    def up(
        self,
        hostname: str,
        disks: Sequence[Disk],
        address: str = "127.0.1.1",
        gpus: Sequence[Gpu] = (),
        *,
        fresh: bool = False,
        loader: str = boots.SYSTEMD,
        driver: bool = True,
        hardware: machine.Machine | None = None,
    ) -> bool:
        """Make the node, or keep the one that is there and add what is new; True if it was made.

        Kept: everything anybody has done to it. Refreshed: stand-ins, links into the machine's /usr,
        the machine, graphics cards. `driver` says whether the cards' driver was there from the beginning.
        """
        if fresh:
            self.down()
        made = not self.exists
        if made:
            self._make(hostname, address)
        self._refresh(loader)
        self._add_disks(disks)
        self._set_gpus(gpus, driver=driver)
        machine.show(self.root, hardware or machine.Machine())
        return made

    def down(self) -> bool:
        """Remove the node; False if there is none. Raises PhoenixError for a folder that is no lab."""
        if not self.folder.exists():
            return False
        if self.folder.is_symlink() or not self.exists:
            raise PhoenixError(
                f"{self.folder} is not a lab node (it has no {MARKER}): not removed",
                hint="look what it is, and remove it by hand if it is not needed",
            )
        for at, folders, _ in os.walk(self.folder):
            for name in folders:
                path = os.path.join(at, name)
                if not os.path.islink(path) and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                    os.chmod(path, 0o700)
        # Last of all the marker: an interrupted removal can be done again.
        for part in sorted(self.folder.iterdir(), key=lambda path: path.name == MARKER):
            shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink()
        self.folder.rmdir()
        return True

    def status(self) -> Status:
        """Return the node's facts. Raises PhoenixError if it is not up."""
        marker = self._marker()
        disks = {kname: str(row["by_id"][0]) for kname, row in sorted(self.model().get("disks", {}).items())}
        used = sum(
            os.lstat(os.path.join(at, name)).st_blocks * 512
            for at, _, files in os.walk(self.folder)
            for name in files
        )
        return Status(marker["hostname"], marker["address"], disks, len(self.actions()), used)

    def model(self) -> dict[str, Any]:
        """Return what the stand-ins remember."""
        with _locked(self._state):
            return _read(self._state / "model.json")

    def actions(self) -> list[dict[str, Any]]:
        """Return the acts the transport has carried out on this node, oldest first."""
        try:
            lines = (self.folder / ACTIONS).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def argv(self, command: Sequence[str], *, full: Sequence[str] = (), way: str | None = None) -> list[str]:
        """Return the argv that runs a command on the node; see sandbox.argv for how long it lives."""
        return sandbox.argv(self._layout(full), command, way=way)

    def run(self, command: str, stdin: Text | None = None, *, timeout: float = 60) -> Ended:
        """Run one shell command on the node, past every transport and its faults and log."""
        return run(self.argv(["sh", "-c", f"umask 022; {command}"]), stdin, timeout=timeout)

    def attach(self, command: Sequence[str]) -> int:
        """Run a command on our own terminal, inside the node; its exit status."""
        return attach(sandbox.argv(self._layout(), command, terminal=os.environ.get("TERM", "dumb")))

    def reboot(self, *, timeout: float = 60) -> None:
        """Let the node go down, as `reboot` on it does; it comes up again when somebody connects."""
        self.run("reboot", timeout=timeout)

    @property
    def _state(self) -> Path:
        return self.root / "var/lib/phoenix-lab"

    def _marker(self) -> dict[str, Any]:
        if not self.exists:
            raise PhoenixError(f"there is no lab node in {self.folder}", hint="make it: `phoenix lab up`")
        return _read(self.folder / MARKER)

    def _layout(self, full: Sequence[str] = ()) -> sandbox.Layout:
        marker = self._marker()
        disks = tuple(sandbox.Disk(self.folder / "disks" / row[0], *row) for row in marker["disks"])
        filesystems = self.folder / "proc-filesystems"
        drivers = self.root / graphics.FACTS
        return sandbox.Layout(
            self.root,
            marker["hostname"],
            filesystems,
            disks,
            graphics.devices(self.root),
            drivers if drivers.is_dir() else None,
            tuple(full),
            boots.shown(self.root),
        )

    def _make(self, hostname: str, address: str) -> None:
        """Make the node in a folder beside its own, so that there is never half a node."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise PhoenixError(
                f"{self.folder} holds something that is not a lab node", hint="choose another folder"
            )
        new = self.folder.with_name(f".{self.folder.name}.new")
        if new.exists():
            shutil.rmtree(new)
        (new / "disks").mkdir(parents=True)
        root = new / "root"
        root.mkdir()
        root.chmod(0o755)
        skeleton.make(root, hostname, address)
        _write(root / "var/lib/phoenix-lab/model.json", skeleton.model(hostname))
        _write(new / MARKER, {"hostname": hostname, "address": address, "disks": []})
        new.replace(self.folder)

    def _refresh(self, loader: str) -> None:
        """Bring in what comes from this machine and this version: links, stand-ins, /proc/filesystems."""
        for link, target in sandbox.links().items():
            path = self.root / link[1:]
            if not path.is_symlink() or os.readlink(path) != target:
                path.unlink(missing_ok=True)
                path.symlink_to(target)
        here = Path("/proc/filesystems").read_text(encoding="ascii")
        more = "".join(f"nodev\t{name}\n" for name in ("nfsd", "zfs") if f"\t{name}\n" not in here)
        (self.folder / "proc-filesystems").write_text(here + more, encoding="ascii")
        self._write_wrappers()
        self._give_boot_loader(loader)

    def _give_boot_loader(self, loader: str) -> None:
        """Give a node that has none a boot loader and a running kernel."""
        if not (self.root / boots.GOING).exists():
            boots.lay(self.root, loader)
            with _locked(self._state):
                known = _read(self._state / "model.json")
                _write(self._state / "model.json", known | boots.model(self.root, loader))

    def _write_wrappers(self) -> None:
        folder = self.root / "usr/local/sbin"
        wanted = set(standins())
        for path in folder.iterdir():
            ours = path.is_file() and WRAPPER in path.read_text(errors="replace")
            if ours and path.name not in {*wanted, PROGRAM}:
                path.unlink()
        python = f"{shlex.quote(str(sandbox.python()))} -I -S"
        if not bytecode.beside():
            python += f" -X pycache_prefix={sandbox.PYTHON_CACHE}"
        start = f"exec {python} {sandbox.STANDINS}/__main__.py --warm"
        for tool in wanted:
            ask = WARM.replace("TOOL", tool)
            _write_wrapper(folder / tool, f'{QUICK.get(tool, "")}{ask}{start} {tool} "$@"')
        _write_wrapper(folder / PROGRAM, f'exec {python} {sandbox.PROGRAMS}/run.py "$@"')

    def _set_gpus(self, gpus: Sequence[Gpu], *, driver: bool) -> None:
        """Show the cards that are declared now, and no others."""
        ordered = sorted(gpus)
        with _locked(self._state):
            model = _read(self._state / "model.json")
            kernel = str(model.get("boot", {}).get("kernel", boots.KERNEL))
            graphics.plug(model, ordered, kernel, driver=driver)
            taken = "nvidia" if model.get("nvidia", {}).get("loaded") else ""
            model["pci"] = pci.plugged(model.get("pci", []), ordered, taken)
            pci.show(self.root, model["pci"])
            _write(self._state / "model.json", model)
        (self.root / graphics.FACTS).mkdir(exist_ok=True)
        here = [str(sandbox.python()), "-I", "-S", str(Path(__file__).with_name("standins")), graphics.SHOW]
        ended = run(["env", f"PHOENIX_LAB_ROOT={self.root}", *here], timeout=60)
        if ended.status:
            said = ended.stderr.decode(errors="replace").strip()
            raise PhoenixError(f"{self.folder}: its graphics cards cannot be shown: {said}")

    def _add_disks(self, disks: Sequence[Disk]) -> None:
        """Put in the disks that are not there yet; a disk that is no longer declared stays, as in life."""
        marker = self._marker()
        known = {by_id for _, by_id in marker["disks"]}
        with _locked(self._state):
            model = _read(self._state / "model.json")
            rows = model.setdefault("disks", {})
            for disk in disks:
                if disk.by_id in known:
                    continue
                kname = _kernel_name(disk.by_id, {row[0] for row in marker["disks"]})
                with (self.folder / "disks" / kname).open("xb") as file:
                    file.truncate(disk.size)
                rows[kname] = {
                    "by_id": [disk.by_id],
                    "size": disk.size,
                    "serial": disk.serial,
                    "model": disk.model,
                }
                marker["disks"].append([kname, disk.by_id])
                known.add(disk.by_id)
            _write(self._state / "model.json", model)
        _write(self.folder / MARKER, marker)


def standins() -> list[str]:
    """Return the tools the lab has a stand-in for."""
    folder = Path(__file__).with_name("standins")
    return sorted(path.stem.removeprefix("tool_").replace("_", "-") for path in folder.glob("tool_*.py"))


def _write_wrapper(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{WRAPPER}\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def _kernel_name(by_id: str, taken: set[str]) -> str:
    if by_id.startswith("nvme-"):
        return next(name for n in range(1000) if (name := f"nvme{n}n1") not in taken)
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"sd{a}" for a in letters] + [f"sd{a}{b}" for a in letters for b in letters]
    return next(name for name in names if name not in taken)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Hold the lock the stand-ins hold while they change the model."""
    with (state / "model.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")
    new.replace(path)
