"""Metrics of a run as a file for the textfile collector of Prometheus's node_exporter.

The collector may read at any time, so the file is replaced at once. Plan and apply may share one: each
keeps what the other said of itself, and when it last went well itself.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .metrics import FAMILIES, OF_RUNS, Metrics, Values, families

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from ..records.events import Event

MODE = 0o644
"""The collector is another user."""
LAST_WELL = "phoenix_run_success_timestamp_seconds"


class MetricsFile:
    """Listens to a run and writes the file at its end. `warn` is called when that fails."""

    def __init__(self, path: Path, site: Path, warn: Callable[[str], None]) -> None:
        self._path = path
        self._metrics = Metrics(site.resolve().name)
        self._warn = warn
        self._verb = ""

    def __call__(self, event: Event) -> None:
        self._metrics(event)
        if event["event"] == "run":
            self._verb = str(event["verb"])
        elif event["event"] == "end":
            try:
                self._write()
            except OSError as error:
                self._warn(f"no metrics are written: {self._path}: {error.strerror}; the run goes on")

    def _write(self) -> None:
        values = self._metrics.values()
        for name, rows in earlier(self._path, self._metrics.site).items():
            for labels, number in rows.items():
                if labels[0] != self._verb or name == LAST_WELL:
                    values[name].setdefault(labels, number)
        # a name that the collector does not read: it wants *.prom
        number, new = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.absolute().parent)
        try:
            with os.fdopen(number, "wb") as file:
                os.fchmod(number, MODE)
                file.write(text(self._metrics.site, values))
            os.replace(new, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise


def text(site: str, values: Values) -> bytes:
    """Return numbers in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Numbers:
        """What the registry asks."""

        def collect(self) -> Iterator[Metric]:
            yield from families(site, values)

    registry = CollectorRegistry()
    registry.register(Numbers())
    return generate_latest(registry)


def earlier(path: Path, site: str) -> Values:
    """Return what a file says of runs of this site; what is not in the format counts as not there."""
    from prometheus_client.parser import text_string_to_metric_families

    found: Values = {}
    try:
        parsed = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, IndexError, KeyError):
        return {}
    for sample in (sample for family in parsed for sample in family.samples):
        known = FAMILIES.get(sample.name)
        if known is None or not sample.name.startswith(OF_RUNS) or sample.labels.get("site") != site:
            continue
        if sample.labels.keys() == {"site", *known.labels}:
            labels = tuple(sample.labels[label] for label in known.labels)
            found.setdefault(sample.name, {})[labels] = sample.value
    return found
