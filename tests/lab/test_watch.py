"""`phoenix watch` on a lab node: what changed is told once, and repaired only where the site allows it."""

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import threading
import time
import urllib.request

import pytest
from tests.lab.running import Sort

DATASET = "phoenix/zfs_dataset:fastData/heads-bulk-data"
SITE = "configs/site.yaml"


def until(condition, watching, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert watching.alive, watching.end()
        assert time.monotonic() < end, (watching.said / "err").read_text()
        time.sleep(0.1)


@pytest.fixture
def watched(converged):
    """A site, and what starts watchers on it that are gone at the end."""
    started = []

    def watch(*arguments):
        started.append(converged.start(*arguments, "watch", "--metrics-port", "0"))
        return started[-1]

    yield converged, watch
    for one in started:
        with contextlib.suppress(ValueError):  # it was waited for
            one.kill()


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        server.got = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def read(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read().decode()


def test_drift_is_told_everywhere_and_left_alone_then_repaired_when_that_is_allowed(watched, hook, tmp_path):
    converged, watch = watched
    told, log = converged.folder / "told", tmp_path / "log"
    ways = [f"{{ command: [tee, -a, {told}] }}"]
    if shutil.which("curl"):
        ways.append(f"{{ webhook: 'http://127.0.0.1:{hook.server_port}/' }}")
    converged.append(f"\nwatch:\n  interval_seconds: 1\n  notify: [{', '.join(ways)}]\n", SITE)
    converged.drift("zfs-property")
    watching = watch("--log-file", str(log))

    def said():
        path = watching.said / "err"
        return path.read_text() if path.exists() else ""

    until(lambda: f"drift: {DATASET}: compression: gzip-9 → lz4" in said(), watching)
    second = converged.run("watch")
    assert second.status == 1
    assert "this site is being watched already" in second.err
    assert f"{DATASET}: drift: compression: gzip-9 → lz4" in log.read_text()
    metrics, report = re.search(r"metrics: (http://\S+), report: (http://\S+)", said()).groups()
    assert re.search(
        r'^phoenix_resources\{.*kind="zfs_dataset",.*status="drift"\} 1\.0$', read(metrics), re.MULTILINE
    )
    page = read(report)
    assert f"<code>{DATASET}</code>" in page
    assert "<del>gzip-9</del>" in page
    until(lambda: len(hook.got) == len(ways) - 1, watching)
    assert [one["about"] for body in hook.got for one in body["news"]] == [DATASET] * (len(ways) - 1)
    acts = len(converged.all_acts())

    converged.edit(SITE, ("name: reference", "name: [reference"))
    until(lambda: "the last good ones are gone by" in said(), watching)
    assert len(converged.all_acts()) == acts  # it looked, and did nothing
    converged.edit(
        SITE,
        ("name: [reference", "name: reference"),
        ("  interval_seconds: 1", "  interval_seconds: 1\n  converge: hot"),
    )
    until(lambda: f"repaired: {DATASET}" in said(), watching)
    assert converged.all_acts()[acts:] == ["zfs set compression=lz4 fastData/heads-bulk-data"]
    until(lambda: "repaired" in str(hook.got) or len(ways) == 1, watching)

    converged.faults.set(Sort.REFUSE)
    until(lambda: "unseen: phoenix: " in said(), watching)
    os.kill(watching.pid, signal.SIGTERM)
    ended = watching.end()
    assert ended.status == 0
    assert ended.err.count(f"drift: {DATASET}") == 1
    assert "Traceback" not in ended.err
    documents = [json.loads(text) for text in told.read_text().replace("}{", "}\n{").splitlines()]
    sorts = [one["sort"] for document in documents for one in document["news"]]
    assert sorts == ["drift", "files", "files-right", "repaired", "unseen"]

    converged.faults.clear()
    runs = converged.run("history", "--json").document["runs"]
    (watch,) = [one for one in runs if one["verb"] == "watch" and one["exit"] == 0]
    shown = converged.run("show", watch["run"], "--json").out
    assert [json.loads(row)["sort"] for row in shown.splitlines() if '"news"' in row] == sorts


def test_looking_once_is_for_a_timer(converged):
    assert converged.run("watch", "--once").status == 0
    converged.drift("zfs-property")
    ran = converged.run("watch", "--once")
    assert ran.status == 2
    assert f"drift: {DATASET}" in ran.err


def test_what_needs_more_than_is_allowed_is_left_alone_as_a_whole(converged):
    converged.drift("export-options")
    before = converged.all_acts()
    ran = converged.run("apply", "--json", "--at-most", "hot")
    assert ran.status == 1
    assert "beyond `--at-most hot`" in str(ran.document["plan"]["entries"])
    assert converged.all_acts() == before
    assert converged.run("apply", "--yes", "--at-most", "reload").status == 0
