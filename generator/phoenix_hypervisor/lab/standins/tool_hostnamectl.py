"""hostnamectl: the static name, a line in /etc/hostname."""

import re
import sys

import model


def main(argv: list[str]) -> int:
    if argv == ["--static"]:
        with open(model.path("/etc/hostname"), encoding="utf-8") as file:
            print(file.read().strip())
        return 0
    if len(argv) != 2 or argv[0] not in ("set-hostname", "hostname"):
        model.not_simulated("hostnamectl", argv)
    name = argv[1]
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?", name):
        print(f"Could not set static hostname: Invalid hostname '{name}'", file=sys.stderr)
        return 1
    with open(model.path("/etc/hostname"), "w", encoding="utf-8") as file:
        file.write(name + "\n")
    with model.change() as state:
        state["hostname"] = name
    return 0
