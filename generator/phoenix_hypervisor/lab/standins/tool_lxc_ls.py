"""lxc-ls: the containers that were started once, or those that run."""

import os

import guest_cluster
import guest_runtime
import model

FOLDER = "/var/lib/lxc"


def main(argv: list[str]) -> int:
    if guest_runtime.real():
        os.execv("/usr/bin/lxc-ls", ["lxc-ls", *argv])  # noqa: S606 - this process becomes the real tool
    guest_cluster.refresh(model.path("/"))
    words = set(argv)
    if words - {"--running", "--stopped", "--active", "-1", "--line"}:
        model.not_simulated("lxc-ls", argv)
    running = guest_runtime.running()
    folder = model.path(FOLDER)
    known = os.listdir(folder) if os.path.isdir(folder) else []
    names = {name for name in known if os.path.exists(f"{folder}/{name}/config")}
    if words & {"--running", "--active"}:
        names = set(running)
    elif "--stopped" in words:
        names -= set(running)
    if names:
        print(("\n" if words & {"-1", "--line"} else " ").join(sorted(names)))
    return 0
