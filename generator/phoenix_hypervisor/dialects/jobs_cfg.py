"""/etc/pve/jobs.cfg: sections `vzdump: id` with indented `key value` lines; other types of jobs beside them.

Proxmox writes the comment with `:`, control characters and all but plain ASCII as %XX, and keys in no order
one could rely on. A switch that is not there is off, but for `enabled` (pve-manager, PVE::Jobs).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

FILE = "/etc/pve/jobs.cfg"
QUESTION = f"test -d /etc/pve && {{ test ! -e {FILE} || cat {FILE}; }}"
"""Prints the file, if there has ever been one; that Proxmox is there at all, /etc/pve shows."""
SETS = frozenset({"vmid", "exclude", "mailto", "prune-backups"})
SWITCHES = frozenset({"all", "enabled", "repeat-missed"})
_HEADER = re.compile(r"(\S+):\s*(\S+)\s*")
_OPTION = re.compile(r"\s+(\S+)(?:\s+(.*\S))?\s*")


class Job(NamedTuple):
    """One job: its type, and its options in canonical spelling."""

    type: str
    options: Mapping[str, str]


@cache
def parse(text: str) -> Mapping[str, Job]:
    """Read the file's text into id → Job. Of an option with several lines, each is a line of the value."""
    found: dict[str, Job] = {}
    options: dict[str, str] = {}
    for line in text.splitlines():
        header, option = _HEADER.fullmatch(line), _OPTION.fullmatch(line)
        if not line.strip() or line.startswith("#"):
            continue
        if header and not line[0].isspace():
            options = {}
            found[header[2]] = Job(header[1], options)
        elif option:
            key, value = option[1], canonical(option[1], option[2] or "")
            options[key] = f"{options[key]}\n{value}" if key in options else value
    return {name: Job(job.type, _without_off(job.options)) for name, job in found.items()}


def _without_off(options: Mapping[str, str]) -> dict[str, str]:
    """Switches that are off are not there; one that is on by itself always is."""
    kept = {key: value for key, value in options.items() if key not in SWITCHES or value == "1"}
    kept["enabled"] = options.get("enabled", "1")
    return kept


def backups(text: str) -> Mapping[str, Mapping[str, str]]:
    """Return the options of the jobs that back up, by id."""
    return {name: job.options for name, job in parse(text).items() if job.type == "vzdump"}


def canonical(key: str, value: str) -> str:
    """Return an option's value in one spelling: sets sorted, switches as 0 or 1, a comment decoded."""
    if key in SETS:
        return ",".join(sorted({part for part in re.split(r"[,;\s]+", value) if part}))
    if key in SWITCHES:
        return "1" if value.lower() in ("1", "yes", "true", "on", "") else "0"
    if key == "comment":
        return unquote_to_bytes(value.encode(errors="surrogateescape")).decode(errors="replace")
    return value
