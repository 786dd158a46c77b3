"""findmnt: what is mounted on a folder by `mount -t nfs`, or by an active mount unit of systemd's."""

import model
import units
from exports_clients import mounts


def main(argv: list[str]) -> int:
    if argv[:4] != ["-rn", "-o", "SOURCE", "--mountpoint"] or len(argv) != 5:
        return model.not_simulated("findmnt", argv)
    place = argv[4].rstrip("/") or "/"
    state = model.read()
    found = [row["source"] for point, row in mounts(state).items() if point == place]
    for name, unit in model.section(state, "units").items():
        mounted = name.endswith(".mount") and unit.get("active") == "active"
        if mounted and units.setting(unit, "Mount", "Where") == place:
            found.append(units.setting(unit, "Mount", "What"))
    for source in found:
        print(source)
    return 0 if found else 1
