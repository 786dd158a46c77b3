"""A run of a verb, told as events to whoever listens: its record, a log, a program on stdout.

An event is one flat JSON document: `version`, `run`, `at` (UTC, ISO 8601), `event`, and its facts.
Secrets are not in it: what prints a secret prints its name (secrets.py).
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from ..resource import Ref

VERSION = 1
PASSING = frozenset({"lock", "look", "phase", "progress"})
"""Events that are told and not kept: a watcher has no end of them, and nobody reads them afterwards."""

Event = Mapping[str, Any]
Listener = Callable[[Event], None]


class Run:
    """One run of a verb. Events may be told from any thread; listeners are called one at a time."""

    def __init__(self, verb: str, listeners: Sequence[Listener] = ()) -> None:
        self.verb = verb
        began = datetime.now(UTC)
        self.name = f"{began:%Y%m%d-%H%M%S}-{began.microsecond:06d}"
        """In the order in which runs began, for people to type."""
        self._begun = time.monotonic()
        self._listeners = list(listeners)
        self._telling = threading.Lock()
        self._ended = False

    def listen(self, listener: Listener) -> None:
        """Tell this one too, from now on."""
        self._listeners.append(listener)

    def tell(self, event: str, facts: Mapping[str, Any] | None = None) -> None:
        """Tell all listeners what happens now."""
        with self._telling:
            document = {
                "version": VERSION,
                "run": self.name,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event,
                **{name: _plain(value) for name, value in (facts or {}).items()},
            }
            for listener in self._listeners:
                listener(document)

    @contextmanager
    def phase(self, name: str, **facts: Any) -> Iterator[None]:
        """Tell how long what is done inside took, when it is over."""
        with timed(self.tell, name, **facts):
            yield

    def close(self) -> None:
        """Let listeners that send elsewhere send what is left; nothing more is told."""
        for listener in self._listeners:
            close = getattr(listener, "close", None)
            if close is not None:
                close()

    def begin(self, arguments: Sequence[str], **facts: Any) -> None:
        """Tell who begins what."""
        self.tell("run", {"verb": self.verb, "arguments": list(arguments), "who": who(), **facts})

    def end(self, status: int, **facts: Any) -> None:
        """Tell how it ended; the first time counts."""
        if not self._ended:
            self._ended = True
            seconds = round(time.monotonic() - self._begun, 3)
            self.tell("end", {"exit": int(status), "seconds": seconds, **facts})


@contextmanager
def timed(tell: Callable[[str, Mapping[str, Any]], None], name: str, **facts: Any) -> Iterator[None]:
    """Tell the event `phase` when what is done inside is over: `began` (Unix time), `seconds`, the facts."""
    began, begun = time.time(), time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - begun, 6)
        tell("phase", {"phase": name, "began": round(began, 6), "seconds": seconds, **facts})


def who() -> str:
    """Return who runs this process, from where: `user@machine`."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def line(event: Event) -> str:
    """Return an event as one line of JSON."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)


def _plain(value: Any) -> Any:
    """A fact as JSON has it: references by their full name, lists for sets, words for what is unknown."""
    if isinstance(value, Ref):
        return value.full
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else str(value)
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(inner) for inner in value)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
