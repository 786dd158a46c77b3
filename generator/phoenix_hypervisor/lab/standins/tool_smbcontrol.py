"""smbcontrol: messages to the Samba daemons."""

import sys

import model
import samba_daemon
import units


def main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[1] not in ("reload-config", "ping") or argv[0] not in ("smbd", "nmbd", "all"):
        model.not_simulated("smbcontrol", argv)
    target, message = argv
    state = model.read()
    daemons = [name for name in ("smbd", "nmbd") if target in (name, "all") and units.active(state, name)]
    if not daemons and target != "all":
        print(f"Can't find pid for destination '{target}'", file=sys.stderr)
        return 1
    if message == "reload-config" and "smbd" in daemons:
        samba_daemon.load()
    if message == "ping":
        for number, _ in enumerate(daemons):
            print(f"PONG from pid {1001 + number}")
    return 0
