"""What people do with guests by hand, whatever kind they are. Values and one protocol: nothing here acts.

A kind that is a guest (`Kind.inhabited`) names its own as `Kind.verbs`. What a verb would do is steps and
refusals, as in a plan; whether it may (lock, place, other guests) is the same for all kinds.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from .resource import Kind, Refusal, Step


class Snapshot(NamedTuple):
    """A state of a guest that it can go back to."""

    name: str
    taken: int
    """Unix time."""
    parent: str
    """The one that was taken before it; empty for the first."""


class Mount(NamedTuple):
    """What a guest has mounted besides its root."""

    target: str
    """Its path inside the guest."""
    source: str
    """A volume's id, or a folder of the node (then it begins with `/`)."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the node and not a volume of the guest's own."""
        return self.source.startswith("/")


class Sight(NamedTuple):
    """One guest as its node sees it at this moment."""

    node: str
    """Proxmox's name of the node it lies on; empty when no node has it."""
    here: bool = False
    """Whether that is the node that was asked."""
    another: str = ""
    """What has its VMID there instead of a guest of the declared kind: `a virtual machine`."""
    wanted: str = "running"
    """What the files want of it: `running`, `stopped` or `absent`."""
    running: bool = False
    lock: str = ""
    """What Proxmox is doing with it, in its own word: `backup`, `snapshot`."""
    template: bool = False
    protected: bool = False
    waiting: tuple[str, ...] = ()
    """Settings that wait for its next start."""
    seconds: int | None = None
    """How long it has been running, where that is known."""
    memory: int | None = None
    """Bytes it uses; None where that is not known."""
    most_memory: int | None = None
    """Bytes it may use."""
    cpu_seconds: float | None = None
    """Time on processors since it was started."""
    stale: str = ""
    """What it was made from (a layer's VMID, an archive), when it would be made from another by now."""
    snapshots: tuple[Snapshot, ...] = ()
    """Oldest first."""
    newest_only: bool = False
    """Whether its storage can go back to the newest snapshot only."""
    mounts: tuple[Mount, ...] = ()
    linked: tuple[str, ...] = ()
    """Guests (VMIDs) whose files are partly this one's: linked clones."""


class Said(NamedTuple):
    """What a node answered to one of the questions."""

    status: int
    text: str


Does = Iterable[Step | Refusal]


class GuestVerbs(Protocol):
    """The verbs of one kind of guest. `guest` is always a resource of that kind, bound and valid."""

    tool: str
    """Proxmox's tool for its kind, as people are told it: `pct`, `qm`."""
    questions: Sequence[str]
    """Shell that reads all there is to know about all guests of this kind on a node, in one go."""

    def sights(self, guests: Iterable[Kind], answers: Sequence[Said]) -> Mapping[str, Sight]:
        """Return each guest by its VMID, as the answers tell. Raises ValueError when they cannot be read."""

    def addresses(self, guest: Kind) -> Sequence[str]:
        """Return the declared addresses, or how they are got: `dhcp`."""

    def start(self, guest: Kind) -> Does:
        """Yield what starts it and waits until it is ready."""

    def stop(self, guest: Kind) -> Does:
        """Yield what shuts it down within its deadline."""

    def kill(self, guest: Kind) -> Does:
        """Yield what ends it at once."""

    def restart(self, guest: Kind) -> Does:
        """Yield what shuts it down, starts it and waits until it is ready."""

    def snapshot(self, guest: Kind, sight: Sight, name: str) -> Does:
        """Yield what takes a snapshot of it."""

    def rollback(self, guest: Kind, sight: Sight, name: str) -> Does:
        """Yield what brings it back to a snapshot, and starts it again if it runs."""

    def recreate(self, guest: Kind, sight: Sight) -> Does:
        """Yield what takes it away but for its data and its settings. To make it again is what apply does."""

    def restore(self, guest: Kind, archive: str, vmid: str, storage: str, *, start: bool) -> Does:
        """Yield what makes another guest with a free number from a backup of this one, to look into.

        It is cut off from networks and from folders and devices of the node, and starts only if wanted.
        Without a storage, its files go where those of this guest should be.
        """

    def journal(self, lines: int, place: str | None) -> str:
        """Return shell for inside that prints the last lines of its journal, or all after a place in it.

        With a place, even an empty one, its last line says behind `PLACE` where to go on from.
        """

    def start_log(self, guest: Kind, lines: int, place: str | None) -> str:
        """Return the same for the node: how the guest was last started."""


PLACE = "-- cursor: "
"""What journalctl(1) writes before the place to go on from."""
SNAPSHOT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}", re.ASCII)
"""`pve-configid` of PVE::JSONSchema, at most 40 characters."""
OURS = "phoenix"
"""What names of snapshots begin with that we take and remove ourselves."""


def misnamed(sight: Sight, name: str) -> Iterator[str]:
    """Yield why a snapshot cannot be called that, before Proxmox says so in five words."""
    if not SNAPSHOT_NAME.fullmatch(name) or name == "current":
        yield f"`{name}` is no snapshot's name: a letter, then letters, digits, `_` and `-`; 2 to 40 in all"
    if name.startswith(OURS):
        yield f"names that begin with `{OURS}` are for our own snapshots: take another one than `{name}`"
    if name in {snapshot.name for snapshot in sight.snapshots}:
        yield f"there is a snapshot `{name}` already: take another name"


def journalctl(lines: int, place: str | None, which: str = "") -> str:
    """Return the command for `GuestVerbs.journal`; `which` narrows it down: `-u nginx.service`."""
    words = ["journalctl --no-pager -q", *([which] if which else [])]
    words.append(f"--after-cursor={shlex.quote(place)}" if place else f"-n {lines}")
    return " ".join([*words, *(["--show-cursor"] if place is not None else [])])
