"""pct: containers. Each verb is in a module of its own, so that a call pays for nothing else."""

import importlib
import sys

import model
from guest_conf import Refused
from storage_rules import Refused as StorageRefused

MODULES = {
    "list": "show", "status": "show", "config": "show", "pending": "show", "create": "create", "set": "set",
    "resize": "resize", "destroy": "destroy", "unlock": "unlock", "rescan": "rescan",
    "start": "power", "stop": "power", "shutdown": "power", "reboot": "power",
    "exec": "exec", "enter": "exec", "push": "files", "pull": "files", "mount": "mount", "unmount": "mount",
    "snapshot": "snapshots", "listsnapshot": "snapshots", "rollback": "snapshots", "delsnapshot": "snapshots",
    "clone": "clone", "template": "template", "restore": "restore",
    "move-volume": "move", "move_volume": "move",
}  # fmt: skip
"""Verb → module `pct_…` with a `run(call) -> int`; other verbs that pct has are not simulated."""


def main(argv: list[str]) -> int:
    import guest_options

    try:
        call = guest_options.parse(argv)
        if call.verb not in MODULES:
            model.not_simulated("pct", argv)
        status: int = importlib.import_module("pct_" + MODULES[call.verb]).run(call)
    except Refused as refused:
        return say(str(refused), refused.status)
    except StorageRefused as refused:
        return say(str(refused), 255)
    return status


def say(text: str, status: int) -> int:
    # What a task printed comes first, as in the real tool's log.
    sys.stdout.flush()
    print(text.removesuffix("\n"), file=sys.stderr)
    return status
