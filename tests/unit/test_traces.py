"""Traces: spans of a run's events, who asks for them; a collector that takes them, refuses them or hangs."""

import http.server
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from phoenix_hypervisor.records import traces
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.records.traces import (
    TracedLooks,
    Traces,
    exporters,
    from_environment,
    traced_looks,
)

DATASET = "pve/zfs_dataset:tank/x"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def run_of(listener, *, status=0, verb="apply"):
    """A run that loads, inspects, renders and runs a step."""
    run = Run(verb, [listener])
    run.begin(["phoenix", verb], site="/srv/lab")
    run.tell("revision", {"revision": "abc"})
    with run.phase("load"):
        pass
    with run.phase("inspect", resources=2):
        pass
    run.tell("plan", {"plan": {"resources": {DATASET: "drift", "pve/zfs_pool:tank": "ok"}}})
    with run.phase("render", resource=DATASET, artifact="/etc/x"):
        pass
    step = {"resource": DATASET, "title": "zfs set atime=off tank/x", "effect": "hot", "waited": 0.25}
    run.tell("ran", {**step, "began": time.time(), "seconds": 0.5, "status": status, "said": "canary-41"})
    if status:
        run.tell("stuck", {"resource": DATASET, "reason": "canary-41"})
    run.end(status, round_trips={"pve": 4})
    run.close()


@pytest.fixture
def memory():
    return InMemorySpanExporter()


@pytest.fixture
def provider(memory):
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(SimpleSpanProcessor(memory))
    return made


def test_a_run_is_one_trace_with_its_parts_and_its_steps(provider, memory):
    run_of(Traces(provider, {}, pytest.fail))
    *parts, whole = memory.get_finished_spans()
    assert [span.name for span in parts] == ["load", "inspect", "render", "step"]
    assert (whole.name, whole.parent) == ("phoenix apply", None)
    assert {span.parent.span_id for span in parts} == {whole.context.span_id}
    assert dict(parts[1].attributes) == {"phoenix.resources": 2}
    about = {"phoenix.resource": DATASET, "phoenix.host": "pve", "phoenix.kind": "zfs_dataset"}
    assert dict(parts[2].attributes) == {**about, "phoenix.artifact": "/etc/x"}
    assert dict(parts[3].attributes) == {
        **about,
        "phoenix.step": "zfs set atime=off tank/x",
        "phoenix.effect": "hot",
        "phoenix.result": "ok",
        "phoenix.exit_status": 0,
        "phoenix.waited_seconds": 0.25,
    }
    assert parts[3].end_time - parts[3].start_time == 500_000_000
    assert {name: value for name, value in whole.attributes.items() if name != "phoenix.run"} == {
        "phoenix.verb": "apply",
        "phoenix.site": "lab",
        "phoenix.revision": "abc",
        "phoenix.resources": 2,
        "phoenix.exit_status": 0,
        "phoenix.round_trips": 4,
    }
    assert whole.status.is_unset


def test_a_failure_is_an_error_and_what_programs_said_is_not_sent(provider, memory):
    run_of(Traces(provider, {}, pytest.fail), status=1)
    spans = memory.get_finished_spans()
    assert [span.name for span in spans if not span.status.is_ok and not span.status.is_unset] == [
        "step",
        "phoenix apply",
    ]
    (stuck,) = spans[-1].events
    assert (stuck.name, stuck.attributes["phoenix.resource"]) == ("stuck", DATASET)
    assert "canary" not in "".join(span.to_json() for span in spans)


def test_changes_that_are_pending_are_no_error_and_not_to_know_is_one(provider, memory):
    for status in (2, 3):
        run = Run("plan", [Traces(provider, {}, pytest.fail)])
        run.begin(["phoenix", "plan"])
        run.end(status)
    assert [span.status.is_unset for span in memory.get_finished_spans()] == [True, False]


def test_who_calls_us_may_have_a_trace_of_its_own(provider, memory):
    run_of(Traces(provider, {"TRACEPARENT": OUTSIDE}, pytest.fail))
    whole = memory.get_finished_spans()[-1]
    _, trace, span, _ = OUTSIDE.split("-")
    assert (f"{whole.context.trace_id:032x}", f"{whole.parent.span_id:016x}") == (trace, span)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        ({ENDPOINT: "http://x"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "none", ENDPOINT: "http://x"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp", "console"]),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_the_environment_asks_for_traces_or_does_not(environment, wanted):
    assert exporters(environment) == wanted


def test_an_exporter_that_is_not_there_is_said(monkeypatch):
    said = []
    assert from_environment({"OTEL_TRACES_EXPORTER": "zipkin"}, said.append) is None
    grpc = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert from_environment(grpc, said.append) is None
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert from_environment({ENDPOINT: "http://x"}, said.append) is None
    assert [line.partition(": ")[2].split(",")[0] for line in said] == [
        "there is no exporter `zipkin` here",
        "there is no exporter `otlp_proto_grpc` here",
        "`pip install 'phoenix-hypervisor[otel]'` brings what they need",
    ]


def test_nothing_is_imported_when_nobody_asks():
    code = (
        "import sys; from phoenix_hypervisor.cli.listening import listeners; "
        "from phoenix_hypervisor.cli import Workplace, apply, plan, work; "
        "listeners(Workplace('.', False), print); "
        "sys.exit(any(name.startswith(('opentelemetry', 'phoenix_hypervisor.records.traces')) "
        "for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], env={}, check=False).returncode == 0


def test_all_that_is_run_for_a_look_of_the_watcher_is_one_trace(provider, memory, tmp_path, monkeypatch):
    from phoenix_hypervisor.watch.looking import Looking

    plan = {"run": "", "lost": {}, "resources": {DATASET: "drift"}, "entries": [
        {"resource": DATASET, "status": "drift", "orphan": False, "reasons": [],
         "changes": [{"attribute": "atime", "actual": "on", "desired": "off"}],
         "steps": [{"effect": "hot", "destroys": ""}]},
    ]}  # fmt: skip
    program = tmp_path / "program"
    program.write_text(f"""#!/bin/sh
echo "$TRACEPARENT" >>"{tmp_path}/told"
case " $* " in *" plan "*) echo '{json.dumps(plan)}' ;; *) echo nothing is known; esac
""")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    looking = Looking(traces=TracedLooks(provider))
    looking.look(tmp_path, "pve", "hot")
    plan["lost"] = {"pve": "no answer"}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(plan)}'\n")
    looking.look(tmp_path, "pve", "nothing")
    first, second = memory.get_finished_spans()
    assert (first.name, first.attributes["phoenix.host"], first.attributes["phoenix.differ"]) == (
        "phoenix look", "pve", 1,
    )  # fmt: skip
    within = f"00-{first.context.trace_id:032x}-{first.context.span_id:016x}"
    told = (tmp_path / "told").read_text().split()
    assert [one.rpartition("-")[0] for one in told] == [within, within]  # the plan, and the apply
    assert first.context.trace_id != second.context.trace_id
    assert [span.status.is_unset for span in (first, second)] == [True, False]
    assert traced_looks({}, pytest.fail) is None
    said = []
    assert traced_looks({"OTEL_TRACES_EXPORTER": "zipkin"}, said.append) is None
    assert len(said) == 1


# --- over the wire


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what OTLP over HTTP sends."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["X-Who"], ExportTraceServiceRequest.FromString(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.got, server.status = [], 200
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sending(monkeypatch, port, warn, **environment):
    environment = {ENDPOINT: f"http://user:canary-42@127.0.0.1:{port}", **environment}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return from_environment(environment, warn)


def test_a_collector_gets_the_run_as_the_environment_says(collector, monkeypatch):
    named = {"OTEL_SERVICE_NAME": "night", "OTEL_EXPORTER_OTLP_HEADERS": "x-who=me"}
    run_of(sending(monkeypatch, collector.server_port, pytest.fail, **named))
    ((path, who, request),) = collector.got
    assert (path, who) == ("/v1/traces", "me")
    (of_resource,) = request.resource_spans
    facts = {one.key: one.value.string_value for one in of_resource.resource.attributes}
    assert facts["service.name"] == "night"
    assert facts["service.version"]
    (scope,) = of_resource.scope_spans
    names = [span.name for span in scope.spans]
    assert sorted(names) == ["inspect", "load", "phoenix apply", "render", "step"]


def test_a_collector_that_refuses_is_said_once_without_its_password(collector, monkeypatch):
    collector.status = 400
    said = []
    run_of(sending(monkeypatch, collector.server_port, said.append))
    (line,) = said
    assert line.startswith("traces were not sent: ")
    assert "canary" not in line


def test_a_collector_that_is_down_or_mute_holds_up_nobody_for_long(monkeypatch):
    monkeypatch.setattr(traces, "SECONDS", 0.2)
    said, soon = [], {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with socket.create_server(("127.0.0.1", 0)) as mute:
        run_of(sending(monkeypatch, mute.getsockname()[1], said.append, **soon))
        port = mute.getsockname()[1]
    run_of(sending(monkeypatch, port, said.append, **soon))
    assert said[0].startswith("traces were not taken within 0.2 seconds")
    assert said[1].startswith(("traces were not taken", "traces were not sent"))
    assert (len(said), "canary" in "".join(said)) == (2, False)
    for thread in threading.enumerate():  # what still tries draws random numbers: another test might mind
        if thread.name == "traces":
            thread.join(60)
            assert not thread.is_alive()
