"""A real Prometheus: it scrapes the watcher's endpoint, and our rules fire and recover."""

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from phoenix_hypervisor.observe import metrics as numbers
from phoenix_hypervisor.observe.metrics import Metrics
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.watch.endpoint import serving

pytestmark = pytest.mark.real
POOL = "pve/zfs_pool:tank"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture
def prometheus(tmp_path):
    """Start a Prometheus that scrapes a port each second; yields what asks it for firing alerts."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus here: it is Debian's package prometheus")
    started = []

    def start(scraped):
        rules = Path(numbers.__file__).with_name("alerts.yaml").read_text()
        quick = "\n".join(line for line in rules.splitlines() if not line.startswith("        for: "))
        (tmp_path / "rules.yaml").write_text(quick + "\n")  # nobody waits a quarter of an hour for a test
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(tmp_path / "rules.yaml")],
            "scrape_configs": [
                {"job_name": "phoenix", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
            ],
        }
        (tmp_path / "prometheus.yaml").write_text(json.dumps(settings))  # JSON is YAML
        port = free_port()
        argv = [
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yaml",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (tmp_path / "said").open("w") as said:
            started.append(
                subprocess.Popen([*argv, f"--storage.tsdb.path={tmp_path}/data"], stdout=said, stderr=said)
            )

        def firing():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=10) as answer:
                    alerts = json.load(answer)["data"]["alerts"]
            except OSError:
                return None  # it has not begun yet
            found = {one["labels"]["alertname"]: one for one in alerts if one["state"] == "firing"}
            return {name: one["annotations"]["summary"] for name, one in found.items()}

        return firing

    yield start
    for one in started:
        one.send_signal(signal.SIGTERM)
        one.wait(30)


def until(told, wanted, tmp_path):
    end = time.monotonic() + 120
    while (now := told()) != wanted:
        assert time.monotonic() < end, (now, (tmp_path / "said").read_text())
        time.sleep(0.2)


def test_rules_fire_when_a_node_drifts_and_recover_with_it(prometheus, tmp_path):
    metrics = Metrics("lab")
    run = Run("watch", [metrics])

    def look(result, status):
        facts = {"resources": {POOL: status}, "steps": [], "round_trips": {"pve": 3}}
        run.tell("look", {"node": "pve", "result": result, "seconds": 1.0, **facts})

    run.begin(["phoenix", "watch"])
    look("right", "ok")
    with serving(metrics, "127.0.0.1", 0) as port:
        firing = prometheus(port)
        until(firing, {}, tmp_path)
        look("differs", "drift")
        drift = {"PhoenixDrift": "pve: 1 of zfs_pool not as declared"}
        until(firing, drift, tmp_path)
        look("unseen", "")
        until(firing, {**drift, "PhoenixNodeUnseen": "pve cannot be looked at"}, tmp_path)
        look("repaired", "ok")
        until(firing, {}, tmp_path)
        run.tell("news", {"sort": "files", "about": "/srv/lab", "said": "wrong", "bad": True})
        until(
            firing,
            {"PhoenixFilesWrong": "lab: the site's files are wrong; the last good ones are gone by"},
            tmp_path,
        )
