"""Faults on demand: what goes wrong on a lab node, and when.

They are kept in the node's folder, so one process can set them for another.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

FILE = "faults.json"
INSIDE = "root/var/lib/phoenix-lab/service-faults.json"
"""Where stand-ins read those of services."""
BOOT_SECONDS = 0.5
"""How long a node refuses connections after it went down, if nothing else is said."""


class Sort(StrEnum):
    """What can go wrong. The first four happen once, the others until they are cleared."""

    KILL = "kill-before"
    DROP = "drop-before"
    HANG = "hang-before"
    CHANGE = "change-before"
    REFUSE = "refuse"
    FULL = "full"
    SLOW = "slow-boot"
    DEAD = "stay-down"
    DIES = "service-dies"
    HANGS = "service-hangs"
    LOADS = "slow-load"
    OFFLINE = "offline"


WORDS = {
    Sort.KILL: "N",
    Sort.DROP: "N",
    Sort.HANG: "N",
    Sort.CHANGE: "N COMMAND",
    Sort.REFUSE: "",
    Sort.FULL: "DIR",
    Sort.SLOW: "N",
    Sort.DEAD: "",
    Sort.DIES: "UNIT",
    Sort.HANGS: "UNIT",
    Sort.LOADS: "N",
    Sort.OFFLINE: "GUEST",
}
MEANING = {
    Sort.KILL: "phoenix itself is killed (SIGKILL) just before its N-th act on the node",
    Sort.DROP: "the connection breaks just before the N-th act",
    Sort.HANG: "from just before the N-th act on, the node says nothing any more",
    Sort.CHANGE: "somebody else runs COMMAND on the node just before the N-th act",
    Sort.REFUSE: "the node refuses connections, until cleared",
    Sort.FULL: "there is no space left in the folder DIR of the node, until cleared",
    Sort.SLOW: "a boot takes N seconds, until cleared",
    Sort.DEAD: "the node does not come back from a reboot, until cleared",
    Sort.DIES: "the program of a guest's UNIT (or VMID/UNIT) is killed as soon as it runs, until cleared",
    Sort.HANGS: "the program of a guest's UNIT (or VMID/UNIT) runs and never does anything, until cleared",
    Sort.LOADS: "servers of models take N seconds from their start to load one, until cleared",
    Sort.OFFLINE: "the guest with the number GUEST has no way to the outside, until cleared",
}
ONCE = (Sort.KILL, Sort.DROP, Sort.HANG, Sort.CHANGE)


OF_SERVICES = (Sort.DIES, Sort.HANGS, Sort.LOADS, Sort.OFFLINE)
"""Faults that those on the node must know who run the programs of guests."""
SANDBOX_ONLY = (Sort.FULL, Sort.SLOW, Sort.DEAD, *OF_SERVICES)
"""Faults that are made by what surrounds a sandbox, and which a virtual machine does not have."""


class Fault(NamedTuple):
    """One fault: `at` counts a process's acts on the node from 1; `detail` is a folder or a command."""

    sort: Sort
    at: int = 0
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(str(part) for part in self if part)


class Faults:
    """The faults of one node."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._inside = folder / INSIDE

    def listed(self) -> list[Fault]:
        """Return the faults that are set, in the order they were."""
        try:
            rows = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [Fault(Sort(sort), at, detail) for sort, at, detail in rows]

    def set(self, sort: Sort, at: int = 0, detail: str = "") -> None:
        """Let this go wrong from now on."""
        fault = Fault(sort, at, detail)
        self._save([*(kept for kept in self.listed() if kept != fault), fault])

    def clear(self) -> None:
        """Let everything go well again."""
        self._file.unlink(missing_ok=True)
        self._inside.unlink(missing_ok=True)

    def refusing(self) -> bool:
        """Tell whether the node refuses connections."""
        return any(fault.sort is Sort.REFUSE for fault in self.listed())

    def boot_seconds(self) -> float | None:
        """Return how long a boot takes; None when it never ends."""
        sorts = {fault.sort: fault for fault in self.listed()}
        if Sort.DEAD in sorts:
            return None
        return float(sorts[Sort.SLOW].at) if Sort.SLOW in sorts else BOOT_SECONDS

    def full_folders(self) -> tuple[str, ...]:
        """Return the folders that have no space left."""
        return tuple(fault.detail for fault in self.listed() if fault.sort is Sort.FULL)

    def take(self, act: int) -> list[Fault]:
        """Return the faults due just before this act, and forget them: the next run meets none."""
        listed = self.listed()
        due = [fault for fault in listed if fault.sort in ONCE and fault.at == act]
        if due:
            self._save([fault for fault in listed if fault not in due])
        return due

    def _save(self, faults: list[Fault]) -> None:
        if not faults:
            return self.clear()
        _write(self._file, faults)
        if self._inside.parent.is_dir():
            _write(self._inside, [fault for fault in faults if fault.sort in OF_SERVICES])
        return None


def _write(file: Path, faults: list[Fault]) -> None:
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps(faults), encoding="utf-8")
    new.replace(file)
