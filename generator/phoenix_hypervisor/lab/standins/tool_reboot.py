"""reboot: the node goes down at once, and comes up again when somebody connects later."""

import going_down
import model

PLAIN = frozenset(("-f", "--force", "--no-wall", "-d", "-w", "--reboot"))


def main(argv: list[str]) -> int:
    if not set(argv) <= PLAIN or "-w" in argv:
        model.not_simulated("reboot", argv)
    return going_down.go()
