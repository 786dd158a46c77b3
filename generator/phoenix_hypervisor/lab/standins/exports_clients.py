"""Who may mount what: clients of exports compared with an address, and the lab's own mounts."""

import model
from exports_table import ANYONE, FQDN, SUBNET, Export, Log, address_of, exported

MOUNTS = "nfs_mounts"
"""Section of the model: mount point → {"source", "kept": where the covered directory waits}."""


def admits(export: Export, address: str) -> bool:
    """Say whether a client at this address is meant."""
    if export.kind == ANYONE:
        return True
    if export.kind == FQDN:
        return address_of(export.client) == address
    if export.kind == SUBNET:
        import ipaddress

        return ipaddress.ip_address(address) in ipaddress.ip_network(export.client, strict=False)
    # Domains and netgroups cannot match an address that the lab has no name for.
    return False


def visible(address: str) -> list[Export]:
    return [export for export in exported(Log()) if admits(export, address)]


def offers(exports: list[Export], path: str) -> Export | None:
    """Return the closest export that is this path or lies above it."""
    matching = [export for export in exports if _within(path, export.path)]
    return max(matching, key=lambda export: len(export.path), default=None)


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def mounts(state: model.Model) -> dict[str, dict[str, str]]:
    return model.section(state, MOUNTS)
