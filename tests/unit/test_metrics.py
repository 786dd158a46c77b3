"""Metrics: what is counted of runs and looks, the file for node_exporter, the endpoint, the alert rules."""

import gc
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from tests.packaging import documents

import phoenix_hypervisor.lab
from phoenix_hypervisor import __version__
from phoenix_hypervisor.cli import run as call
from phoenix_hypervisor.cli import watch
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.observe import metrics as numbers
from phoenix_hypervisor.observe.metrics import FAMILIES, Metrics
from phoenix_hypervisor.observe.metrics_file import MetricsFile, text
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.records.files import Writer, found
from phoenix_hypervisor.watch.endpoint import _Asked, serving
from phoenix_hypervisor.watch.files import KEPT

POOL, SHARE = "pve/zfs_pool:tank", "box/host_file:/etc/x"
ALERTS = Path(numbers.__file__).with_name("alerts.yaml")


def samples(written):
    """Name and labels (without `site`) → number."""
    rows = {}
    for family in text_string_to_metric_families(written):
        for one in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in one.labels.items() if k != "site")
            rows[f"{one.name}{{{labels}}}"] = one.value
    return rows


def of(metrics):
    return samples(text(metrics.site, metrics.values()).decode())


def apply(listener, *, status=0, verb="apply"):
    """A run that repairs a pool with a step that works, and one that does not."""
    run = Run(verb, [listener])
    run.begin(["phoenix", verb])
    run.tell("plan", {"plan": {"resources": {POOL: "drift", SHARE: "ok"}}})
    if verb == "apply":
        for step in (0, 0, 1):
            run.tell("ran", {"resource": POOL, "effect": "hot", "status": step})
        run.tell("outcome", {"resources": {POOL: "ok", SHARE: "ok"}})
    run.end(status, round_trips={"pve": 4})
    return run


def look(run, node, result, resources=None, steps=()):
    facts = {"resources": resources or {}, "steps": steps, "round_trips": {node: 3} if resources else {}}
    run.tell("look", {"node": node, "result": result, "seconds": 1.5, **facts})


# --- what is counted


def test_a_run_leaves_statuses_steps_times_and_round_trips():
    metrics = Metrics("lab")
    before = time.time()
    apply(metrics)
    rows = of(metrics)
    assert before - 1 < rows["phoenix_run_timestamp_seconds{verb=apply}"] < time.time() + 1
    assert rows["phoenix_run_success_timestamp_seconds{verb=apply}"] >= before - 1
    assert {name: n for name, n in rows.items() if "seconds" not in name and n} == {
        f"phoenix_build_info{{version={__version__}}}": 1,
        "phoenix_resources{host=pve,kind=zfs_pool,status=ok}": 1,
        "phoenix_resources{host=box,kind=host_file,status=ok}": 1,
        "phoenix_round_trips{host=pve}": 4,
        "phoenix_run_steps{effect=hot,result=failed,verb=apply}": 1,
        "phoenix_run_steps{effect=hot,result=ok,verb=apply}": 2,
    }
    assert rows["phoenix_resources{host=pve,kind=zfs_pool,status=drift}"] == 0
    assert rows["phoenix_run_exit_status{verb=apply}"] == 0
    assert 0 <= rows["phoenix_run_duration_seconds{verb=apply}"] < 60


def test_a_health_check_leaves_its_checks_by_host_and_kind():
    metrics = Metrics("lab")
    run = Run("verify", [metrics])
    run.begin(["pytest", "verify/"])
    of_pool = {"passed": 3, "failed": 1}
    facts = {"of": {"pve/zfs_pool": of_pool, "box/host_file": {"unknown": 2}}, "resources": {POOL: "drift"}}
    run.tell("checks", {"counts": {"passed": 3, "failed": 1, "unknown": 2}, **facts})
    run.end(1, round_trips={"pve": 3})
    rows = of(metrics)
    checks = {name.partition("{")[2]: n for name, n in rows.items() if name.startswith("phoenix_run_checks")}
    assert {name for name, n in checks.items() if not n} == {
        f"{about},outcome={outcome},verb=verify}}"
        for about, outcomes in (
            ("host=pve,kind=zfs_pool", ("unknown", "skipped")),
            ("host=box,kind=host_file", ("passed", "failed", "skipped")),
        )
        for outcome in outcomes
    }
    assert checks["host=pve,kind=zfs_pool,outcome=passed,verb=verify}"] == 3
    assert checks["host=box,kind=host_file,outcome=unknown,verb=verify}"] == 2
    assert rows["phoenix_resources{host=pve,kind=zfs_pool,status=drift}"] == 1
    assert rows["phoenix_round_trips{host=pve}"] == 3
    assert rows["phoenix_run_exit_status{verb=verify}"] == 1
    assert "phoenix_run_success_timestamp_seconds{verb=verify}" not in rows


@pytest.mark.parametrize(
    ("verb", "status", "well"),
    [("plan", 0, True), ("plan", 2, True), ("plan", 3, False), ("apply", 0, True), ("apply", 2, False)],
)
def test_a_plan_went_well_when_it_could_tell_and_an_apply_when_nothing_is_left(verb, status, well):
    metrics = Metrics("lab")
    apply(metrics, status=status, verb=verb)
    assert (f"phoenix_run_success_timestamp_seconds{{verb={verb}}}" in of(metrics)) is well


def test_a_watcher_counts_looks_and_keeps_what_it_knew_of_a_node_that_is_away():
    metrics = Metrics("lab")
    run = Run("watch", [metrics])
    run.begin(["phoenix", "watch"])
    run.tell("nodes", {"nodes": ["pve", "new"]})
    look(run, "pve", "differs", {POOL: "drift", SHARE: "ok"})
    step = {"resource": POOL, "effect": "hot", "status": 0}
    look(run, "pve", "repaired", {POOL: "ok", SHARE: "ok"}, [step])
    look(run, "pve", "unseen")
    look(run, "new", "unseen")
    rows = of(metrics)
    looks = {name: n for name, n in rows.items() if name.startswith("phoenix_watch_looks_total{node=pve")}
    assert looks == {
        "phoenix_watch_looks_total{node=pve,result=right}": 0,
        "phoenix_watch_looks_total{node=pve,result=repaired}": 1,
        "phoenix_watch_looks_total{node=pve,result=differs}": 1,
        "phoenix_watch_looks_total{node=pve,result=unseen}": 1,
    }
    assert rows["phoenix_watch_steps_total{effect=hot,node=pve,result=ok}"] == 1
    assert rows["phoenix_resources{host=pve,kind=zfs_pool,status=ok}"] == 1
    assert rows["phoenix_resources{host=pve,kind=zfs_pool,status=drift}"] == 0
    assert rows["phoenix_round_trips{host=pve}"] == 3
    assert rows["phoenix_watch_look_duration_seconds{node=pve}"] == 1.5
    well = rows["phoenix_watch_look_success_timestamp_seconds{node=pve}"]
    assert 0 < well <= rows["phoenix_watch_look_timestamp_seconds{node=pve}"]
    assert rows["phoenix_watch_look_success_timestamp_seconds{node=new}"] == 0
    run.end(0)
    assert not [name for name in of(metrics) if name.startswith("phoenix_run_")]


def test_a_node_that_is_watched_no_longer_is_not_told_of():
    metrics = Metrics("lab")
    run = Run("watch", [metrics])
    run.begin(["phoenix", "watch"])
    look(run, "pve", "differs", {POOL: "drift"}, [{"effect": "hot", "status": 1}])
    look(run, "new", "right", {"new/zfs_pool:tank": "ok"})
    run.tell("nodes", {"nodes": ["new"]})
    assert not [name for name in of(metrics) if "=pve" in name]
    assert "phoenix_resources{host=new,kind=zfs_pool,status=ok}" in of(metrics)


def test_files_that_are_wrong_are_a_number_and_other_news_is_none():
    metrics = Metrics("lab")
    run = Run("watch", [metrics])
    run.begin(["phoenix", "watch"])
    wrong = []
    for sort in ("drift", "files", "unseen", "files-right"):
        run.tell("news", {"sort": sort, "about": "x", "said": "", "bad": True})
        wrong.append(of(metrics)["phoenix_watch_files_wrong{}"])
    assert wrong == [0, 1, 1, 0]


def test_looks_are_told_and_not_kept(tmp_path):
    heard = []
    run = Run("watch", [Writer(tmp_path, pytest.fail), heard.append])
    look(run, "pve", "right")
    run.end(0)
    assert [event["event"] for event in heard] == ["look", "end"]
    assert [event["event"] for event in found(tmp_path, "last")] == ["end"]


def test_names_follow_the_conventions_and_no_label_is_without_bounds():
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"phoenix_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (family.sort == "counter")
        assert ("timestamp" in name or "duration" in name) == name.endswith("_seconds")
        known = {"host", "kind", "status", "node", "verb", "effect", "result", "outcome", "version"}
        assert set(family.labels) <= known
        assert family.says.endswith(".")


def test_the_page_about_them_has_each_with_its_labels():
    rows = documents.table((documents.PROJECT / "docs/observability.md").read_text(), "| metric | labels")
    said = {name.strip("`"): tuple(re.findall("`([a-z]+)`", labels)) for name, labels, *_ in rows}
    assert said == {name: family.labels for name, family in FAMILIES.items()}


def test_the_client_library_is_imported_only_when_metrics_are_asked_for():
    code = "import sys; from phoenix_hypervisor.cli import {}; sys.exit('prometheus_client' in sys.modules)"
    modules = "apply, plan, watch, work, listening, recording, metrics"
    assert subprocess.run([sys.executable, "-c", code.format(modules)], check=False).returncode == 0


# --- the file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "phoenix.prom"


def into(file, **told):
    warnings = []
    apply(MetricsFile(file, Path("/srv/lab"), warnings.append), **told)
    return warnings


def test_the_file_is_for_all_to_read_and_replaced_at_once(file):
    before = os.umask(0o077)
    try:
        assert into(file) == []
    finally:
        os.umask(before)
    assert oct(file.stat().st_mode)[-3:] == "644"
    with file.open() as reading:  # somebody reads while it is replaced
        first = reading.read(10)
        assert into(file) == []
        assert samples(first + reading.read())
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert 'site="lab"' in file.read_text()
    assert file.read_text().count("# TYPE phoenix_resources gauge") == 1


def test_plan_and_apply_share_a_file_and_a_failure_keeps_when_it_last_went_well(file):
    into(file, verb="plan", status=2)
    into(file)
    well = samples(file.read_text())["phoenix_run_success_timestamp_seconds{verb=apply}"]
    into(file, status=1)
    rows = samples(file.read_text())
    assert rows["phoenix_run_exit_status{verb=plan}"] == 2
    assert rows["phoenix_run_exit_status{verb=apply}"] == 1
    assert rows["phoenix_run_success_timestamp_seconds{verb=apply}"] == well
    assert rows["phoenix_run_timestamp_seconds{verb=apply}"] >= well
    assert rows["phoenix_run_steps{effect=hot,result=ok,verb=apply}"] == 2


def test_a_run_that_could_not_begin_is_in_the_file(file):
    run = Run("apply", [MetricsFile(file, Path("/srv/lab"), pytest.fail)])
    run.begin(["phoenix", "apply"])
    run.end(64)
    rows = samples(file.read_text())
    assert rows["phoenix_run_exit_status{verb=apply}"] == 64
    assert not [name for name in rows if name.startswith("phoenix_resources")]


@settings(deadline=None)  # the machine may be busy
@given(
    st.one_of(
        st.binary(max_size=60), st.text(alphabet='phoenix_run{}="# \n1.e,\\', max_size=60).map(str.encode)
    )
)
def test_whatever_lies_there_already_is_replaced(tmp_path_factory, rubbish):
    file = tmp_path_factory.mktemp("metrics") / "phoenix.prom"
    file.write_bytes(rubbish)
    assert into(file) == []
    assert samples(file.read_text())["phoenix_run_exit_status{verb=apply}"] == 0


def test_numbers_of_another_site_or_another_shape_are_not_kept(file):
    file.write_text(
        'phoenix_run_exit_status{site="other",verb="plan"} 1\n'
        'phoenix_run_exit_status{site="lab",verb="plan",more="x"} 1\n'
        'phoenix_run_unknown{site="lab",verb="plan"} 1\n'
        'phoenix_resources{site="lab",host="gone",kind="x",status="ok"} 1\n'
    )
    into(file)
    assert not re.search(
        "other|plan|unknown{|gone", "\n".join(samples(file.read_text())).replace("status=", "")
    )


def test_a_place_where_nothing_can_be_written_is_said_and_the_run_goes_on(tmp_path):
    (said,) = into(tmp_path / "missing/phoenix.prom")
    assert said.startswith("no metrics are written: ")
    assert said.endswith("No such file or directory; the run goes on")
    (tmp_path / "folder").mkdir()
    (said,) = into(tmp_path / "folder")
    assert "the run goes on" in said
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]  # nothing half-written is left


# --- the endpoint


def asked(port, address="127.0.0.1"):
    asking = http.client.HTTPConnection(address, port, timeout=30)
    asking.request("GET", "/metrics")
    answer = asking.getresponse()
    body = answer.read().decode()
    asking.close()
    return answer, body


def test_what_is_counted_is_served_as_it_is_now():
    metrics = Metrics("lab")
    run = Run("watch", [metrics])
    with serving(metrics, "127.0.0.1", 0) as port:
        answer, body = asked(port)
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/plain")
        assert not [name for name in samples(body) if "looks" in name]
        look(run, "pve", "right", {POOL: "ok"})
        assert samples(asked(port)[1])["phoenix_watch_looks_total{node=pve,result=right}"] == 1
        with socket.create_connection(("127.0.0.1", port)):  # who never asks holds up nobody
            assert asked(port)[0].status == 200
    with pytest.raises(OSError, match="refused"):
        asked(port)


def test_a_port_that_is_taken_is_said_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PhoenixError) as error, serving(Metrics("lab"), "127.0.0.1", port):
            pass
    said = str(error.value)
    assert f"cannot serve metrics on 127.0.0.1 port {port}: Address already in use" in said
    assert "--metrics-port N" in said


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", ".."])
def test_an_address_that_is_none_of_ours_is_said(address):
    with pytest.raises(PhoenixError, match="cannot serve metrics on "), serving(Metrics("lab"), address, 0):
        pass


def test_who_connects_and_does_not_ask_is_let_go_without_a_word(monkeypatch, capfd):
    monkeypatch.setattr(_Asked, "timeout", 0.05)
    with (
        serving(Metrics("lab"), "127.0.0.1", 0) as port,
        socket.create_connection(("127.0.0.1", port)) as mute,
    ):
        mute.settimeout(30)
        assert mute.recv(1) == b""
    assert capfd.readouterr() == ("", "")


def test_thousands_of_scrapes_leave_no_thread_and_no_file():
    metrics = Metrics("lab")
    run = Run("watch", [metrics])
    look(run, "pve", "right", {POOL: "ok"})

    def files_open():
        return len(os.listdir("/proc/self/fd"))

    with serving(metrics, "127.0.0.1", 0) as port:
        asked(port)
        threads, files = threading.active_count(), files_open()
        for _ in range(1000):
            look(run, "pve", "right", {POOL: "ok"})
            asked(port)
        assert threading.active_count() <= threads + 3
        assert files_open() <= files + 3
        assert samples(asked(port)[1])["phoenix_watch_looks_total{node=pve,result=right}"] == 1001


def endpoint(tmp_path, text, port=None, address=None):
    (tmp_path / "configs").mkdir(exist_ok=True)
    (tmp_path / "configs/site.yaml").write_text(text)
    return watch._endpoint(tmp_path, port, address)


def test_the_site_may_say_where_and_the_command_line_has_the_last_word(tmp_path):
    given = "name: lab\nwatch: {metrics_port: 9810, metrics_address: '::1'}\n"
    assert endpoint(tmp_path, "name: lab\n") == (None, "127.0.0.1")
    assert endpoint(tmp_path, given) == (9810, "::1")
    assert endpoint(tmp_path, given, 0, "192.0.2.1") == (0, "192.0.2.1")
    shutil.copytree(tmp_path / "configs", tmp_path / KEPT / "configs")
    assert endpoint(tmp_path, "name: [wrong") == (9810, "::1")  # the last good files count here, too


def test_garbage_is_collected_in_a_watcher(tmp_path):
    gc.disable()  # as the main program does, for verbs that are short
    try:
        assert call(["--site", str(tmp_path), "watch", "--once", "--metrics-port", "1"]) == 64
        assert gc.isenabled()
    finally:
        gc.enable()


# --- the alert rules


def rules():
    (group,) = YAML(typ="safe").load(ALERTS.read_text())["groups"]
    return group["rules"]


def test_every_metric_and_label_that_a_rule_names_is_there():
    assert len({rule["alert"] for rule in rules()}) == len(rules()) >= 7
    for rule in rules():
        named = set(re.findall(r"phoenix_[a-z_]+", rule["expr"]))
        assert named
        assert named <= FAMILIES.keys()
        labels = {"site"}.union(*(FAMILIES[name].labels for name in named))
        used = set(re.findall(r"(\w+)(?:=~?)\"", rule["expr"]))
        used |= set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert used <= labels
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_values_that_rules_ask_for_are_values_there_are():
    expressions = " ".join(rule["expr"] for rule in rules())
    statuses = set(re.findall(r"status=~?\"([a-z|]+)\"", expressions))
    assert statuses == {"drift|unhealthy", "unknown"}
    assert {one for words in statuses for one in words.split("|")} <= {s.value for s in numbers.Status}
    assert set(re.findall(r'result="(\w+)"', expressions)) == {numbers._result({"status": 1})}


def test_prometheus_s_own_checker_takes_the_rules_and_the_metrics(tmp_path):
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: it comes with Debian's package prometheus")
    checked = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    metrics = Metrics("lab")
    apply(metrics)
    look(Run("watch", [metrics]), "pve", "right", {POOL: "ok"}, [{"effect": "hot", "status": 0}])
    written = text("lab", metrics.values())
    linted = subprocess.run(["promtool", "check", "metrics"], input=written, capture_output=True, check=False)
    assert (linted.returncode, linted.stderr) == (0, b"")


def dashboard():
    return json.loads(ALERTS.with_name("dashboard.json").read_text())


PROMQL = {
    "and", "avg", "by", "count", "increase", "label_values", "max", "or", "rate", "sum", "time", "vector",
}  # fmt: skip
"""Words of expressions that are no metrics."""


def named(expression):
    """The metrics of an expression, and the labels it selects or sums by."""
    labels = {word for found in re.findall(r"by \(([^)]*)\)", expression) for word in found.split(", ")}
    labels |= set(re.findall(r"(\w+)(?:=~?|!=|!~)\"", expression))
    bare = re.sub(r"by \([^)]*\)|\{[^}]*\}|\[[^]]*\]", " ", expression)
    words = set(re.findall(r"[a-z_][\w:]*", bare)) - PROMQL
    return words, labels


def platform_metrics():
    """What the services of the lab tell, which is a part of what the real ones do."""
    programs = Path(phoenix_hypervisor.lab.__file__).parent / "programs"
    found = set()
    for file in programs.glob("*.py"):
        found |= set(re.findall(r"\"((?:node|nginx|vllm)[_:][A-Za-z_]+)\"", file.read_text()))
        found |= set(re.findall(r"# TYPE (\w+) ", file.read_text()))
    cards = (Path(__file__).parents[2] / "configs/files/monitoring/gpu-metrics.sh").read_text()
    found |= set(re.findall(r"nvidia_gpu_\w+", cards))
    node = (Path(__file__).parents[2] / "configs/files/monitoring/node-metrics.sh").read_text()
    found |= set(re.findall(r"(?:pve|smart)_\w+", node))
    return found | {"up", "node_zfs_zpool_state"}  # the lab's kernel has no ZFS that would tell


def test_every_expression_of_the_dashboard_and_the_rules_names_only_metrics_that_there_are():
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    told = [(target["expr"], target["legendFormat"]) for panel in panels for target in panel["targets"]]
    assert len(panels) > 15
    assert len({panel["id"] for panel in panels}) == len(panels)
    told += [(found["query"], "") for found in dashboard()["templating"]["list"] if found["name"] == "site"]
    known = FAMILIES.keys() | platform_metrics()
    for expression, legend in told:
        names, labels = named(re.sub(r"label_values\((\w+), \w+\)", r"\1", expression))
        assert names, expression
        assert names <= known, expression
        ours = names & FAMILIES.keys()
        of_legend = set(re.findall(r"\{\{(\w+)\}\}", legend))
        for name in ours:
            assert (labels | of_legend) <= {"site", *FAMILIES[name].labels}, expression
    assert {name for expression, _ in told for name in named(expression)[0]} >= {
        "phoenix_resources", "up", "nginx_up", "node_cpu_seconds_total", "vllm:num_requests_waiting",
    }  # fmt: skip


def test_the_reference_site_s_rules_are_ours_and_name_only_what_there_is():
    file = Path(__file__).parents[2] / "configs/files/monitoring/rules.yaml"
    assert file.read_text().startswith(ALERTS.read_text())
    groups = YAML(typ="safe", pure=True).load(file.read_text())["groups"]
    platform = next(group["rules"] for group in groups if group["name"] == "platform")
    known = FAMILIES.keys() | platform_metrics()
    assert len(platform) >= 7
    for rule in platform:
        assert named(rule["expr"])[0] <= known, rule["expr"]
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_the_rules_and_the_names_are_printed(capsys):
    assert call(["metrics", "--alerts"]) == 0
    assert capsys.readouterr().out == ALERTS.read_text()
    assert call(["metrics", "--dashboard"]) == 0
    assert json.loads(capsys.readouterr().out) == dashboard()
    assert call(["metrics", "--alerts", "--dashboard"]) == 64
    assert "ask for one" in capsys.readouterr().err
    assert call(["metrics"]) == 0
    out = capsys.readouterr().out
    assert [name for name in FAMILIES if name not in out] == []


def test_times_are_read_as_they_were_told():
    assert (
        numbers._seconds({"at": "2026-01-01T00:00:00.500+00:00"})
        == datetime(2026, 1, 1, microsecond=500_000, tzinfo=UTC).timestamp()
    )
