"""Differences in a container that are said, not repaired: why, and what a person can do."""

from collections.abc import Iterable, Iterator

from ..dialects import sizes
from ..resource import Change, Difference, Refusal
from . import idmap
from .settings import Settings

NODE = ("nodes", "sources", "cards")
"""Attributes that are the node's matter: what a container needs there to be started."""


def refused(lxc: Settings, change: Change) -> dict[str, Refusal]:
    """Return attribute → refusal for all that cannot be repaired."""
    return {**dict(_refused(lxc, change)), **dict(_protected(lxc, change))}


def _refused(lxc: Settings, change: Change) -> Iterator[tuple[str, Refusal]]:
    for name, found in change.attributes.items():
        reason = _reason(lxc, name, found)
        if reason:
            yield name, Refusal(name, reason)


def in_the_way(lxc: Settings, change: Change) -> Iterator[Refusal]:
    """Yield what keeps a container from being made: what the node does not have and nobody brings."""
    for name in change.attributes:
        part, _, rest = name.partition(".")
        if part in ("nodes", "sources"):
            what = f"the {'device' if part == 'nodes' else 'folder'} {rest} is not on the node"
            yield Refusal(name, f"{what}, and without it {lxc.guest_name} cannot be started")


def _protected(lxc: Settings, change: Change) -> Iterator[tuple[str, Refusal]]:
    """Proxmox changes no volume of a protected container (check_protection in PVE::LXC::Config)."""
    if change.seen.conf.keys.get("protection") != "1" or "protection" in change:
        return
    for name in of_volumes(change.attributes):
        reason = f"{lxc.guest_name} is protected, and Proxmox changes none of its volumes then"
        yield name, Refusal(name, f"{reason}: declare `protection: false` for that long")


def of_volumes(names: Iterable[str]) -> list[str]:
    """Return those of the attributes that are about volumes and mounts."""
    return [name for name in names if name.partition(".")[0] in ("rootfs", "mounts")]


def _reason(lxc: Settings, name: str, found: Difference) -> str:
    """Why a difference stays, and what a person can do; empty for one that can be repaired."""
    rebuild = f"`phoenix recreate {lxc.guest_name}` builds another"
    if name == "unprivileged":
        return f"Proxmox cannot make a container privileged or unprivileged afterwards: {rebuild}"
    if name == f"raw.{idmap.KEY}":
        return f"files inside belong to ids of the present map, and would be somebody else's: {rebuild}"
    if name.partition(".")[0] in NODE:
        return _reason_on_the_node(lxc, name, found)
    return _reason_of_a_volume(lxc, name, found)


def _reason_of_a_volume(lxc: Settings, name: str, found: Difference) -> str:
    if name == "rootfs.storage":
        todo = f"`pct move-volume {lxc.vmid} rootfs {found.desired}` moves it while it is stopped"
        return f"it lies on the storage {found.actual}, not on {found.desired}: {todo}"
    part, _, target = name.removesuffix(".size").partition(".")
    if name.endswith(".size") and _bytes(found.desired) < _bytes(found.actual):
        what = f"volume at {target}" if target else "root file system"
        return f"its {what} has {found.actual}, and no volume is made smaller ({found.desired})"
    sides = (str(found.actual).partition(",")[0], str(found.desired).partition(",")[0])
    if part == "mounts" and sides[0] != sides[1] and all(side.startswith("storage=") for side in sides):
        return f"the volume at {target} lies on another storage ({sides[0]}): move it with `pct move-volume`"
    return ""


def _reason_on_the_node(lxc: Settings, name: str, found: Difference) -> str:
    part, _, rest = name.partition(".")
    if part == "cards":
        said = f"/dev/nvidia{found.actual}" if found.actual is not None else "no device of the driver"
        return (
            f"the card {rest} is {said}, not /dev/nvidia{found.desired}: is every card in `hardware: gpus:`?"
        )
    what = f"the device {rest}" if part == "nodes" else f"the folder {rest}"
    return f"{what} is not on the node, and without it {lxc.guest_name} cannot be started the next time"


def _bytes(size: object) -> int:
    try:
        return sizes.parse(size)
    except ValueError:
        return 0
