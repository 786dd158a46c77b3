"""The stand-in for `zpool`: pools are in the model and in labels on the disks."""

import importlib
import sys

import model
from zfs_options import RefusedError, finish_what_was_begun

# subcommand → module and function; only the one needed is imported
_VERBS = {
    "list": ("zpool_show", "listed"),
    "get": ("zpool_show", "got"),
    "status": ("zpool_status", "status"),
    "create": ("zpool_create", "create"),
    "labelclear": ("zpool_create", "labelclear"),
    "set": ("zpool_change", "assign"),
    "offline": ("zpool_change", "offline"),
    "online": ("zpool_change", "online"),
    "scrub": ("zpool_change", "scrub"),
    "trim": ("zpool_change", "trim"),
    "wait": ("zpool_change", "wait"),
    "sync": ("zpool_change", "sync"),
    "history": ("zpool_change", "history"),
    "export": ("zpool_import", "export"),
    "import": ("zpool_import", "bring"),
    "destroy": ("zpool_import", "destroy"),
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in _VERBS:
        model.not_simulated("zpool", argv)
    if argv[0] not in ("list", "get", "status", "history"):
        finish_what_was_begun()
    module, function = _VERBS[argv[0]]
    try:
        status: int = getattr(importlib.import_module(module), function)(argv[1:])
    except RefusedError as error:
        print(error.text, file=sys.stderr)
        return error.status
    return status
