"""systemd-run: a command at a later time (`--on-active`), as a timer of its own."""

import re
import sys
import time

import lab_timers
import model

SECONDS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "ms": 0.001}
FLAGS = ("--quiet", "-q", "--collect", "-G")


def main(argv: list[str]) -> int:
    rest, unit, quiet = list(argv), "", False
    seconds: float | None = None
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if word == "--":
            break
        if word in FLAGS:
            quiet = quiet or word in ("--quiet", "-q")
        elif name in ("--unit", "--on-active", "--timer-property", "--description", "--property"):
            value = value or (rest.pop(0) if rest else "")
            unit = value.removesuffix(".timer").removesuffix(".service") if name == "--unit" else unit
            seconds = _seconds(value) if name == "--on-active" else seconds
        else:
            model.not_simulated("systemd-run", argv)
    if seconds is None or not rest:
        model.not_simulated("systemd-run", argv)
    unit = unit or f"run-r{int(time.time() * 1e6):032x}"
    if not lab_timers.add(f"{unit}.timer", time.time() + seconds, rest):
        said = f"Unit {unit}.timer was already loaded or has a fragment file."
        print(f"Failed to start transient timer unit: {said}", file=sys.stderr)
        return 1
    if not quiet:
        print(
            f"Running timer as unit: {unit}.timer\nWill run service as unit: {unit}.service", file=sys.stderr
        )
    return 0


def _seconds(text: str) -> float | None:
    found = re.fullmatch(r"([0-9.]+)\s*([a-z]*)", text)
    return float(found[1]) * SECONDS[found[2]] if found and found[2] in SECONDS else None
