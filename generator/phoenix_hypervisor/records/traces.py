"""A run's events as spans of OpenTelemetry: the run, its parts (load, connect, inspect, render), its steps.

A listener like the log. It is there only when the environment asks for traces (`OTEL_TRACES_EXPORTER`, or an
endpoint of OTLP), and only then is the SDK imported: the extra `otel` brings it. What programs said is not
sent: a span has names, statuses and times.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import ExitCode
from .events import Event

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SECONDS = 3.0
"""How long the end of a run waits for what takes the spans."""
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def exporters(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the exporters that the environment asks for; none, unless it says something."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    said = environment.get(EXPORTER, "").strip()
    if not said and any(environment.get(name) for name in ENDPOINTS):
        said = "otlp"
    names = dict.fromkeys(name.strip() for name in said.split(","))
    return [name for name in names if name not in ("", "none")]


def from_environment(environment: Mapping[str, str], warn: Callable[[str], None]) -> Traces | None:
    """Return what sends spans, if any are asked for; `warn` hears why there are none all the same."""
    wanted = exporters(environment)
    if not wanted:
        return None
    try:
        provider = _provider(environment, wanted)
    except ImportError:
        warn("no traces are sent: `pip install 'phoenix-hypervisor[otel]'` brings what they need")
    except (LookupError, ValueError) as error:
        warn(f"no traces are sent: {error.args[0] if error.args else error}")
    else:
        return Traces(provider, environment, warn)
    return None


def _provider(environment: Mapping[str, str], wanted: list[str]) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    found = [_exporter(name, environment) for name in wanted]
    ours = {"service.version": __version__}
    if "service.name=" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", "") and not environment.get(
        "OTEL_SERVICE_NAME"
    ):
        ours["service.name"] = "phoenix"
    provider = TracerProvider(resource=Resource.create(ours), shutdown_on_exit=False)
    for one in found:
        # stdout is the verb's
        exporter = one.load()(**({"out": sys.stderr} if one.name == "console" else {}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(name: str, environment: Mapping[str, str]) -> EntryPoint:
    """The exporter of this name among those that are installed. Raises LookupError."""
    protocol = next((environment[one] for one in PROTOCOLS if environment.get(one)), "http/protobuf")
    entry = _OTLP.get(protocol, f"otlp ({protocol})") if name == "otlp" else name
    for one in entry_points(group="opentelemetry_traces_exporter", name=entry):
        return one
    raise LookupError(f"there is no exporter `{entry}` here, which {EXPORTER} or its protocol asks for")


class Traces:
    """Listens to a run, makes spans of what it hears, and sends them; `close` waits for that, not for long.

    `warn` is called when they could not be sent; the run is over by then.
    """

    def __init__(
        self, provider: TracerProvider, environment: Mapping[str, str], warn: Callable[[str], None]
    ) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("phoenix_hypervisor", __version__)
        self._warn = warn
        self._words = _Words()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._words)
        logger.propagate = False
        # who calls us may have a trace of its own: a job of CI
        carrier = {name: environment.get(name.upper(), "") for name in ("traceparent", "tracestate")}
        self._outside = TraceContextTextMapPropagator().extract(carrier)
        self._run: Span | None = None
        self._within: Context | None = None

    def __call__(self, event: Event) -> None:
        match event["event"]:
            case "run":
                self._begin(event)
            case "revision":
                self._note({"phoenix.revision": event["revision"]})
            case "plan":
                self._note({"phoenix.resources": len(event["plan"]["resources"])})
            case "phase":
                self._part(str(event["phase"]), event, _about(event))
            case "ran":
                self._step(event)
            case "stuck" | "check":
                words = {"phoenix.check": event["check"]} if event["event"] == "check" else {}
                if self._run is not None:
                    self._run.add_event(str(event["event"]), {**_about(event), **words}, _at(event))
            case "end":
                self._end(event)

    def close(self) -> None:
        """Send what is left, and wait for it until the deadline."""
        sending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sending.start()
        sending.join(SECONDS)
        if sending.is_alive():
            why = f": {self._words.last}" if self._words.last else ""
            self._warn(f"traces were not taken within {SECONDS:g} seconds{why}")
        elif self._words.last:
            self._warn(f"traces were not sent: {self._words.last}")

    def _begin(self, event: Event) -> None:
        from opentelemetry.trace import set_span_in_context

        facts = {"phoenix.run": event["run"], "phoenix.verb": event["verb"]}
        name = f"phoenix {event['verb']}"
        self._run = self._tracer.start_span(name, self._outside, attributes=facts, start_time=_at(event))
        self._within = set_span_in_context(self._run, self._outside)
        if site := event.get("site"):
            self._note({"phoenix.site": str(site).rpartition("/")[2]})

    def _end(self, event: Event) -> None:
        if self._run is None:
            return
        trips = event.get("round_trips") or {}
        self._note({"phoenix.exit_status": event["exit"], "phoenix.round_trips": sum(trips.values())})
        self._fail(self._run, event["exit"] not in (ExitCode.OK, ExitCode.PENDING))
        self._run.end(_at(event))
        self._run = None

    def _step(self, event: Event) -> None:
        facts = {
            "phoenix.step": event["title"],
            "phoenix.effect": event["effect"],
            "phoenix.result": "failed" if event["status"] else "ok",
            "phoenix.exit_status": event["status"],
            "phoenix.waited_seconds": event.get("waited", 0.0),
        }
        self._part("step", event, {**_about(event), **facts}, failed=bool(event["status"]))

    def _part(self, name: str, event: Event, facts: Mapping[str, Any], *, failed: bool = False) -> None:
        """A span within the run's, of something that is over."""
        began = round(float(event["began"]) * 1e9)
        span = self._tracer.start_span(name, self._within, attributes=facts, start_time=began)
        self._fail(span, failed)
        span.end(began + round(float(event["seconds"]) * 1e9))

    def _note(self, facts: Mapping[str, Any]) -> None:
        if self._run is not None:
            self._run.set_attributes(facts)

    @staticmethod
    def _fail(span: Span, failed: bool) -> None:
        from opentelemetry.trace import StatusCode

        if failed:
            span.set_status(StatusCode.ERROR)


def traced_looks(environment: Mapping[str, str], warn: Callable[[str], None]) -> TracedLooks | None:
    """Return what makes each look of a watcher one trace, if the environment asks for any."""
    wanted = exporters(environment)
    if not wanted:
        return None
    try:
        return TracedLooks(_provider(environment, wanted))
    except (ImportError, LookupError, ValueError):
        from_environment(environment, warn)  # which says why
        return None


class TracedLooks:
    """A span for each look of a watcher; what is run for it is told that its own spans are within."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("phoenix_hypervisor", __version__)
        self._propagator = TraceContextTextMapPropagator()
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(logging.NullHandler())  # the looks themselves say what is not taken
        logger.propagate = False

    @contextmanager
    def look(self, node: str) -> Iterator[tuple[dict[str, str], Callable[[str, int, int], None]]]:
        """Open the span of a look at a node.

        Yields what its processes get in their environment, and what notes how it went: why nothing is
        known, how many resources differ, how many steps were run.
        """
        from opentelemetry.trace import StatusCode, set_span_in_context

        span = self._tracer.start_span("phoenix look", attributes={"phoenix.host": node})
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))

        def note(error: str, differ: int, steps: int) -> None:
            span.set_attributes({"phoenix.differ": differ, "phoenix.steps": steps})
            if error:
                span.set_status(StatusCode.ERROR)

        try:
            yield {name.upper(): value for name, value in carrier.items()}, note
        finally:
            span.end()

    def close(self) -> None:
        """Send what is left, and wait for it until the deadline."""
        sending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        sending.start()
        sending.join(SECONDS)


def _about(event: Event) -> dict[str, str]:
    """What an event is about: its resource, that one's host and kind, an artifact's path."""
    return dict(_attributes(event))


def _attributes(event: Event) -> Iterator[tuple[str, str]]:
    resource = str(event.get("resource") or "")
    host, _, rest = resource.partition("/")
    if resource:
        yield "phoenix.resource", resource
        yield "phoenix.host", host
        yield "phoenix.kind", rest.partition(":")[0]
    for name in ("host", "artifact", "resources"):
        if event.get(name):
            yield f"phoenix.{name}", event[name]


def _at(event: Event) -> int:
    """When an event was told, in nanoseconds of Unix time."""
    return round(datetime.fromisoformat(str(event["at"])).timestamp() * 1e9)


class _Words(logging.Handler):
    """Keeps the last thing the SDK complained of, for one line of ours in place of its many."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().partition("\n")[0]
        # an address may hold a password or a token
        self.last = re.sub(r"//[^/@\s]*@|\?[^\s'\")]*", lambda one: "//" if one[0][0] == "/" else "", text)[
            :300
        ]
