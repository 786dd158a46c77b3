"""locale-gen: generates what /etc/locale.gen names."""

import os
import sys

import locales
import model


def main(argv: list[str]) -> int:
    if not locales.installed():
        print("sh: 1: locale-gen: not found", file=sys.stderr)
        return 127
    if argv:
        model.not_simulated("locale-gen", argv)
    place = model.path("/etc/locale.gen")
    lines: list[str] = []
    if os.path.exists(place):
        with open(place, encoding="utf-8") as file:
            lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    print("Generating locales (this might take a while)...")
    with model.change() as state:
        found = []
        for line in lines:
            name, _, charset = line.partition(" ")
            language = name.partition(".")[0]
            if charset != "UTF-8" or language not in locales.KNOWN:
                model.not_simulated("locale-gen", [line])
            print(f"  {name}... done")
            found.append(f"{language}.utf8")
        state["locales"] = sorted({*found})
    print("Generation complete.")
    return 0
