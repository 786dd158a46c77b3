"""Journals in the lab: what units and `logger` said on a host, and what a receiver keeps of others'.

A host's own are files of lines, as standins/guest_journal.py writes them; what was received is a line of JSON
for each entry, with the real ones' fields. A place in a journal is told by a cursor like the real ones.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

OWN = "/var/lib/phoenix-lab/journal"
MODEL = "/var/lib/phoenix-lab/model.json"
SYSTEMD = "systemd[1]"
CURSOR = re.compile(r"s=[0-9a-f]*;i=([0-9a-f]+);")


class Entry(NamedTuple):
    """One entry; `when` is in nanoseconds, and its place in the journal as well."""

    when: int
    who: str
    unit: str
    text: str

    @property
    def cursor(self) -> str:
        return f"s=0;i={self.when:x};b=0;m=0;t={self.when // 1000:x};x=0"

    def fields(self, host: str) -> dict[str, str]:
        """Return it with the names of its fields, as `journalctl -o json` has them."""
        name, _, pid = self.who.partition("[")
        return {
            "__CURSOR": self.cursor,
            "__REALTIME_TIMESTAMP": str(self.when // 1000),
            "_HOSTNAME": host,
            "SYSLOG_IDENTIFIER": name,
            "_PID": pid.rstrip("]"),
            "_SYSTEMD_UNIT": self.unit,
            "MESSAGE": self.text,
        }


def own(folder: str = OWN) -> list[Entry]:
    """Return all that was said on this host, oldest first."""
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            found += [_entry(name.removesuffix(".log"), line.rstrip("\n")) for line in file]
    return sorted(found)


def _entry(unit: str, line: str) -> Entry:
    written, _, text = line.partition(" ")
    seconds, _, rest = written.partition(".")
    when = int(seconds) * 10**9 + int(rest or 0)
    if not text.startswith("\x1f"):
        return Entry(when, SYSTEMD, unit, text)
    who, _, said = text[1:].partition("\x1f")
    return Entry(when, who, unit, said)


def place_of(cursor: str) -> int:
    """Return where a cursor points to; 0 for none."""
    found = CURSOR.match(cursor)
    return int(found[1], 16) if found else 0


@contextlib.contextmanager
def alone(folder: str) -> Iterator[None]:
    """Be the only one at a folder's files: each connection to the lab has programs of its own for them."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def host() -> str:
    """Return what this host is called."""
    try:
        with open(MODEL, encoding="utf-8") as file:
            return str(json.load(file).get("hostname", "localhost"))
    except FileNotFoundError:
        return "localhost"


def exported(entries: list[dict[str, str]]) -> bytes:
    """Return entries in the journal's export format."""
    return b"".join(
        "".join(f"{key}={value}\n" for key, value in entry.items()).encode() + b"\n" for entry in entries
    )


def imported(body: bytes) -> list[dict[str, str]]:
    """Return the entries of the export format. Raises ValueError for what is none."""
    found = []
    for block in body.decode().split("\n\n"):
        lines = [line.partition("=") for line in block.split("\n") if line]
        if any(not equals or not key for key, equals, _ in lines):
            raise ValueError("not the export format (fields with newlines are not simulated)")
        entry = {key: value for key, _, value in lines}
        if entry:
            found.append(entry)
    return found
