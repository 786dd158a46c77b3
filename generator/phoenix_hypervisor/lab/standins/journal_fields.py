"""Entries of journals with all their fields: a host's own, and those that a receiver keeps."""

import json
import os
import sys
import time
from typing import Any

import model
import runtime

MOVING = ("systemd-journal-upload.service", "systemd-journal-remote.service")
FOLDER = os.path.dirname(os.path.abspath(__file__))
# beside the stand-ins, as the node sees it (lab/sandbox.py) and as they lie in the package
STEM = FOLDER.removesuffix("standins")
sys.path.append(f"{STEM}programs" if STEM != FOLDER else f"{FOLDER}-programs")

import journal_files  # noqa: E402


def let_them_flow() -> None:
    """Let the programs run that send and receive, where this host has one of them: somebody looks."""
    units = model.section(model.read(), "units")
    if any(units.get(name, {}).get("active") in ("active", "activating") for name in MOVING):
        try:
            runtime.look()
        except runtime.RuntimeDownError as error:
            print(error, file=sys.stderr)


def own() -> list[dict[str, Any]]:
    """Return what was said on this host."""
    host = str(model.read().get("hostname", "localhost"))
    return [entry.fields(host) for entry in journal_files.own(os.path.join(model.FOLDER, "journal"))]


def received(folder: str) -> list[dict[str, Any]]:
    """Return what others sent, oldest first. Raises OSError."""
    found = []
    for name in sorted(os.listdir(model.path(folder))):
        if name.endswith(".journal"):
            with open(os.path.join(model.path(folder), name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
    return sorted(found, key=lambda one: int(one.get("__REALTIME_TIMESTAMP", 0)))


def line(entry: dict[str, Any], form: str) -> str:
    """Return an entry as journalctl prints it."""
    if form == "json":
        return json.dumps(entry, separators=(",", ":"))
    if form == "cat":
        return str(entry.get("MESSAGE", ""))
    when = int(entry.get("__REALTIME_TIMESTAMP", 0)) / 1e6
    stamp = time.strftime("%b %d %H:%M:%S", time.localtime(when))
    pid = f"[{entry['_PID']}]" if entry.get("_PID") else ""
    who = f"{entry.get('SYSLOG_IDENTIFIER', 'unknown')}{pid}"
    return f"{stamp} {entry.get('_HOSTNAME', 'localhost')} {who}: {entry.get('MESSAGE', '')}"
