"""A run's events as lines of a log: for people, or JSON for what collects logs.

A listener like the record: it knows nothing but the events, so no secret can be in it. A file that cannot
be written is said once, and the run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .events import Event

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("human", "json")
FILE, FORMAT, LEVEL = "PHOENIX_LOG_FILE", "PHOENIX_LOG_FORMAT", "PHOENIX_LOG_LEVEL"
"""The environment's names for the three settings."""
TROUBLE = ("drift", "unhealthy", "unknown")
"""Statuses of resources that somebody should look at."""
SHORT = 60


class Settings(NamedTuple):
    """Where the log goes, how it is written, and from which level on."""

    file: Path
    format: str = "human"
    level: str = "info"

    @property
    def arguments(self) -> tuple[str, ...]:
        """What tells another phoenix the same."""
        return ("--log-file", str(self.file), "--log-format", self.format, "--log-level", self.level)

    @property
    def environment(self) -> dict[str, str]:
        """What tells the same to a pytest that checks a site."""
        return {FILE: str(self.file), FORMAT: self.format, LEVEL: self.level}


def from_environment(environment: Mapping[str, str], warn: Callable[[str], None]) -> Settings | None:
    """Return what the environment says of a log; `warn` hears of words that are none of ours."""
    file = environment.get(FILE)
    if not file:
        return None
    words = {}
    for name, known, default in ((FORMAT, FORMATS, "human"), (LEVEL, LEVELS, "info")):
        words[name] = environment.get(name) or default
        if words[name] not in known:
            warn(f"{name} is `{words[name]}`; it may be {', '.join(known)}; `{default}` is taken")
            words[name] = default
    return Settings(Path(file).absolute(), words[FORMAT], words[LEVEL])


class Entry(NamedTuple):
    """One line of the log; `about` is a resource, a node, or nothing."""

    level: str
    message: str
    about: str = ""


class Log:
    """Listens to a run and writes what it hears from a level on."""

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._least = LEVELS.index(settings.level)
        self._warn = warn
        self._failed = False

    def __call__(self, event: Event) -> None:
        if self._failed:
            return
        write = _json if self._settings.format == "json" else _human
        rows = [write(event, one) for one in entries(event) if LEVELS.index(one.level) >= self._least]
        try:
            self._append("".join(f"{row}\n" for row in rows).encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._failed = True
            self._warn(f"no log is written: {self._settings.file}: {error.strerror}; the run goes on")

    def _append(self, data: bytes) -> None:
        """Write to the end of the file: open no longer than that takes, so it may be rotated any time."""
        if not data:
            return
        # a pipe that nobody reads is an error, not something to wait for
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        number = os.open(self._settings.file, flags, 0o600)
        try:
            while data:
                data = data[os.write(number, data) :]
        finally:
            os.close(number)


def entries(event: Event) -> Iterator[Entry]:
    """Yield what the log says of an event; one it does not know is told by its name, for `debug`."""
    sort = str(event["event"])
    if sort == "plan":
        yield from _plan(event["plan"])
    elif sort in ("step", "ran", "fixed", "stuck", "waits"):
        yield _step(sort, event)
    elif sort in ("run", "revision", "error", "end"):
        yield _run(sort, event)
    elif sort in ("news", "nodes", "look"):
        yield _watch(sort, event)
    elif sort == "phase":
        yield Entry(
            "debug", f"{event['phase']} took {event['seconds']:.2f} s", str(event.get("resource") or "")
        )
    elif sort == "outcome":
        yield Entry("info", f"resources are {_counted(event['resources'])} now")
    elif sort == "check":
        said = f"{event['check']}: {event['outcome']}: {event['reason']}"
        yield Entry("warning", said, str(event["resource"] or ""))
    elif sort == "checks":
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(event["counts"].items()))
        yield Entry("info", f"checks: {counts or 'none'}")
    else:
        yield from _rest(sort, event)


def _rest(sort: str, event: Event) -> Iterator[Entry]:
    if sort == "lock":
        words = f"{event['title']} waits for {event['lock']}: {event['holder']} has it"
        yield Entry("debug", words, str(event["resource"]))
    elif sort != "progress":  # for a screen: a log has no use for where a download is
        yield Entry("debug", sort)


def _run(sort: str, event: Event) -> Entry:
    match sort:
        case "run":
            return Entry("info", f"{event['who']} runs `{' '.join(map(str, event['arguments']))}`")
        case "revision":
            return Entry("debug", f"by the files of {event['revision']}")
        case "error":
            return Entry("error", str(event["message"]))
    level = "info" if event["exit"] in (0, 2) else "error"
    return Entry(level, f"ended with {event['exit']} after {event['seconds']:.1f} s")


def _plan(plan: Mapping[str, Any]) -> Iterator[Entry]:
    for node, why in plan["lost"].items():
        yield Entry("error", f"cannot be looked at: {why}", node)
    for entry in plan["entries"]:
        level = "warning" if entry["status"] in TROUBLE else "debug"
        said = [f"{c['attribute']}: {_short(c['actual'])} → {_short(c['desired'])}" for c in entry["changes"]]
        words = "; ".join([*said, *entry["reasons"]])
        yield Entry(level, ": ".join(filter(None, (entry["status"], words))), entry["resource"])
    for about, notices in plan["notices"].items():
        for notice in notices:
            yield Entry("info", f"notice: {notice}", about)
    yield Entry("info", f"inspected: resources are {_counted(plan['resources'])}")


def _step(sort: str, event: Event) -> Entry:
    about = str(event.get("resource") or event.get("node") or "")
    match sort:
        case "step":
            return Entry("debug", f"begins [{event['effect']}] {event['title']}", about)
        case "fixed":
            return Entry("info", "as declared now", about)
        case "stuck":
            return Entry("error", str(event["reason"]), about)
        case "waits":
            return Entry("info", str(event["words"]), about)
    said = f"ran [{event['effect']}] {event['title']} ({event['seconds']:.1f} s)"
    if event["status"] == 0:
        return Entry("info", said, about)
    return Entry("error", f"{said}: it ended with {event['status']}: {event['said']}", about)


def _watch(sort: str, event: Event) -> Entry:
    match sort:
        case "nodes":
            return Entry("info", f"watches {', '.join(event['nodes']) or 'no node'}")
        case "look":
            return Entry("debug", f"looked: {event['result']} ({event['seconds']:.1f} s)", event["node"])
    words = ": ".join(filter(None, (str(event["sort"]), str(event["said"]))))
    return Entry("warning" if event["bad"] else "info", words, str(event["about"]))


def _counted(resources: Mapping[str, str]) -> str:
    """How many resources have which status, in words."""
    statuses: Sequence[str] = list(resources.values())
    return ", ".join(f"{statuses.count(one)} {one}" for one in sorted(set(statuses))) or "none"


def _short(value: Any) -> str:
    text = "(nothing)" if value is None else str(value)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _place(about: str) -> tuple[str, str]:
    """The host and the resource that something is about; each may be empty."""
    host, _, rest = about.partition("/")
    if not host:  # a path: about the files
        return "", ""
    return host, about if ":" in rest else ""


def _json(event: Event, entry: Entry) -> str:
    host, resource = _place(entry.about)
    row = {
        "at": event["at"],
        "level": entry.level,
        "run": event["run"],
        "event": event["event"],
        "host": host or None,
        "resource": resource or None,
        "message": entry.message,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _human(event: Event, entry: Entry) -> str:
    """Time, level, run, what it is about, message; whatever a program said stays on its line."""
    words = f"{entry.about}: {entry.message}" if entry.about else entry.message
    line = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in words)
    return f"{event['at']} {entry.level:<7} {event['run']} {line}"
