"""logrotate: `-d`, which reads its configuration and says what it thinks of it. Nothing is rotated here."""

import glob
import os
import shlex
import sys

import model

SWITCHES = frozenset((
    "hourly", "daily", "weekly", "monthly", "yearly", "compress", "nocompress", "delaycompress",
    "nodelaycompress", "missingok", "nomissingok", "notifempty", "ifempty", "copytruncate", "nocopytruncate",
    "sharedscripts", "nosharedscripts", "dateext", "nodateext", "create", "nocreate", "nomail",
))  # fmt: skip
VALUED = frozenset(("rotate", "size", "maxsize", "minsize", "maxage", "create", "su", "olddir", "dateformat"))
SCRIPTS = frozenset(("postrotate", "prerotate", "firstaction", "lastaction", "preremove"))
WARNING = (
    "warning: logrotate in debug mode does nothing except printing debug messages!  "
    "Consider using verbose mode (-v) instead if this is not what you want.\n"
)


class Reading:
    """What was read so far: who names which log, and whether anything was wrong."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}
        self.failed = False

    def error(self, text: str) -> None:
        print(f"error: {text}", file=sys.stderr)
        self.failed = True


def main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[0] not in ("-d", "--debug"):
        model.not_simulated("logrotate", argv)
    print(WARNING, file=sys.stderr)
    reading = Reading()
    if os.path.exists(model.path(argv[1])):
        _read(argv[1], argv[1], reading)
    else:
        reading.error(f"cannot stat {argv[1]}: No such file or directory")
    print(f"\nHandling {len(set(reading.logs.values()))} logs", file=sys.stderr)
    return 1 if reading.failed else 0


def _read(path: str, shown: str, reading: Reading) -> None:
    print(f"reading config file {shown}", file=sys.stderr)
    with open(model.path(path), encoding="utf-8") as file:
        lines = [line.strip() for line in file.read().splitlines()]
    logs: list[str] = []
    inside = in_script = False
    for number, line in enumerate(lines, 1):
        word, _, rest = line.partition(" ")
        if in_script:
            in_script = line != "endscript"
        elif not line or line.startswith("#"):
            continue
        elif line.startswith("/"):
            logs, inside = shlex.split(line.rstrip("{ ")), line.endswith("{")
        elif line in ("{", "}"):
            inside = line == "{"
            if not inside and not _named(logs, shown, number, reading):
                return
        elif word == "include" and not inside:
            _include(rest, reading)
        else:
            in_script = word in SCRIPTS
            if not _directive(word, rest, f"{shown}:{number}", reading):
                reading.error(f"found error in {' '.join(logs)} , skipping")
                return
    if in_script:
        reading.error(f"{shown}:prerotate, postrotate or preremove without endscript")


def _include(folder: str, reading: Reading) -> None:
    print(f"including {folder}", file=sys.stderr)
    for name in sorted(os.listdir(model.path(folder))):
        if not name.endswith(("~", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".disabled", ".bak")):
            _read(f"{folder}/{name}", name, reading)


def _directive(word: str, rest: str, place: str, reading: Reading) -> bool:
    """Whether a directive lets the section count; an unknown one is only left out."""
    if word == "rotate" and not rest.lstrip("-").isdigit():
        reading.error(f"{place} bad rotation count '{rest}'")
        return False
    if word in ("size", "maxsize", "minsize") and not rest.rstrip("kMG").isdigit():
        reading.error(f"{place} unknown unit '{rest[-1:]}'")
        return False
    if (
        word == "create"
        and rest
        and (len(rest.split()) != 3 or set(rest.partition(" ")[0]) - set("01234567"))
    ):
        reading.error(f"{place} extra arguments for create")
        return False
    if word not in SWITCHES | VALUED | SCRIPTS:
        # said, and no reason for another exit status
        print(f"error: {place} unknown option '{word}' -- ignoring line", file=sys.stderr)
    return True


def _named(logs: list[str], shown: str, end: int, reading: Reading) -> bool:
    """Note whose logs these are; the second that names one loses its whole file."""
    for log in logs:
        for name in [path.removeprefix(model.ROOT) for path in glob.glob(model.path(log))]:
            if name in reading.logs:
                reading.error(f"{shown}:{end} duplicate log entry for {name}")
                reading.error(f"found error in file {shown}, skipping")
                return False
            reading.logs[name] = shown
    return True
