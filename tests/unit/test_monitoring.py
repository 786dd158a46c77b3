"""What is scraped follows from what is served; the lab's Prometheus asks it over real sockets."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.ports import free_port
from tests.unit.programs_running import ask, ended, running

from phoenix_hypervisor import registry
from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.network import network_of
from phoenix_hypervisor.dialects import prometheus
from phoenix_hypervisor.firewall.ports import FACT, REACHES, Network
from phoenix_hypervisor.resource import Given, GuestFacts, Offer, Ref
from phoenix_hypervisor.services import METRICS, NGINX_NUMBERS, SERVICE, Service

REPOSITORY = Path(__file__).resolve().parents[2]


def server(services, addresses, layers=(), **settings):
    made = registry.kind("prometheus_server").model_validate({"name": "watch", **settings})
    offers = [Given(SERVICE, ref.name, service, ref) for ref, service in services.items()]
    facts = [
        Given("guest", str(number), GuestFacts(name, str(number), "pve", "snapshot", ""), None)
        for number, name in enumerate(layers)
    ]
    made.bind([Given(*FACT, Network(addresses), None), *offers, *facts])
    return made


def test_who_has_metrics_is_asked_by_its_address_and_called_by_its_name():
    made = server(
        {
            Ref("chat", "vllm_server", "one"): Service("chat", 8000, metrics="/metrics"),
            Ref("store", "qdrant", "store"): Service("vector-store", 6333, metrics="/metrics"),
            Ref("pve", "prometheus_exporter", "node"): Service("metrics", 9100, metrics="/metrics"),
            Ref("watch", "prometheus_exporter", "node"): Service("metrics", 9100, metrics="/metrics"),
            Ref("six", "compose_app", "app"): Service("web", 443, "https", metrics="/own"),
            Ref("mute", "ollama", "mute"): Service("ollama", 11434),
            Ref("base", "prometheus_exporter", "node"): Service("metrics", 9100, metrics="/metrics"),
            Ref("lost", "qdrant", "lost"): Service("vector-store", 6333, metrics="/metrics"),
        },
        {
            "chat": ("10.0.0.5",),
            "store": ("10.0.0.6",),
            "pve": ("10.0.0.2",),
            "six": ("fd00::6",),
            "lost": (),
        },
        layers=["base"],
        scrape_seconds=5,
    )
    assert {one.label: (one.place, one.path, one.scheme) for one in made.targets} == {
        "vllm_server chat/one": ("10.0.0.5:8000", "/metrics", "http"),
        "qdrant store": ("10.0.0.6:6333", "/metrics", "http"),
        "node pve/node": ("10.0.0.2:9100", "/metrics", "http"),
        "node watch/node": ("127.0.0.1:9100", "/metrics", "http"),
        "compose_app six/app": ("[fd00::6]:443", "/own", "https"),
    }
    assert made.unreached == ("lost",)
    assert prometheus.flat("# a comment\n" + made.config) == {
        "global scrape_interval": "5s",
        "global scrape_timeout": "5s",
        "global evaluation_interval": "5s",
        "rule_files": [],
        "target vllm_server chat/one": ["10.0.0.5:8000"],
        "target qdrant store": ["10.0.0.6:6333"],
        "target node pve/node": ["10.0.0.2:9100"],
        "target node watch/node": ["127.0.0.1:9100"],
        "target compose_app six/app": [
            "[fd00::6]:443", ["__metrics_path__", "/own"], ["__scheme__", "https"],
        ],
    }  # fmt: skip


@pytest.mark.parametrize("written", ["[]", '{"scrape_configs": [1]}', "a: b", '{"global": 1}'])
def test_what_is_not_in_our_shape_is_no_configuration_of_ours(written):
    with pytest.raises(ValueError):
        prometheus.flat(written)


@pytest.mark.parametrize("answer", ["", "no", "[]", '{"data": {}}', '{"data": {"activeTargets": [{}]}}'])
def test_an_answer_that_is_none_says_nothing_of_targets(answer):
    assert prometheus.health(answer) == {}


def test_an_exporter_s_options_are_words_that_systemd_takes_as_they_are():
    made = registry.kind("prometheus_exporter").model_validate({
        "name": "nginx", "arguments": {"web.telemetry-path": "/a b", "nginx.plus": False, "log.level": "$x"},
    })  # fmt: skip
    made.bind([Given(NGINX_NUMBERS, "url", "http://127.0.0.1:8081/stub_status", None)])
    assert made.unit.text == (
        "[Service]\nExecStart=\nExecStart=/usr/bin/prometheus-nginx-exporter --web.listen-address=:9113 "
        '--nginx.scrape-uri=http://127.0.0.1:8081/stub_status "--web.telemetry-path=/a b" --no-nginx.plus '
        "--log.level=$$x $ARGS\n"
    )
    with pytest.raises(ValueError, match="needs `port`"):
        registry.kind("prometheus_exporter").model_validate({"name": "smokeping"})


def test_ports_of_metrics_alone_open_for_who_reads_metrics_and_no_gateway():
    site = load(REPOSITORY)
    network = network_of(site.inventory, site.facts.values(), site.resources)
    users = {
        f"{host} {one.port.number}": set(one.clients or ())
        for host, all_ in network.served.items()
        for one in all_
    }
    assert users["phoenix 9100"] == users["gateway 9113"] == {"monitoring"}
    assert users["vllm-chat 8000"] == users["vllm-embed 8000"] == {"gateway", "monitoring"}
    assert users["qdrant 6333"] >= {"gateway", "monitoring"}
    assert "monitoring" not in users["qdrant 6334"] | users["ollama 11434"]
    watching = site.resources[Ref("monitoring", "prometheus_server", "monitoring")]
    assert Offer(REACHES, "*", ("metrics", "tcp")) in list(watching.provides())
    assert METRICS == "metrics"
    assert {one.label for one in watching.targets} == {
        "node phoenix/node", "nginx gateway/nginx", "qdrant qdrant",
        "vllm_server vllm-chat/chat", "vllm_server vllm-embed/embed",
    }  # fmt: skip


def test_the_lab_s_prometheus_asks_and_tells_why_one_is_down(tmp_path):
    node, own, nobody = free_port(), free_port(), free_port()
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": job}}]}
        for job, port in (("node", node), ("gone", nobody))
    ]
    file = tmp_path / "prometheus.yml"
    file.write_text("# ours\n" + json.dumps({"scrape_configs": jobs}))
    (tmp_path / "phoenix.prom").write_text("phoenix_build_info 1\n")
    folder = f"--collector.textfile.directory={tmp_path}"
    with (
        running("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{node}", folder),
        running("prometheus", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{own}") as process,
    ):
        status, told = ask(node, "GET", "/metrics")
        assert status == 200
        assert {"phoenix_build_info 1", "node_textfile_scrape_error 0"} <= set(told.splitlines())
        assert ask(own, "GET", "/-/ready") == (200, "Prometheus Server is Ready.\n")
        _, answer = ask(own, "GET", "/api/v1/targets?state=active")
        place = f"127.0.0.1:{nobody}"
        refused = f'Get "http://{place}/metrics": dial tcp {place}: connect: connection refused'
        assert prometheus.health(json.dumps(answer)) == {"node node": "up", "gone gone": refused}
        file.write_text("{")
        process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while (info := ask(own, "GET", "/api/v1/status/runtimeinfo")[1]["data"])["reloadConfigSuccess"]:
            assert time.monotonic() < end, info
        assert prometheus.health(json.dumps(ask(own, "GET", "/api/v1/targets")[1])).keys() == {
            "node node", "gone gone",
        }  # fmt: skip
    assert ended("prometheus", f"--config.file={file}")[0] == 2
    assert ended("prometheus", "--bogus")[2].splitlines()[-1] == (
        "prometheus: error: unknown long flag '--bogus'"
    )


def test_the_lab_s_exporter_of_nginx_tells_whether_it_answers():
    own = free_port()
    words = (
        f"--web.listen-address=127.0.0.1:{own}",
        f"--nginx.scrape-uri=http://127.0.0.1:{free_port()}/stub_status",
    )
    with running("prometheus-nginx-exporter", *words):
        assert ask(own, "GET", "/metrics") == (200, "# TYPE nginx_up gauge\nnginx_up 0\n")


CARDS = """\
0, GPU-1, NVIDIA GeForce RTX 5060 Ti, 16311, 9000, 37, 51
1, GPU-2, NVIDIA GeForce RTX 5060 Ti, 16311, 0, [N/A], 33
"""


def test_what_cards_tell_becomes_metrics_and_nothing_stays_of_cards_that_say_nothing(tmp_path):
    folder, tool = tmp_path / "collected", tmp_path / "bin/nvidia-smi"
    folder.mkdir()
    tool.parent.mkdir()
    script = REPOSITORY / "configs/files/monitoring/gpu-metrics.sh"

    def look(says):
        tool.write_text(f"#!/bin/sh\n{says}\n")
        tool.chmod(0o755)
        path = f"{tool.parent}:{os.environ['PATH']}"
        subprocess.run(["sh", script, folder, "0"], check=True, env={"PATH": path}, timeout=60)
        return {file.name: file.read_text() for file in folder.iterdir()}

    found = look(f"printf '%s' '{CARDS}'")
    labels = 'uuid="GPU-{}",name="NVIDIA GeForce RTX 5060 Ti"'
    assert list(found) == ["gpu.prom"]
    assert {line for line in found["gpu.prom"].splitlines() if not line.startswith("#")} == {
        f'nvidia_gpu_memory_total_bytes{{gpu="0",{labels.format(1)}}} 17103323136',
        f'nvidia_gpu_memory_total_bytes{{gpu="1",{labels.format(2)}}} 17103323136',
        f'nvidia_gpu_memory_used_bytes{{gpu="0",{labels.format(1)}}} 9437184000',
        f'nvidia_gpu_memory_used_bytes{{gpu="1",{labels.format(2)}}} 0',
        f'nvidia_gpu_temperature_celsius{{gpu="0",{labels.format(1)}}} 51',
        f'nvidia_gpu_temperature_celsius{{gpu="1",{labels.format(2)}}} 33',
        f'nvidia_gpu_utilization_ratio{{gpu="0",{labels.format(1)}}} 0.37',
    }
    assert look("exit 9") == {}


NODE_TOOLS = {
    "pct": "VMID       Status     Lock         Name\n950        running                 vllm-chat\n"
    "952        stopped                 qdrant\n",
    "qm": "      VMID NAME    STATUS     MEM(MB)    BOOTDISK(GB) PID\n"
    "      8001 desktop running    8192  64.00 1234\n",
    "smartctl": "",
}
DISKS = {
    "--scan": {"devices": [{"name": "/dev/nvme0"}, {"name": "/dev/sda"}]},
    "/dev/nvme0": {
        "smart_status": {"passed": True}, "temperature": {"current": 41},
        "nvme_smart_health_information_log": {"percentage_used": 7},
    },
    "/dev/sda": {"smart_status": {"passed": False}},
}  # fmt: skip


def test_what_a_node_tells_of_guests_backups_and_disks_becomes_metrics(tmp_path):
    if shutil.which("jq") is None:
        pytest.skip("no jq here: the node has it")
    folder, tools, dumps = tmp_path / "collected", tmp_path / "bin", tmp_path / "dump"
    for one in (folder, tools, dumps):
        one.mkdir()
    for name, said in NODE_TOOLS.items():
        (tools / f"{name}.txt").write_text(said)
        (tools / name).write_text(f"#!/bin/sh\ncat '{tools}/{name}.txt'\n")
    cases = "".join(f"*' {disk} '*) echo '{json.dumps(said)}';;\n" for disk, said in DISKS.items())
    (tools / "smartctl").write_text(f'#!/bin/sh\ncase " $* " in\n{cases}esac\nexit 64\n'.replace(
        "*' --scan '*) ", "*' --scan '*) exec "  # its status counts; that of a disk is told by bits
    ))  # fmt: skip
    for tool in NODE_TOOLS:
        (tools / tool).chmod(0o755)
    for name, at in (
        ("lxc-950-2026_01_01-02_30_00.tar.zst", 1000),
        ("lxc-950-2026_01_02-02_30_00.tar.zst", 2000),
        ("lxc-950-2026_01_03-02_30_00.log", 3000),
        ("qemu-8001-2026_01_01-02_30_00.vma.zst", 1500),
    ):
        (dumps / f"vzdump-{name}").write_text("")
        os.utime(dumps / f"vzdump-{name}", (at, at))  # fmt: skip

    def look():
        script = REPOSITORY / "configs/files/monitoring/node-metrics.sh"
        env = {"PATH": f"{tools}:{os.environ['PATH']}"}
        words = ["sh", script, folder, "0", dumps, tmp_path / "none"]
        subprocess.run(words, check=True, env=env, timeout=60, stderr=subprocess.DEVNULL)
        return {file.name: file.read_text() for file in folder.iterdir()}

    found = look()
    assert list(found) == ["pve.prom"]
    assert [
        line for line in found["pve.prom"].splitlines() if "certificate" not in line and line[0] != "#"
    ] == [
        'pve_guest_running{type="lxc",vmid="950"} 1',
        'pve_guest_running{type="lxc",vmid="952"} 0',
        'pve_guest_running{type="qemu",vmid="8001"} 1',
        *sorted(line for line in found["pve.prom"].splitlines() if line.startswith("pve_backup")),
        'smart_healthy{disk="/dev/nvme0"} 1',
        'smart_healthy{disk="/dev/sda"} 0',
        'smart_temperature_celsius{disk="/dev/nvme0"} 41',
        'smart_wear_ratio{disk="/dev/nvme0"} 0.07',
    ]
    assert 'pve_backup_timestamp_seconds{vmid="950"} 2000\n' in found["pve.prom"]
    assert 'pve_backup_timestamp_seconds{vmid="8001"} 1500\n' in found["pve.prom"]
    (tools / "pct").write_text("#!/bin/sh\nexit 5\n")
    assert look() == {}  # old numbers would look like new ones


FIRING = {
    "TargetDown": 'up{job="x", instance="a"} 0',
    "ProcessorBusy": 'node_cpu_seconds_total{instance="a", mode="idle"} 0+6x400',
    "MemoryShort": (
        'node_memory_MemAvailable_bytes{instance="a"} 1',
        'node_memory_MemTotal_bytes{instance="a"} 100',
    ),
    "FileSystemFull": (
        'node_filesystem_avail_bytes{instance="a", mountpoint="/"} 5',
        'node_filesystem_size_bytes{instance="a", mountpoint="/"} 100',
    ),
    "PoolDegraded": 'node_zfs_zpool_state{instance="a", zpool="tank", state="degraded"} 1',
    "BackupOld": 'pve_backup_timestamp_seconds{instance="a", vmid="950"} -200000',
    "CertificateExpires": 'pve_certificate_expiry_timestamp_seconds{instance="a", file="x"} 600000',
    "DiskFailing": 'smart_healthy{instance="a", disk="/dev/sda"} 0',
    "CardHot": 'nvidia_gpu_temperature_celsius{instance="a", gpu="0"} 90',
    "CardMemoryFull": (
        'nvidia_gpu_memory_used_bytes{instance="a", gpu="0"} 99',
        'nvidia_gpu_memory_total_bytes{instance="a", gpu="0"} 100',
    ),
    "ModelQueueLong": 'vllm:num_requests_waiting{instance="a", model_name="m"} 11',
    "GatewayDown": 'nginx_up{instance="a"} 0',
    "PhoenixDrift": 'phoenix_resources{site="s", host="a", kind="k", status="drift"} 1',
    "PhoenixCouldNotTell": 'phoenix_resources{site="s", host="a", kind="k", status="unknown"} 1',
    "PhoenixNodeUnseen": (
        'phoenix_watch_look_success_timestamp_seconds{site="s", node="a"} 0+60x400',
        'phoenix_watch_look_timestamp_seconds{site="s", node="a"} 30+60x400',
    ),
    "PhoenixWatchStalled": 'phoenix_watch_look_timestamp_seconds{site="t", node="a"} 0',
    "PhoenixRepairFailed": 'phoenix_watch_steps_total{node="a", effect="hot", result="failed"} 0+1x400',
    "PhoenixFilesWrong": 'phoenix_watch_files_wrong{site="s"} 1',
    "PhoenixRunFailed": 'phoenix_run_exit_status{site="s", verb="apply"} 1',
}
"""Alert → the numbers for which it fires."""
CALM = {"up": "1", "nginx_up": "1", "smart_healthy": "1", "phoenix_run_exit_status": "0"}


def test_each_rule_fires_by_its_numbers_alone_and_is_silent_otherwise(tmp_path):
    """Prometheus's own rule tests; after three hours."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: it comes with Debian's package prometheus")
    rules = REPOSITORY / "configs/files/monitoring/rules.yaml"
    alerts = {
        rule["alert"]: rule for group in YAML(typ="safe").load(rules)["groups"] for rule in group["rules"]
    }
    assert alerts.keys() == FIRING.keys()
    tests = []
    for alert, written in FIRING.items():
        rows = [written] if isinstance(written, str) else written
        series = [
            {"series": name + "}", "values": value if "x" in value else f"{value}+0x400"}
            for name, value in ((row.rpartition("} ")[0], row.rpartition("} ")[2]) for row in rows)
        ]
        firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
        expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
        tests.append({
            "interval": "1m", "input_series": series,
            "promql_expr_test": [{"expr": firing, "eval_time": "3h", "exp_samples": expected}],
        })  # fmt: skip
    calm = [{"series": f'{name}{{instance="a"}}', "values": f"{value}+0x400"} for name, value in CALM.items()]
    tests.append({
        "interval": "1m", "input_series": calm,
        "promql_expr_test": [{"expr": "count(ALERTS)", "eval_time": "3h", "exp_samples": []}],
    })  # fmt: skip
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "5m", "tests": tests}))
    checked = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=300
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
