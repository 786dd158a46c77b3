"""The stand-in for `zfs`: file systems are folders, their properties are in the model."""

import importlib
import sys

import model
from zfs_options import RefusedError, finish_what_was_begun

# subcommand → module and function; only the one needed is imported
_VERBS = {
    "list": ("zfs_show", "listed"),
    "get": ("zfs_show", "got"),
    "create": ("zfs_change", "create"),
    "set": ("zfs_change", "assign"),
    "inherit": ("zfs_change", "inherit"),
    "mount": ("zfs_mount_verbs", "mount"),
    "unmount": ("zfs_mount_verbs", "unmount"),
    "umount": ("zfs_mount_verbs", "unmount"),
    "rename": ("zfs_mount_verbs", "rename"),
    "destroy": ("zfs_destroy", "destroy"),
    "snapshot": ("zfs_snapshots", "snapshot"),
    "snap": ("zfs_snapshots", "snapshot"),
    "rollback": ("zfs_snapshots", "rollback"),
    "clone": ("zfs_snapshots", "clone"),
    "promote": ("zfs_snapshots", "promote"),
    "hold": ("zfs_snapshots", "hold"),
    "release": ("zfs_snapshots", "release"),
}


def main(argv: list[str]) -> int:
    try:
        return run(argv)
    except RefusedError as error:
        print(error.text, file=sys.stderr)
        return error.status


def run(argv: list[str]) -> int:
    """Do what a command line says; what is refused is an exception."""
    if not argv or argv[0] not in _VERBS:
        model.not_simulated("zfs", argv)
    if argv[0] not in ("list", "get"):
        finish_what_was_begun()
    module, function = _VERBS[argv[0]]
    status: int = getattr(importlib.import_module(module), function)(argv[1:])
    return status
