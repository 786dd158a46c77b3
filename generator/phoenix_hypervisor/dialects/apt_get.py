"""What `apt-get -s` says it would do."""

import re
from typing import NamedTuple

KEPT = (
    "The following packages have been kept back:",
    "The following upgrades have been deferred due to phasing:",
)
_STEP = re.compile(
    r"(?P<verb>Inst|Remv|Purg) (?P<name>\S+)(?: \[(?P<before>[^]\s]*)\])?"
    r"(?: \((?P<after>[^\s)]+)[^)]*\))?(?: .*)?"
)
_KERNEL = re.compile(r"(?:proxmox-kernel|pve-kernel|linux-image)-(\d\S*?)(?:-signed)?(?::\S+)?")


class Package(NamedTuple):
    """What becomes of one package."""

    name: str
    before: str
    """The version that is there; empty for a new one."""
    after: str
    """The version that comes; empty for one that goes."""

    @property
    def kernel(self) -> str:
        """The kernel that a new package brings, as `uname -r` calls it; empty for others."""
        found = _KERNEL.fullmatch(self.name)
        return found[1] if found and not self.before and "-" in found[1] else ""


class Simulation(NamedTuple):
    """What a run of `apt-get` would change, in its order, and what it leaves although there is newer."""

    packages: tuple[Package, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def upgraded(self) -> tuple[Package, ...]:
        """Packages that are there in another version."""
        return tuple(one for one in self.packages if one.before and one.after)

    @property
    def new(self) -> tuple[Package, ...]:
        """Packages that were not there."""
        return tuple(one for one in self.packages if not one.before)

    @property
    def removed(self) -> tuple[Package, ...]:
        """Packages that go."""
        return tuple(one for one in self.packages if not one.after)


def simulation(text: str) -> Simulation:
    """Read what `apt-get -s` printed (LC_ALL=C). Raises ValueError for a step that is not understood."""
    packages: dict[str, Package] = {}
    kept: list[str] = []
    listing = False
    for line in text.splitlines():
        if listing and line.startswith("  "):
            kept += line.split()
            continue
        listing = line in KEPT
        if line.startswith(("Inst ", "Remv ", "Purg ")):
            one = _package(line)
            packages[one.name] = one
    return Simulation(tuple(packages.values()), tuple(kept))


def _package(line: str) -> Package:
    found = _STEP.fullmatch(line)
    if not found or (found["verb"] == "Inst") != bool(found["after"]):
        raise ValueError(f"`{line}` is no step of apt-get as we know them")
    return Package(found["name"], found["before"] or "", found["after"] or "")
