"""The lab node boots again: every `boot_<topic>.py` of this folder has its turn.

Called when somebody connects after the node went down (lab/door.py), and before anybody is let in.
"""

import fcntl
import importlib
import os

import model

FIRST = ("kernel", "vfio", "nvidia", "network")
LAST = ("services",)
DOWN = os.path.join(model.FOLDER, "down")


def topics() -> list[str]:
    """Return the topics in order; those nobody named come before the services."""
    folder = os.path.dirname(os.path.abspath(__file__))
    names = sorted(
        name[len("boot_") : -len(".py")]
        for name in os.listdir(folder)
        if name.startswith("boot_") and name.endswith(".py")
    )
    others = [name for name in names if name not in FIRST + LAST]
    return [name for name in (*FIRST, *others, *LAST) if name in names]


def boot() -> None:
    """Boot a node that is down; one that is up stays as it is. Cut in the middle, it can be done again."""
    with open(DOWN + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(DOWN):
            return
        for topic in topics():
            importlib.import_module(f"boot_{topic}").boot()
        os.unlink(DOWN)
