"""journalctl: what was said about containers on a node, and in guests about units that really run."""

import os
import time

import guest_journal
import guest_runtime
import model
import runtime

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


def main(argv: list[str]) -> int:
    unit, count, form, rest = "", 0, "short", list(argv)
    after, tell_cursor = 0, False
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in PLAIN:
            continue
        if word == "--show-cursor":
            tell_cursor = True
            continue
        if name == "--after-cursor" and value.startswith("s="):
            after = int(value.removeprefix("s="))
            continue
        if name in ("-xeu", "-eu", "-u", "--unit", "-n", "--lines", "-o", "--output") and (equals or rest):
            value = value if equals else rest.pop(0)
            if name in ("-n", "--lines"):
                count = int(value)
            elif name in ("-o", "--output"):
                form = value
            else:
                unit = value
        else:
            model.not_simulated("journalctl", argv)
    inside = runtime.in_guest()
    if not unit.startswith("pve-container@") and not inside and guest_runtime.real():
        os.execv("/usr/bin/journalctl", ["journalctl", *argv])  # noqa: S606 - this process becomes the real tool
    if form not in ("short", "cat") or not (unit or inside):
        model.not_simulated("journalctl", argv)
    if unit:
        rows = guest_journal.rows(unit if unit.endswith(".service") else unit + ".service")
    else:
        rows = guest_journal.all_rows()
    if not rows[after:] and not {"-q", "--quiet"} & set(argv):
        print("-- No entries --")
    host = model.read().get("hostname", "localhost")
    shown = rows[after:]
    for when, who, text in shown[-count:] if count else shown:
        stamp = time.strftime("%b %d %H:%M:%S", time.localtime(when))
        print(text if form == "cat" else f"{stamp} {host} {who}: {text}")
    if tell_cursor and shown:
        print(f"-- cursor: s={len(rows)}")
    return 0
