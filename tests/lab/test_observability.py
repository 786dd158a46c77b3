"""What a run tells besides its screen: events on stdout, a log, metrics; none of them a secret."""

import contextlib
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.lab.running import PASSWORD

DATASET = "phoenix/zfs_dataset:fastData/heads-bulk-data"


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def samples(text):
    return {
        (one.name, *(value for label, value in sorted(one.labels.items()) if label != "site")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_events_are_what_the_record_has_and_nothing_else_is_on_stdout(converged):
    converged.drift("zfs-property")
    planned = converged.run("plan", "--events")
    assert (planned.status, planned.err) == (2, "")
    assert [event["event"] for event in rows(planned.out) if event["event"] not in ("revision", "phase")] == [
        "run",
        "plan",
        "end",
    ]
    applied = converged.run("apply", "--events")  # nobody is asked
    assert (applied.status, applied.err) == (0, "")
    told = rows(applied.out)
    kept = [event for event in told if event["event"] != "phase"]
    assert kept == rows(converged.run("show", "last", "--json").out)
    phases = {event["phase"] for event in told if event["event"] == "phase"}
    assert phases == {"load", "connect", "inspect"}
    (ran,) = [event for event in told if event["event"] == "ran"]
    assert (ran["resource"], ran["status"]) == (DATASET, 0)
    assert told[-1]["event"] == "end"


def test_a_log_and_metrics_are_written_and_the_screen_stays_as_it_is(converged, tmp_path):
    log, metrics = tmp_path / "log", tmp_path / "phoenix.prom"
    converged.drift("zfs-property")
    logged = ("--log-file", str(log), "--log-format", "json")
    ran = converged.run(*logged, "apply", "--yes", "--metrics-file", str(metrics))
    assert ran.status == 0
    assert "zfs set compression=lz4" in ran.out
    assert "{" not in ran.out
    about = [(row["level"], row["event"], row["message"]) for row in rows(log.read_text()) if row["resource"]]
    assert [(level, event, re.sub(r"\(.* s\)", "", said).rstrip()) for level, event, said in about] == [
        ("warning", "plan", "drift: compression: gzip-9 → lz4"),
        ("info", "ran", "ran [hot] zfs set compression=lz4 fastData/heads-bulk-data"),
        ("info", "fixed", "as declared now"),
    ]
    assert {row["host"] for row in rows(log.read_text()) if row["resource"]} == {"phoenix"}
    found = samples(metrics.read_text())
    assert found["phoenix_run_exit_status", "apply"] == 0
    assert found["phoenix_run_steps", "hot", "ok", "apply"] == 1
    assert found["phoenix_resources", "phoenix", "zfs_dataset", "drift"] == 0
    assert found["phoenix_resources", "phoenix", "zfs_dataset", "ok"] >= 1
    assert found["phoenix_round_trips", "phoenix"] >= 1
    assert found["phoenix_run_success_timestamp_seconds", "apply"] == pytest.approx(time.time(), abs=60)


def test_places_that_cannot_be_written_stop_nothing(converged, tmp_path):
    missing = tmp_path / "missing"
    converged.drift("zfs-property")
    places = ("--metrics-file", str(missing / "m"), "--report", str(tmp_path / "report.html"))
    ran = converged.run("--log-file", str(missing / "log"), "apply", "--yes", "--quiet", *places)
    assert ran.status == 0
    assert [line for line in ran.err.splitlines() if "the run goes on" not in line] == []  # and no step
    assert len(ran.err.splitlines()) == 2
    assert re.fullmatch(r"1 step run; \d+ resources as declared\n", ran.out)
    assert f"<code>{DATASET}</code>" in (tmp_path / "report.html").read_text()
    planned = converged.run("plan", "-q")
    assert (planned.status, planned.out.count("\n"), "nothing to do" in planned.out) == (0, 1, True)


def test_a_health_check_logs_and_counts_too(converged, tmp_path):
    log, metrics = tmp_path / "log", tmp_path / "phoenix.prom"
    converged.drift("zfs-property")
    arguments = ("--log-file", str(log), "verify", "-q", "--target", DATASET.partition("/")[2])
    assert converged.run(*arguments, "--metrics-file", str(metrics)).status == 1
    found = samples(metrics.read_text())
    assert found["phoenix_run_checks", "phoenix", "zfs_dataset", "failed", "verify"] == 1
    assert found["phoenix_run_checks", "phoenix", "zfs_dataset", "passed", "verify"] >= 1
    assert found["phoenix_resources", "phoenix", "zfs_dataset", "drift"] == 1
    assert found["phoenix_run_exit_status", "verify"] == 1
    assert found["phoenix_round_trips", "phoenix"] >= 1
    (line,) = [line for line in log.read_text().splitlines() if " warning " in line]
    assert f"{DATASET}: test_zfs_dataset.py::test_properties" in line
    assert " error   " in log.read_text().splitlines()[-1]


def test_no_secret_is_in_what_is_told(converged, tmp_path):
    log, metrics = tmp_path / "log", tmp_path / "phoenix.prom"
    converged.drift("samba-password")
    logged = ("--log-file", str(log), "--log-format", "json", "--log-level", "debug")
    ran = converged.run(*logged, "apply", "--events", "--metrics-file", str(metrics))
    assert ran.status == 0
    assert "<secret " in ran.out
    assert [event["resource"] for event in rows(ran.out) if event["event"] == "ran"]
    for text in (ran.out, ran.err, log.read_text(), metrics.read_text()):
        assert PASSWORD not in text
    assert {row["level"] for row in rows(log.read_text())} == {"debug", "info", "warning"}


def test_a_trace_of_each_run_is_sent_and_a_collector_that_is_down_stops_nothing(converged):
    service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    got = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    def run(*arguments):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        command = [sys.executable, "-m", "phoenix_hypervisor", "--site", str(converged.folder), *arguments]
        ran = subprocess.run(command, env=plain | told, capture_output=True, text=True, check=False)
        spans = [
            span
            for body in got
            for of_resource in service.ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in of_resource.scope_spans
            for span in scope.spans
        ]
        assert PASSWORD.encode() not in b"".join(got)
        got.clear()
        return ran, spans

    converged.drift("samba-password")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        applied, spans = run("apply", "--yes")
        verified, checked = run("verify", "-q", "--target", DATASET.partition("/")[2])
        server.shutdown()
        thread.join()
    assert (applied.returncode, verified.returncode) == (0, 0), (applied, verified)
    names = [span.name for span in spans]
    assert {*names} == {"phoenix apply", "load", "connect", "inspect", "step"} | ({*names} & {"render"})
    (whole,) = [span for span in spans if span.name == "phoenix apply"]
    assert {span.parent_span_id for span in spans if span is not whole} == {whole.span_id}
    facts = {
        one.key: one.value.string_value for span in spans if span.name == "step" for one in span.attributes
    }
    assert (facts["phoenix.host"], facts["phoenix.kind"]) == ("phoenix", "samba_user")
    assert "phoenix verify" in [span.name for span in checked]
    down, _ = run("plan")
    assert (down.returncode, down.stderr.count("\n")) == (0, 1), down
    assert down.stderr.startswith("traces were not ")


def test_a_watcher_tells_looks_as_events_and_metrics(converged, tmp_path):
    converged.append("\nwatch:\n  interval_seconds: 1\n", "configs/site.yaml")
    log = tmp_path / "log"
    watching = converged.start("--log-file", str(log), "watch", "--events", "--metrics-port", "0")
    try:
        end = time.monotonic() + 90

        def heard(word):
            path = watching.said / "out"
            return path.exists() and word in path.read_text()

        def until(word):
            while not heard(word):
                assert watching.alive, watching.end()
                assert time.monotonic() < end, (watching.said / "err").read_text()
                time.sleep(0.1)

        until('"result":"right"')
        converged.drift("zfs-property")
        until('"result":"differs"')
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/metrics", (watching.said / "err").read_text())
        with urllib.request.urlopen(address, timeout=30) as answer:
            found = samples(answer.read().decode())
        assert found["phoenix_resources", "phoenix", "zfs_dataset", "drift"] == 1
        assert found["phoenix_watch_looks_total", "phoenix", "differs"] >= 1
        assert found["phoenix_watch_files_wrong",] == 0
        os.kill(watching.pid, signal.SIGTERM)
        ended = watching.end()
    finally:
        with contextlib.suppress(ValueError):  # it was waited for
            watching.kill()
    assert ended.status == 0
    assert [line for line in ended.err.splitlines() if not line.startswith("metrics: http://")] == []
    told = rows(ended.out)
    assert [event["event"] for event in told[:2]] == ["run", "nodes"]
    (drift,) = [event for event in told if event["event"] == "news"]
    assert (drift["about"], drift["bad"]) == (DATASET, True)
    kept = rows(converged.run("show", told[0]["run"], "--json").out)
    assert kept == [event for event in told if event["event"] != "look"]
    runs = {re.split(" +", line)[2] for line in log.read_text().splitlines()}
    assert told[0]["run"] in runs
    assert len(runs) > 2  # the looks are runs of their own, in the same log


def test_a_port_that_is_taken_is_said_and_nothing_is_watched(converged):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ran = converged.run("watch", "--metrics-port", port)
    assert ran.status == 1
    assert "Address already in use" in ran.err
    ran = converged.run("watch", "--once", "--metrics-port", port)
    assert ran.status == 64
    assert "--metrics-file" in ran.err
