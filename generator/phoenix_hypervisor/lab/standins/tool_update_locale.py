"""update-locale: sets variables of /etc/default/locale, or takes them out."""

import os
import sys

import locales
import model

FILE = "/etc/default/locale"


def main(argv: list[str]) -> int:
    if not locales.installed():
        print("sh: 1: update-locale: not found", file=sys.stderr)
        return 127
    if len(argv) != 1 or argv[0].partition("=")[0] != "LANG":
        model.not_simulated("update-locale", argv)
    value = argv[0].partition("=")[2]
    if value and value.replace("UTF-8", "utf8") not in locales.generated(model.read()):
        print(f"*** update-locale: Error: invalid locale settings:  LANG={value}", file=sys.stderr)
        return 255
    place = model.path(FILE)
    kept = []
    if os.path.exists(place):
        with open(place, encoding="utf-8") as file:
            kept = [line for line in file.read().splitlines() if not line.startswith("LANG=")]
    with open(place + ".new", "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in [*kept, *([f"LANG={value}"] if value else [])]))
    os.replace(place + ".new", place)
    return 0
