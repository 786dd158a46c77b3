"""What runs and the watcher tell, counted for Prometheus.

`Metrics` hears events and keeps numbers; `families` gives them the shape of the client library. Labels are
bounded: sites, hosts, kinds, statuses, effects, results and verbs; never the name of a resource.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from .. import __version__
from ..errors import ExitCode
from ..inspect.looks import Status

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    from ..records.events import Event

Labels = tuple[str, ...]
Values = dict[str, dict[Labels, float]]
"""Name of a family → values of its labels → number."""


class Family(NamedTuple):
    """Numbers of one name; each has the label `site` before its own."""

    sort: Literal["gauge", "counter"]
    labels: Labels
    says: str


FAMILIES: dict[str, Family] = {
    "phoenix_build_info": Family("gauge", ("version",), "Always 1; the version of phoenix is the label."),
    "phoenix_resources": Family("gauge", ("host", "kind", "status"), "Resources by what their checks said."),
    "phoenix_round_trips": Family("gauge", ("host",), "Round trips that the last look took."),
    "phoenix_run_checks": Family(
        "gauge", ("verb", "host", "kind", "outcome"), "Checks of the last health check by how they ended."
    ),
    "phoenix_run_duration_seconds": Family("gauge", ("verb",), "How long the last run took."),
    "phoenix_run_exit_status": Family("gauge", ("verb",), "How the last run ended."),
    "phoenix_run_steps": Family("gauge", ("verb", "effect", "result"), "Steps that the last run ran."),
    "phoenix_run_success_timestamp_seconds": Family("gauge", ("verb",), "When a run last ended well."),
    "phoenix_run_timestamp_seconds": Family("gauge", ("verb",), "When the last run ended."),
    "phoenix_watch_files_wrong": Family("gauge", (), "1 while the site's files are wrong."),
    "phoenix_watch_look_duration_seconds": Family("gauge", ("node",), "How long the last look took."),
    "phoenix_watch_look_success_timestamp_seconds": Family(
        "gauge", ("node",), "When the node could last be looked at; 0: not since the watcher began."
    ),
    "phoenix_watch_look_timestamp_seconds": Family("gauge", ("node",), "When the node was last looked at."),
    "phoenix_watch_looks_total": Family("counter", ("node", "result"), "Looks since the watcher began."),
    "phoenix_watch_steps_total": Family(
        "counter", ("node", "effect", "result"), "Steps run unattended since the watcher began."
    ),
}
OF_RUNS = "phoenix_run_"
"""How the names of numbers begin that each verb has of its own."""
OUTCOMES = ("passed", "failed", "unknown", "skipped")
"""How a check may end."""
LOOKS = ("right", "repaired", "differs", "unseen")
"""How a look may end."""


class Metrics:
    """Listens to a run and keeps numbers; may be asked for them from any thread."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._verb = ""
        self._values: Values = {name: {} for name in FAMILIES}
        self._values["phoenix_build_info"][__version__,] = 1
        self._statuses: dict[str, dict[str, str]] = {}
        """Node (empty: all, of a run) → resource → status."""
        self._trips: dict[str, dict[str, float]] = {}
        self._counting = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._counting:
            match event["event"]:
                case "run":
                    self._verb = str(event["verb"])
                    if self._verb == "watch":
                        self._set("phoenix_watch_files_wrong", (), 0)
                case "plan" | "outcome" | "checks" as sort:
                    self._seen(sort, event)
                case "ran":
                    self._add("phoenix_run_steps", (self._verb, event["effect"], _result(event)))
                case "end" if self._verb != "watch":
                    self._ended(event)
                case "nodes":
                    self._watched(event["nodes"])
                case "look":
                    self._looked(event)
                case "news" if event["sort"] in ("files", "files-right"):
                    self._set("phoenix_watch_files_wrong", (), event["sort"] == "files")

    def values(self) -> Values:
        """Return all numbers there are now."""
        with self._counting:
            values = {name: dict(rows) for name, rows in self._values.items()}
            values["phoenix_resources"] = _by_status(self._statuses.values())
            for trips in self._trips.values():
                values["phoenix_round_trips"].update({(host,): number for host, number in trips.items()})
        return values

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield them as the client library wants them."""
        yield from families(self.site, self.values())

    def _ended(self, event: Event) -> None:
        """A run is over; it went well when it could tell, and nothing is left that it should have done."""
        at, verb = _seconds(event), (self._verb,)
        well = {ExitCode.OK, ExitCode.PENDING} if self._verb == "plan" else {ExitCode.OK}
        self._set("phoenix_run_duration_seconds", verb, event["seconds"])
        self._set("phoenix_run_exit_status", verb, event["exit"])
        self._set("phoenix_run_timestamp_seconds", verb, at)
        if event["exit"] in well:
            self._set("phoenix_run_success_timestamp_seconds", verb, at)
        self._trips[""] = dict(event.get("round_trips", {}))

    def _seen(self, sort: str, event: Event) -> None:
        """Hosts were looked at; a health check under xdist knows no statuses of resources."""
        if sort == "outcome":
            self._statuses.setdefault("", {}).update(event["resources"])
            return
        self._statuses[""] = dict((event["plan"] if sort == "plan" else event).get("resources", {}))
        for of, counts in event.get("of", {}).items():
            host, _, kind = of.partition("/")
            for outcome in OUTCOMES:
                labels = (self._verb, host, kind, outcome)
                self._set("phoenix_run_checks", labels, counts.get(outcome, 0))

    def _looked(self, event: Event) -> None:
        """A look is over; what is not known now is not gone, so numbers of resources stay as they were."""
        node, at = event["node"], _seconds(event)
        for result in LOOKS:
            self._add("phoenix_watch_looks_total", (node, result), event["result"] == result)
        self._set("phoenix_watch_look_timestamp_seconds", (node,), at)
        self._set("phoenix_watch_look_duration_seconds", (node,), event["seconds"])
        unseen = event["result"] == "unseen"
        self._add("phoenix_watch_look_success_timestamp_seconds", (node,), 0)
        if not unseen:
            self._set("phoenix_watch_look_success_timestamp_seconds", (node,), at)
            self._statuses[node] = dict(event["resources"])
            self._trips[node] = dict(event["round_trips"])
        for step in event["steps"]:
            self._add("phoenix_watch_steps_total", (node, step["effect"], _result(step)))

    def _watched(self, nodes: Sequence[str]) -> None:
        """Forget nodes that are watched no longer."""
        for known in (self._statuses, self._trips):
            for node in known.keys() - set(nodes):
                del known[node]
        for name, family in FAMILIES.items():
            if family.labels[:1] == ("node",):
                kept = {labels: n for labels, n in self._values[name].items() if labels[0] in nodes}
                self._values[name] = kept

    def _set(self, name: str, labels: Labels, number: float) -> None:
        self._values[name][labels] = float(number)

    def _add(self, name: str, labels: Labels, number: float = 1) -> None:
        self._values[name][labels] = self._values[name].get(labels, 0.0) + number


def families(site: str, values: Values) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    """Yield numbers in the shape of the client library, each with the label `site`."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, rows in values.items():
        family = FAMILIES[name]
        shape = CounterMetricFamily if family.sort == "counter" else GaugeMetricFamily
        if rows:
            found = shape(name, family.says, labels=("site", *family.labels))
            for labels, number in sorted(rows.items()):
                found.add_metric((site, *labels), number)
            yield found


def _by_status(seen: Iterable[Mapping[str, str]]) -> dict[Labels, float]:
    """How many resources there are by host, kind and status; also the statuses that none has."""
    counts: Counter[Labels] = Counter()
    for statuses in seen:
        for name, status in statuses.items():
            host, _, rest = name.partition("/")
            counts[host, rest.partition(":")[0], status] += 1
    pairs = {(host, kind) for host, kind, _ in counts}
    return {(*pair, status.value): float(counts[*pair, status.value]) for pair in pairs for status in Status}


def _result(step: Mapping[str, object]) -> str:
    return "ok" if step["status"] == 0 else "failed"


def _seconds(event: Event) -> float:
    """When an event was told, as Unix time."""
    return datetime.fromisoformat(str(event["at"])).timestamp()
