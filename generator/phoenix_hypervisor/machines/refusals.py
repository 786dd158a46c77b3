"""Differences in a machine that are said, not repaired: why, and what a person can do."""

from collections.abc import Iterator

from ..dialects import sizes
from ..resource import Change, Difference, Refusal
from .settings import Settings


def refused(vm: Settings, change: Change) -> dict[str, Refusal]:
    """Return attribute → refusal for all that cannot be repaired."""
    return dict(_refused(vm, change))


def _refused(vm: Settings, change: Change) -> Iterator[tuple[str, Refusal]]:
    protected = change.seen.conf.keys.get("protection") == "1" and "protection" not in change
    for name, found in change.attributes.items():
        disk = name.startswith(("disks.", "efi", "tpm"))
        reason = _of_a_disk(vm, name, found) or _of_the_machine(vm, name, found)
        if name == "seed" and not change.seen.started:
            reason = ""  # nobody has read it yet
        if not reason and protected and disk:
            said = f"{vm.guest_name} is protected, and Proxmox changes none of its disks then"
            reason = f"{said}: declare `protection: false` for that long"
        if reason:
            yield name, Refusal(name, reason)


def _of_the_machine(vm: Settings, name: str, found: Difference) -> str:
    rebuild = f"`phoenix recreate {vm.guest_name}` builds another"
    if name == "seed" and found.actual is not None:
        said = "cloud-init did its work at the first start, with other user-data, and does it once"
        by_hand = "or change inside what differs, by hand or by kinds of its own file"
        return f"{said}: {rebuild}, {by_hand}"
    if name == "bios":
        return f"a system installed for {found.actual} does not start with {found.desired}: {rebuild}"
    return str(found.actual) if name.startswith("in_the_way.") else ""


def _of_a_disk(vm: Settings, name: str, found: Difference) -> str:
    if name.endswith(".size") and _bytes(found.desired) < _bytes(found.actual):
        return f"the disk has {found.actual}, and no disk is made smaller ({found.desired})"
    if name == "cloud_init.storage" and found.actual is not None:
        return f"its cloud-init drive lies on {found.actual}: `qm set {vm.vmid} --delete ide2` first"
    if name.endswith(".storage") and found.actual is not None:
        todo = f"`qm disk move {vm.vmid} {name.split('.')[1]} {found.desired}` moves it"
        return f"it lies on the storage {found.actual}, not on {found.desired}: {todo}"
    if name in ("efi", "tpm") and found.actual:
        return (
            f"what is in it ({found.actual}) would be lost: `phoenix recreate {vm.guest_name}` builds another"
        )
    return ""


def _bytes(size: object) -> int:
    try:
        return sizes.parse(size)
    except ValueError:
        return 0


def refused_to_make(vm: Settings, change: Change) -> Iterator[Refusal]:
    """Yield what keeps a machine from being made: what the node does not have and nobody brings."""
    for name, found in change.attributes.items():
        if name.startswith("in_the_way."):
            yield Refusal(name, f"{found.actual}, and without it {vm.guest_name} cannot be started")
