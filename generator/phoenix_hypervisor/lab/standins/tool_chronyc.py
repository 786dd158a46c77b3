"""chronyc: the sources chronyd knows. In the lab each one answers."""

import os

import model
import units

FOLDER = "/etc/chrony/sources.d"
MAIN = "/etc/chrony/chrony.conf"


def main(argv: list[str]) -> int:
    if not units.active(model.read(), "chrony"):
        print("506 Cannot talk to daemon")
        return 1
    words = [word for word in argv if word not in ("-c", "-N", "-n")]
    if words == ["reload", "sources"]:
        with model.change() as state:
            state["chrony"] = read()
        print("200 OK")
        return 0
    if words == ["sources", "-a"] and "-c" in argv and "-N" in argv:
        known = model.read().get("chrony")
        for number, name in enumerate(read() if known is None else known):
            print(f"^,{'*' if number == 0 else '+'},{name},2,6,377,21,0.000012,0.000012,0.012000")
        return 0
    if words[:1] == ["waitsync"] and all(word.replace(".", "").isdigit() for word in words[1:]):
        print("try: 1, refid: C0000201, correction: 0.000004, skew: 0.010")
        return 0
    return model.not_simulated("chronyc", argv)


def read() -> list[str]:
    """Return the names of the servers and pools in chrony's files."""
    folder = model.path(FOLDER)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    places = [model.path(MAIN), *(os.path.join(folder, name) for name in names if name.endswith(".sources"))]
    found = []
    for place in filter(os.path.exists, places):
        with open(place, encoding="utf-8") as file:
            lines = [line.split() for line in file.read().splitlines()]
        found += [words[1] for words in lines if words[1:] and words[0] in ("server", "pool", "peer")]
    return found
