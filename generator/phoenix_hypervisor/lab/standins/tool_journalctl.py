"""journalctl: what was said about a node's containers, a guest's units, and on hosts that send here."""

import os
import sys
import time

import guest_journal
import guest_runtime
import model
import runtime
from hints import Any

PLAIN = (
    "--no-pager",
    "-b",
    "--boot",
    "-e",
    "--pager-end",
    "-x",
    "--catalog",
    "-q",
    "--quiet",
    "-a",
    "--all",
    "-l",
)
VALUED = {
    "-u": "unit", "--unit": "unit", "-eu": "unit", "-xeu": "unit", "-n": "lines", "--lines": "lines",
    "-o": "form", "--output": "form", "-t": "identifier", "--identifier": "identifier",
    "-D": "directory", "--directory": "directory", "--after-cursor": "after",
}  # fmt: skip


def main(argv: list[str]) -> int:
    told, matches = _told(argv)
    unit, form = told.get("unit", ""), told.get("form", "short")
    inside = runtime.in_guest()
    if not unit.startswith("pve-container@") and not inside and guest_runtime.real():
        os.execv("/usr/bin/journalctl", ["journalctl", *argv])  # noqa: S606 - this process becomes the real tool
    fields = "directory" in told or "identifier" in told
    if form not in ("short", "cat", "json") or not (unit or inside or fields):
        model.not_simulated("journalctl", argv)
    if fields or form == "json" or matches:
        if unit or "after" in told or "cursor" in told:
            model.not_simulated("journalctl", argv)
        return _by_fields(told, matches, quiet="quiet" in told)
    return _by_unit(unit, form, told)


def _told(argv: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is asked for, and which fields must be what."""
    told: dict[str, str] = {}
    matches: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in PLAIN:
            told |= {"quiet": "yes"} if word in ("-q", "--quiet") else {}
        elif word == "--show-cursor":
            told["cursor"] = "yes"
        elif name in VALUED and (equals or rest):
            told[VALUED[name]] = value if equals else rest.pop(0)
        elif equals and name.isupper():
            matches[name] = value
        else:
            model.not_simulated("journalctl", argv)
    if not told.get("after", "s=").startswith("s="):
        model.not_simulated("journalctl", argv)
    return told, matches


def _by_unit(unit: str, form: str, told: dict[str, str]) -> int:
    if unit:
        rows = guest_journal.rows(unit if unit.endswith(".service") else unit + ".service")
    else:
        rows = guest_journal.all_rows()
    after, count = int(told.get("after", "s=0").removeprefix("s=")), int(told.get("lines", "0"))
    if not rows[after:] and "quiet" not in told:
        print("-- No entries --")
    host = model.read().get("hostname", "localhost")
    shown = rows[after:]
    for when, who, text in shown[-count:] if count else shown:
        stamp = time.strftime("%b %d %H:%M:%S", time.localtime(when))
        print(text if form == "cat" else f"{stamp} {host} {who}: {text}")
    if "cursor" in told and shown:
        print(f"-- cursor: s={len(rows)}")
    return 0


def _by_fields(told: dict[str, str], matches: dict[str, str], *, quiet: bool) -> int:
    """Show entries with all their fields: this host's own, or those that were received from others."""
    import journal_fields

    journal_fields.let_them_flow()
    try:
        found: list[dict[str, Any]] = (
            journal_fields.received(told["directory"]) if "directory" in told else journal_fields.own()
        )
    except OSError as error:
        print(f"Failed to open {told['directory']}: {error.strerror}", file=sys.stderr)
        return 1
    if "identifier" in told:
        matches = {**matches, "SYSLOG_IDENTIFIER": told["identifier"]}
    shown = [one for one in found if all(one.get(key) == value for key, value in matches.items())]
    count, form = int(told.get("lines", "0")), told.get("form", "short")
    if not shown and not quiet:
        print("-- No entries --")
    for one in shown[-count:] if count else shown:
        print(journal_fields.line(one, form))
    return 0
