"""Who listens to a run besides its record: a program on stdout, a log, metrics, traces."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records.events import Listener
    from . import Workplace


def listeners(
    workplace: Workplace,
    warn: Callable[[str], None],
    *,
    events: bool = False,
    as_json: bool = False,
    metrics_file: str | None = None,
    traced: bool = True,
) -> list[Listener]:
    """Return those that the command line asks for. Raises UsageError when stdout would have two masters.

    Each is imported only when it is wanted: start-up time is part of every run.
    """
    found: list[Listener] = []
    if events and as_json:
        from ..errors import UsageError

        hint = "the event `plan` has the plan's document, `outcome` what became of it"
        raise UsageError("`--events` and `--json` both want stdout", hint=hint)
    if workplace.log is not None:
        from ..records.log import Log

        found.append(Log(workplace.log, warn))
    if metrics_file:
        from pathlib import Path

        from ..observe.metrics_file import MetricsFile

        found.append(MetricsFile(Path(metrics_file), workplace.site_folder, warn))
    if traced and any(name.startswith("OTEL_") for name in os.environ):
        from ..records.traces import from_environment

        if traces := from_environment(os.environ, warn):
            found.append(traces)
    if events:
        from ..records.streams import Stdout

        found.append(Stdout(warn))
    return found
