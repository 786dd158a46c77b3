"""A real Prometheus: it scrapes the watcher's endpoint, and our rules fire and recover."""

import json
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from tests.ports import free_port

from phoenix_hypervisor import registry
from phoenix_hypervisor.dialects import prometheus as dialect
from phoenix_hypervisor.firewall.ports import FACT, Network
from phoenix_hypervisor.kinds.prometheus_server import RULES
from phoenix_hypervisor.observe import metrics as numbers
from phoenix_hypervisor.observe.metrics import Metrics
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.resource import Given, Ref
from phoenix_hypervisor.services import SERVICE, Service
from phoenix_hypervisor.watch.endpoint import serving

pytestmark = pytest.mark.real
POOL = "pve/zfs_pool:tank"


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

        def ask(path, **words):
            """Return the `data` of an answer of its API."""
            query = urllib.parse.urlencode(words)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}?{query}", timeout=10) as answer:
                told = json.load(answer)
            assert told["status"] == "success", told
            return told["data"]

        firing.ask = ask
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
        board = json.loads(Path(numbers.__file__).with_name("dashboard.json").read_text())
        told = {}
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$site", ".*")
                told[panel["title"]] = firing.ask("/api/v1/query", query=expression)["result"]
        assert len(told) > 15
        assert [row["value"][1] for row in told["As declared"]] == ["1"]
        assert [row["value"][1] for row in told["Not as declared"]] == ["0"]
        assert [row["value"][1] for row in told["Files"]] == ["1"]
        assert [row["value"][1] for row in told["Targets down"]] == ["0"]


def tool(name):
    return shutil.which(name) or pytest.skip(f"no {name} here: it comes with Debian's packages")


def started(*argv):
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_the_configuration_of_a_site_is_taken_and_its_targets_are_up(tmp_path):
    """As its checks see it, with the exporter of a machine and one that is not there."""
    promtool, server, exporter = tool("promtool"), tool("prometheus"), tool("prometheus-node-exporter")
    node, own, nobody = free_port(), free_port(), free_port()
    made = registry.kind("prometheus_server").model_validate({
        "name": "watch", "scrape_seconds": 1,
        "rules": (Path(__file__).parents[2] / "configs/files/monitoring/rules.yaml").read_text(),
    })  # fmt: skip
    exporters = {"node": node, "gone": nobody}
    offers = [
        Given(SERVICE, name, Service("metrics", port, metrics="/metrics"), Ref("watch", "exporter", name))
        for name, port in exporters.items()
    ]
    made.bind([Given(*FACT, Network(), None), *offers])
    rules, config = tmp_path / "rules.yml", tmp_path / "prometheus.yml"
    rules.write_text(made.rules)
    config.write_text("# a comment\n" + made.config.replace(RULES, str(rules)))
    subprocess.run([promtool, "check", "rules", rules], check=True, capture_output=True)
    subprocess.run([promtool, "check", "config", config], check=True, capture_output=True)
    words = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{own}"]
    option = made_exporter(node).argv[1:]
    running = [started(exporter, *option), started(server, *words, f"--storage.tsdb.path={tmp_path}/data")]

    def health():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{own}/api/v1/targets", timeout=10) as answer:
                return dialect.health(answer.read().decode())
        except OSError:
            return {}

    try:
        place = f"127.0.0.1:{nobody}"
        refused = f'Get "http://{place}/metrics": dial tcp {place}: connect: connection refused'
        end = time.monotonic() + 120
        while (found := health()) != {"node watch/node": "up", "gone watch/gone": refused}:
            assert time.monotonic() < end, found
            time.sleep(0.2)
    finally:
        for one in running:
            one.terminate()
            one.wait(30)


def made_exporter(port):
    return registry.kind("prometheus_exporter").model_validate({"name": "node", "port": port})
