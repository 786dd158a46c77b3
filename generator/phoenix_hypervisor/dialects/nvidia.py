"""What NVIDIA's driver, DKMS and a node's kernels say of themselves."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

FIELDS = "pci.bus_id,name,uuid,persistence_mode,driver_version"
"""For `nvidia-smi --query-gpu=… --format=csv,noheader`: what `cards` reads."""
_LOADED = re.compile(
    r"^NVRM version: +NVIDIA UNIX (?P<open>Open )?(?:x86_64 +)?Kernel Module"
    r"(?: for x86_64)? +(?P<version>\S+)"
)
_BUILT = re.compile(r"^(?P<name>[^/,]+)/(?P<version>[^,]+), (?P<kernel>[^,]+), [^:]+: (?P<state>[a-z]+)")
_ADDED = re.compile(r"^(?P<name>[^/,]+)/(?P<version>[^,:]+): added$")
_LICENSES = {"NVIDIA": "proprietary"}
"""Of modules, as modinfo tells it; the open ones have `Dual MIT/GPL`."""


@dataclass(frozen=True)
class Release:
    """A version of the driver, and the runfile that has its programs and libraries."""

    version: str
    sha256: str
    url: str = field(repr=False)
    """Where it is fetched from makes it no other one."""


class Card(NamedTuple):
    """A card that the driver has."""

    name: str
    uuid: str
    persistence: str
    """`Enabled` or `Disabled`."""
    driver: str
    """The version that answers."""


class Kernels(NamedTuple):
    """The kernels of a node, and what there is for them."""

    running: str
    installed: tuple[str, ...]
    """Oldest first."""
    headers: frozenset[str]
    modules: Mapping[str, str]
    """Kernel → version and sort of its module (`580.76.05 open`), where there is one."""
    next_boot: str
    """The one that is started next: pinned, or chosen by GRUB's default, or the newest."""
    sources: frozenset[str]
    """Versions of the driver whose sources lie in /usr/src with a dkms.conf."""


@cache
def loaded(text: str) -> str:
    """Read /proc/driver/nvidia/version: `580.76.05 open`; empty if there is none."""
    found = _LOADED.match(text)
    return f"{found['version']} {'open' if found['open'] else 'proprietary'}" if found else ""


@cache
def cards(text: str) -> Mapping[str, Card]:
    """Read the answer to a query of FIELDS: PCI address as the kernel writes it → card."""
    found: dict[str, Card] = {}
    for line in text.splitlines():
        address, name, uuid, persistence, driver = (word.strip() for word in line.split(","))
        found[pci(address)] = Card(name, uuid, persistence, driver)
    return found


def pci(address: str) -> str:
    """Return an address as the kernel writes it: `00000000:01:00.0` is 0000:01:00.0 there."""
    domain, _, rest = address.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


@cache
def dkms(text: str) -> Mapping[str, Mapping[str, str]]:
    """Read `dkms status`: version of the driver → kernel → `installed`, `built`."""
    versions: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        added = _ADDED.match(line)
        found = _BUILT.match(line)
        if added and added["name"] == "nvidia":
            versions.setdefault(added["version"], {})
        elif found and found["name"] == "nvidia":
            state = "differs" if "WARNING! Diff" in line else found["state"]
            versions.setdefault(found["version"], {})[found["kernel"]] = state
    return versions


@cache
def kernels(text: str) -> Kernels:
    """Read what a node said of its kernels: lines of a word and what it is about."""
    lines = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines())]
    every = {word: [rest for other, rest in lines if other == word] for word, _ in lines}
    installed = sorted(every.get("kernel", []), key=order)
    modules = {}
    for kernel, version, sort in (rest.split(" ", 2) for rest in every.get("module", [])):
        modules[kernel] = f"{version} {_LICENSES.get(sort, 'open')}"
    return Kernels(
        every["running"][0],
        tuple(installed),
        frozenset(every.get("headers", [])),
        modules,
        _next(installed, every.get("pin", []), every.get("grub", [])),
        frozenset(every.get("source", [])),
    )


def _next(installed: list[str], pins: Collection[str], grub: Collection[str]) -> str:
    for pin in pins:
        if pin in installed:
            return pin
    for said in reversed([*grub]):
        # the id of a menu's entry: gnulinux-advanced-<device>>gnulinux-<kernel>-advanced-<device>
        named = [
            kernel for kernel in installed if re.search(rf"(?<![0-9.]){re.escape(kernel)}(?![0-9])", said)
        ]
        if named:
            return named[-1]
    return installed[-1] if installed else ""


def order(version: str) -> list[tuple[int, str]]:
    """Sort 6.8.12-10 after 6.8.12-9."""
    words = re.split(r"[.-]", version)
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


@cache
def in_guest(text: str) -> tuple[list[str], list[str]]:
    """Read what a guest said of its cards: the UUIDs of those whose nodes it has, and of those it reaches.

    Lines are `node 0`, for each node; `uuid GPU-…` and `minor 0`, for each card of the kernel's; and what
    `nvidia-smi -L` prints: `GPU 0: … (UUID: GPU-…)`.
    """
    lines = text.splitlines()
    nodes = {line.removeprefix("node ") for line in lines if line.startswith("node ")}
    uuids = [line.removeprefix("uuid ").strip() for line in lines if line.startswith("uuid ")]
    minors = [line.removeprefix("minor ").strip() for line in lines if line.startswith("minor ")]
    given = [uuid for uuid, minor in zip(uuids, minors, strict=False) if minor in nodes]
    listed = [found[1] for line in lines if (found := re.search(r"\(UUID: (GPU-[0-9a-f-]+)\)", line))]
    return sorted(given), sorted(listed)


# the container toolkit

_TOOLKIT_SAFE = (1, 17, 8)
"""The first version whose hook does not let a container choose what runs outside of it (CVE-2025-23266)."""


def toolkit_known_bad(version: str) -> str:
    """Return what is known against a version of the container toolkit; empty if nothing is."""
    if tuple(int(word) for word in re.findall(r"\d+", version)[:3]) < _TOOLKIT_SAFE:
        return "lets a container run programs of the host's (CVE-2025-23266): take 1.17.8-1 or newer"
    return ""


@cache
def no_cgroups(text: str) -> bool:
    """Read the toolkit's config.toml: whether it leaves devices' control groups alone. Raises ValueError."""
    found = tomllib.loads(text).get("nvidia-container-cli", {})
    return isinstance(found, dict) and found.get("no-cgroups") is True
