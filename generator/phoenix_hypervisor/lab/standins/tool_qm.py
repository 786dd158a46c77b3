"""qm: virtual machines. Each verb is in a module of its own, so that a call pays for nothing else."""

import importlib
import sys

import model
from guest_conf import Refused
from storage_rules import Refused as StorageRefused

MODULES = {
    "list": "show", "status": "show", "config": "show", "pending": "show", "unlock": "show",
    "create": "create", "set": "set", "clone": "clone", "template": "clone", "destroy": "destroy",
    "start": "power", "stop": "power", "shutdown": "power", "reboot": "power", "reset": "power",
    "snapshot": "snapshots", "listsnapshot": "snapshots", "rollback": "snapshots", "delsnapshot": "snapshots",
    **{f"disk {verb}": "disks" for verb in ("resize", "move", "unlink", "import", "rescan")},
    **{f"cloudinit {verb}": "cloudinit" for verb in ("dump", "pending", "update")},
    **{f"guest {verb}": "guest" for verb in ("cmd", "exec", "exec-status", "passwd")},
}  # fmt: skip
"""Verb → module `qm_…` with a `run(call) -> int`; other verbs that qm has are not simulated."""


def main(argv: list[str]) -> int:
    import guest_options
    import qm_options

    try:
        call = guest_options.parse(argv, qm_options.QM)
        if call.verb not in MODULES:
            model.not_simulated("qm", argv)
        status: int = importlib.import_module("qm_" + MODULES[call.verb]).run(call)
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
