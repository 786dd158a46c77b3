"""timedatectl: the time zone, and what the daemon that keeps the clock knows."""

import os
import sys

import model
import units

ZONES = "/usr/share/zoneinfo"
TIMESYNCD = "/etc/systemd/timesyncd.conf.d"


def main(argv: list[str]) -> int:
    if len(argv) == 2 and argv[0] == "set-timezone":
        return _set_zone(argv[1])
    if argv == ["show", "-p", "NTPSynchronized", "--value"]:
        print(
            "yes"
            if any(units.active(model.read(), name) for name in ("chrony", "systemd-timesyncd"))
            else "no"
        )
        return 0
    if argv == ["show-timesync", "-p", "SystemNTPServers", "--value"]:
        if not units.active(model.read(), "systemd-timesyncd"):
            why = "Could not activate remote peer: activation request failed: unknown unit"
            print(f"Failed to query server: {why}", file=sys.stderr)
            return 1
        print(" ".join(model.section(model.read(), "timesyncd").get("servers", [])))
        return 0
    return model.not_simulated("timedatectl", argv)


def _set_zone(zone: str) -> int:
    if not zone or zone.startswith("/") or ".." in zone or not os.path.isfile(f"{ZONES}/{zone}"):
        print(f"Failed to set time zone: Invalid or not installed time zone '{zone}'", file=sys.stderr)
        return 1
    place = model.path("/etc/localtime")
    os.symlink(f"{ZONES}/{zone}", place + ".new")
    os.replace(place + ".new", place)
    copy = model.path("/etc/timezone")
    if os.path.exists(copy):
        with open(copy, "w", encoding="utf-8") as file:
            file.write(zone + "\n")
    return 0


def servers() -> list[str]:
    """What timesyncd reads when it starts: an empty line forgets what came before."""
    found: list[str] = []
    folder = model.path(TIMESYNCD)
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file.read().splitlines():
                key, _, value = line.partition("=")
                if key == "NTP":
                    found = [*found, *value.split()] if value.strip() else []
    return found
