"""A run's events for a program: on stdout, one line of JSON each, as they happen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from .events import Event, line


class Stdout:
    """Listens to a run. `warn` is called once, when nobody reads any more; the run goes on."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._gone = False
        self._stream = sys.stdout  # while checks run, what they print goes elsewhere

    def __call__(self, event: Event) -> None:
        if self._gone:
            return
        try:
            self._stream.buffer.write(line(event).encode("utf-8", "backslashreplace") + b"\n")
            self._stream.flush()
        except OSError as error:
            self._gone = True
            # what is still in the buffer must not fail once more when the process ends
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            self._warn(f"events cannot be written to stdout: {error.strerror}; the run goes on")
