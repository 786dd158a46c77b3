"""Going down for a reboot: what runs ends at once, and the node refuses connections until it boots.

Processes of a node live in sandboxes, one for each connection. Each has one that watches the file `boots` and
ends all the others there when a line comes (lab/door.py); the last one is ours.
"""

import json
import os
import time

import model

BOOTS = os.path.join(model.FOLDER, "boots")
DOWN = os.path.join(model.FOLDER, "down")
RUNTIME = ("running", "pid", "started", "plan", "deaf")
"""What is known of a guest only while the node is up."""


def go() -> int:
    """End everything; returns only where nothing can be ended: outside a sandbox."""
    if not os.path.exists(BOOTS):
        model.not_simulated("reboot", ["of a guest, from inside"])
    with model.change() as state:
        for row in model.section(state, "guests").values():
            for key in RUNTIME:
                row.pop(key, None)
    timers = os.path.join(model.FOLDER, "timers.json")
    if os.path.exists(timers):
        os.unlink(timers)
    with open(DOWN + ".new", "w", encoding="ascii") as file:
        json.dump({"since": time.time()}, file)
    os.replace(DOWN + ".new", DOWN)
    with open(BOOTS, "a", encoding="ascii") as file:
        file.write(f"{time.time():.3f}\n")
    if not model.ROOT:
        os.kill(-1, 9)
        os.kill(os.getpid(), 9)
    return 0
