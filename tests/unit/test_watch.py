"""The watcher's parts, with looks that are made up: pace, news, files, the loop, and whom it tells."""

import gc
import http.server
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.config.model import Notice, Watch
from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.observe.metrics import Metrics
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.records.files import Writer
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.watch import systemd
from phoenix_hypervisor.watch.alone import alone
from phoenix_hypervisor.watch.files import KEPT, Files
from phoenix_hypervisor.watch.latest import Latest
from phoenix_hypervisor.watch.looking import Looking, repairable
from phoenix_hypervisor.watch.loop import Cycle, Policy, Watcher
from phoenix_hypervisor.watch.notify import document, notify
from phoenix_hypervisor.watch.pace import JITTER, LONGEST, Pace
from phoenix_hypervisor.watch.standing import News, Sort, Standing, news, standing
from phoenix_hypervisor.watch.voice import Voice

POOL = "pve/zfs_pool:tank"
DRIFT = Standing({POOL: (Sort.DRIFT, "autotrim: off → on")})
RIGHT = Standing()
AWAY = Standing(error="no answer for 8 seconds")


# --- pace


@given(st.floats(1, 1e6), st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0, 1))
def test_the_pace_stays_near_the_interval_and_slows_down_only_while_looking_fails(interval, failed, chance):
    pace = Pace(interval, lambda: chance)
    assert 0 <= pace.first() <= 10
    for one in failed:
        seconds = pace.next(failed=one)
        assert interval * (1 - JITTER) <= seconds <= max(interval, LONGEST) * (1 + JITTER)
        if not one:
            assert seconds <= interval * (1 + JITTER)


def test_each_failure_doubles_the_time_up_to_an_hour():
    pace = Pace(300, lambda: 0.5)
    assert [pace.next(failed=True) for _ in range(6)] == [300, 600, 1200, 2400, 3600, 3600]
    assert pace.next(failed=False) == 300


# --- what is news


def entry(resource, status, changes=(), steps=(), orphan=False, reasons=()):
    rows = [{"attribute": name, "actual": a, "desired": d} for name, a, d in changes]
    return {
        "resource": resource, "status": status, "changes": rows, "steps": list(steps), "orphan": orphan,
        "reasons": list(reasons),
    }  # fmt: skip


def test_a_plan_s_document_tells_what_is_wrong_in_words():
    found = standing(
        {
            "run": "20260101-000000-000000",
            "entries": [
                entry(POOL, "drift", [("autotrim", "off", "on")]),
                entry("pve/zfs_dataset:tank/a", "drift", [("present", False, True)]),
                entry("pve/samba_share:a", "blocked"),
                entry("pve/nfs_export:/tank", "unknown", reasons=["exportfs is missing"]),
            ],
            "resources": {
                POOL: "drift", "pve/zfs_dataset:tank/a": "drift", "pve/samba_share:a": "blocked",
                "pve/nfs_export:/tank": "unknown", "pve/zfs_arc:pve": "ok",
            },
        }
    )  # fmt: skip
    assert found.trouble == {
        POOL: (Sort.DRIFT, "autotrim: off → on"),
        "pve/zfs_dataset:tank/a": (Sort.DRIFT, "is missing"),
        "pve/nfs_export:/tank": (Sort.UNKNOWN, "exportfs is missing"),
    }
    assert (found.error, found.run) == ("", "20260101-000000-000000")


def test_what_an_apply_repaired_is_news_and_what_it_could_not_is_trouble():
    found = standing(
        {
            "plan": {
                "entries": [
                    entry(POOL, "drift", [("autotrim", "off", "on")]),
                    entry("pve/x:y", "drift", [("a", 1, 2)]),
                ],
                "resources": {POOL: "drift", "pve/x:y": "drift"},
            },
            "steps": [{"resource": POOL}],
            "resources": {POOL: "ok", "pve/x:y": "drift"},
            "stuck": {"pve/x:y": "needs a step with the effect restart"},
        }
    )
    assert found.repaired == {POOL: "autotrim: off → on"}
    assert found.trouble == {"pve/x:y": (Sort.DRIFT, "needs a step with the effect restart")}
    assert [one.sort for one in news("pve", None, found)] == [Sort.DRIFT, Sort.REPAIRED]


def test_a_node_of_which_nothing_is_known_is_one_piece_of_news():
    unknown = {
        "lost": {"pve": "connection refused"},
        "entries": [entry(f"pve/x:{n}", "unknown", reasons=["connection refused"]) for n in range(3)],
        "resources": {f"pve/x:{n}": "unknown" for n in range(3)},
    }
    found = standing(unknown)
    assert found == Standing(error="connection refused")
    assert list(news("pve", RIGHT, found)) == [News(Sort.UNSEEN, "pve", "connection refused")]


def test_news_is_told_once_for_each_change_of_state():
    looks = [RIGHT, DRIFT, DRIFT, AWAY, AWAY, DRIFT, RIGHT, RIGHT]
    told, before = [], None
    for now in looks:
        told.append([str(one) for one in news("pve", before, now)])
        before = now if not now.error else Standing(before.trouble, error=now.error)
    assert told == [
        [],
        [f"drift: {POOL}: autotrim: off → on"],
        [],
        ["unseen: pve: no answer for 8 seconds"],
        [],
        ["seen: pve"],
        [f"recovered: {POOL}"],
        [],
    ]


# --- what may be repaired


@pytest.mark.parametrize(
    ("steps", "hot", "reload"),
    [
        ([{"effect": "hot", "destroys": ""}], True, True),
        ([{"effect": "hot", "destroys": ""}, {"effect": "reload", "destroys": ""}], False, True),
        ([{"effect": "restart", "destroys": ""}], False, False),
        ([{"effect": "hot", "destroys": "all data in tank/a"}], False, False),
        ([], False, False),
    ],
)
def test_nothing_that_restarts_or_destroys_is_ever_begun(steps, hot, reload):
    plan = {"entries": [entry(POOL, "drift", steps=steps)]}
    assert (repairable(plan, "hot"), repairable(plan, "reload")) == (hot, reload)
    orphan = {"entries": [entry(POOL, "drift", steps=steps, orphan=True)]}
    assert not repairable(orphan, "reload")


def test_no_setting_allows_more_than_a_reload():
    for word in ("restart", "reboot", "all"):
        with pytest.raises(ValueError, match="converge"):
            Watch(converge=word)
    assert Watch().converge == "nothing"


# --- the files


@pytest.fixture
def site(tmp_path):
    (tmp_path / "configs/nodes").mkdir(parents=True)
    (tmp_path / "configs/site.yaml").write_text("name: a\n")
    (tmp_path / "configs/nodes/pve.yaml").write_text("")
    (tmp_path / "inventory").mkdir()
    (tmp_path / ".phoenix").mkdir()
    return tmp_path


def valid(folder):
    return "site.yaml:1:1: wrong" if "wrong" in (folder / "configs/site.yaml").read_text() else ""


def test_while_files_are_wrong_the_last_good_ones_count_and_that_is_told_once(site):
    told = []
    files = Files(site, valid, told.append)
    assert files.folder() == site
    (site / "configs/site.yaml").write_text("name: wrong\n")
    kept = files.folder()
    assert kept == site / KEPT
    assert (kept / "configs/site.yaml").read_text() == "name: a\n"
    assert (kept / ".phoenix").resolve() == site / ".phoenix"
    (site / "configs/site.yaml").write_text("name: wrong again\n")
    assert files.folder() == kept
    (site / "configs/site.yaml").write_text("name: b\n")
    assert files.folder() == site
    assert [one.sort for one in told] == [Sort.FILES, Sort.FILES_RIGHT]
    assert "the last good ones are gone by" in told[0].said


def test_a_watcher_that_begins_with_wrong_files_has_those_that_were_right_before(site):
    told = []
    Files(site, valid, told.append).folder()
    (site / "configs/site.yaml").write_text("name: wrong\n")
    assert Files(site, valid, told.append).folder() == site / KEPT
    shutil.rmtree(site / KEPT)
    assert Files(site, valid, told.append).folder() is None
    assert "nothing is looked at until they are right" in told[-1].said


def test_what_could_not_be_judged_is_judged_again(site):
    verdicts = [None, "site.yaml:1:1: wrong", ""]
    told = []
    files = Files(site, lambda _: verdicts.pop(0), told.append)
    assert files.folder() == site  # nothing is known against it
    assert files.folder() is None
    (site / "configs/site.yaml").write_text("name: b\n")
    assert files.folder() == site
    assert verdicts == []
    assert [one.sort for one in told] == [Sort.FILES, Sort.FILES_RIGHT]


def test_a_file_that_vanishes_while_it_is_read_and_a_full_disk_end_nothing(site, monkeypatch):
    from phoenix_hypervisor.watch import files as module

    files = Files(site, valid, lambda *_: None)
    assert files.folder() == site
    (site / "configs/site.yaml").write_text("name: b\n")

    def vanished(_site):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(module, "digest", vanished)
    assert files.folder() == site
    monkeypatch.undo()

    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.shutil, "copytree", full)
    assert files.folder() == site
    monkeypatch.undo()
    (site / "configs/site.yaml").write_text("name: wrong\n")
    assert files.folder() is None  # the older copy says what is no longer meant


# --- the loop


class Looks:
    """Looks that are made up: each node's standings one after the other, then the last for ever."""

    def __init__(self, **standings):
        self.standings = standings
        self.count = dict.fromkeys(standings, 0)
        self.at_once = self.most_at_once = 0
        self.went_by = set()
        self.stopped = threading.Event()

    def look(self, folder, node, converge):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.went_by.add((folder, converge))
        time.sleep(0.001)
        rows = self.standings[node]
        found = rows[min(self.count[node], len(rows) - 1)]
        self.count[node] += 1
        self.at_once -= 1
        return found

    def stop(self):
        self.stopped.set()


def watcher(site, looks, hear, watch=None, nodes=None):
    policy = Policy(watch or Watch(interval_seconds=1), frozenset(nodes or looks.standings))
    return Watcher(looks, Files(site, valid, lambda *_: None), lambda _: policy, hear)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.005)


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(Pace, "first", lambda _: 0)
    monkeypatch.setattr(Pace, "next", lambda self, *, failed: setattr(self, "failures", failed) or 0.0005)


def test_thousands_of_cycles_leave_no_thread_no_file_no_memory_and_no_news_that_is_none(site, fast):
    heard = []
    run = Run("watch", [Writer(site, heard.append), Metrics("home")])
    latest, voice = Latest(run.name, str(site)), Voice(site, run, heard.append)
    looks = Looks(a=[RIGHT, DRIFT, DRIFT, RIGHT, AWAY, RIGHT], b=[AWAY])

    def hear(cycle):
        voice.hear(cycle)
        latest.hear(cycle)

    def blocks():
        gc.collect()
        return sys.getallocatedblocks()

    def files_open():
        return len(os.listdir("/proc/self/fd"))

    made = watcher(site, looks, hear)
    others, files = set(threading.enumerate()), files_open()
    running = threading.Thread(target=made.run, kwargs={"every": 0.01})
    running.start()
    until(lambda: latest.number > 500, 120)
    before = blocks()
    until(lambda: latest.number > 3000, 240)
    assert blocks() < before + 1200  # what a look keeps would be there thousands of times
    assert len(set(threading.enumerate()) - others) == 3  # the loop, and one for each node
    assert files_open() <= files + 2
    made.stop()
    running.join(10)
    assert not running.is_alive()
    assert set(threading.enumerate()) <= others
    assert looks.stopped.is_set()
    assert sorted(heard) == sorted(
        [
            f"drift: {POOL}: autotrim: off → on",
            f"recovered: {POOL}",
            "unseen: a: no answer for 8 seconds",
            "seen: a",
            "unseen: b: no answer for 8 seconds",
        ]
    )


def test_a_node_that_hangs_holds_up_no_other(site, fast):
    free = threading.Event()
    looks = Looks(slow=[RIGHT], quick=[RIGHT])
    plain = looks.look

    def look(folder, node, converge):
        if node == "slow":
            free.wait(30)
        return plain(folder, node, converge)

    looks.look = look
    made = watcher(site, looks, lambda _: None)
    running = threading.Thread(target=made.run, kwargs={"every": 0.01})
    running.start()
    until(lambda: looks.count["quick"] > 50)
    assert looks.count["slow"] == 0
    free.set()
    made.stop()
    running.join(10)
    assert not running.is_alive()


def test_nodes_that_come_and_go_in_the_files_come_and_go(site, fast):
    looks = Looks(a=[RIGHT], b=[RIGHT])
    nodes = {"a"}
    made = Watcher(
        looks,
        Files(site, valid, lambda *_: None),
        lambda _: Policy(Watch(converge="reload"), frozenset(nodes)),
        lambda _: None,
    )
    running = threading.Thread(target=made.run, kwargs={"every": 0.01})
    running.start()
    until(lambda: looks.count["a"] > 3)
    assert looks.count["b"] == 0
    nodes |= {"b"}
    nodes -= {"a"}
    until(lambda: looks.count["b"] > 3)
    seen = looks.count["a"]
    until(lambda: looks.count["b"] > 50)
    assert looks.count["a"] <= seen + 1
    made.stop()
    running.join(10)
    assert looks.went_by == {(site, "reload")}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_watchdog_is_fed_only_while_every_node_has_its_thread(site, fast):
    class Broken(Looks):
        def look(self, folder, node, converge):
            if self.count[node] > 3:
                raise SystemExit  # ends the thread, and nothing else
            return super().look(folder, node, converge)

    fed = []
    looks = Broken(a=[RIGHT])
    made = watcher(site, looks, lambda _: None)
    running = threading.Thread(
        target=made.run, args=(lambda: fed.append(time.monotonic()),), kwargs={"every": 0.01}
    )
    running.start()
    until(lambda: looks.count["a"] > 3 and not made._nodes["a"].alive)  # it lived, and lives no more
    at = len(fed)
    time.sleep(0.1)
    assert len(fed) <= at + 1
    made.stop()
    running.join(10)


def test_a_look_that_files_were_changed_under_says_nothing_of_the_node(site):
    class Edited(Looks):
        def look(self, folder, node, converge):
            if not self.count[node]:
                (site / "configs/site.yaml").write_text("name: wrong\n")
            return super().look(folder, node, converge)

    looks, heard = Edited(a=[AWAY, AWAY]), []
    made = watcher(site, looks, heard.append)
    assert made.once() == []
    assert heard == []
    made.once()
    assert [cycle.standing for cycle in heard] == [AWAY]  # by the last good ones, and nobody changed anything


def test_once_looks_at_each_node_once(site):
    looks = Looks(a=[DRIFT], b=[AWAY])
    assert watcher(site, looks, lambda _: None).once() == [DRIFT, AWAY]
    assert looks.count == {"a": 1, "b": 1}


# --- one watcher, and those it tells


def test_a_second_watcher_is_told_who_watches(tmp_path):
    with (
        alone(tmp_path),
        pytest.raises(PhoenixError, match=f"already, by .*process {os.getpid()}"),
        alone(tmp_path),
    ):
        pass
    with alone(tmp_path):
        pass


class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        server.got, server.status = [], 204
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Values:
    def __init__(self, value):
        self._value = value.encode()

    def value(self, _name):
        return self._value


with_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
FRESH = [News(Sort.DRIFT, POOL, 'comment: "a" → b\\c\nd')]


@with_curl
def test_a_webhook_gets_the_news_as_json_and_its_secret_address_is_in_nobody_s_arguments(hook, monkeypatch):
    from phoenix_hypervisor import process

    argvs = []
    plain = process.run
    monkeypatch.setattr(process, "run", lambda argv, *a, **k: argvs.append(argv) or plain(argv, *a, **k))
    url = f"http://127.0.0.1:{hook.server_port}/services/T0/canary-9f3"
    warned = []
    notify([Notice(webhook=Secret("chat/hook"))], "home", FRESH, warned.append, Values(url))
    assert warned == []
    ((path, sort, body),) = hook.got
    assert (path, sort) == ("/services/T0/canary-9f3", "application/json")
    assert body["news"] == [{"sort": "drift", "about": POOL, "said": 'comment: "a" → b\\c\nd'}]
    assert (body["site"], body["bad"]) == ("home", True)
    assert "canary" not in str(argvs)


@with_curl
def test_who_could_not_be_told_is_said_and_the_others_are_told(hook, tmp_path):
    hook.status = 500
    url = f"http://127.0.0.1:{hook.server_port}/canary"
    warned = []
    ways = [
        Notice(webhook=Secret("chat/hook")),
        Notice(command=["false"]),
        Notice(command=["no-such-program-here"]),
        Notice(command=["tee", str(tmp_path / "told")]),
    ]
    notify(ways, "home", FRESH, warned.append, Values(url))
    assert json.loads((tmp_path / "told").read_text()) == json.loads(document("home", FRESH))
    assert len(warned) == 3
    assert "the webhook: curl: (22)" in warned[0]
    assert "canary" not in "".join(warned)


def test_recovery_is_not_bad():
    assert json.loads(document("home", [News(Sort.RECOVERED, POOL)]))["bad"] is False


@pytest.mark.parametrize(
    "wrong", [{}, {"command": ["x"], "webhook": "https://x"}, {"webhook": "ftp://x"}, {"command": []}]
)
def test_there_is_one_way_for_each(wrong):
    with pytest.raises(ValueError, match=r"either|webhook|command"):
        Notice(**wrong)


# --- systemd


def test_systemd_hears_that_we_are_ready_and_alive(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        told = systemd.Told({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        told.ready()
        told.alive()
        told.status("3 nodes,\nall as declared")
        told.stopping()
        said = [sock.recv(200).decode() for _ in range(4)]
    assert said == ["READY=1", "WATCHDOG=1", "STATUS=3 nodes, all as declared", "STOPPING=1"]
    told.alive()  # nobody listens any more
    systemd.Told({}).alive()


@pytest.mark.parametrize("local", [False, True])
def test_the_unit_is_one_that_systemd_takes(tmp_path, local):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: it comes with Debian's package systemd")
    site = tmp_path / "a site, 100%"
    (site / ".phoenix").mkdir(parents=True)
    program = shutil.which("true")
    text = systemd.unit("phoenix-watch-home", site, [program, "-m", "a b"], "root", local=local)
    assert f'ExecStart={program} -m "a b" --site "{tmp_path}/a site, 100%%" watch\n' in text
    assert ("ProtectSystem=strict" in text, "{" in text) == (not local, False)
    file = tmp_path / "phoenix-watch-home.service"
    file.write_text(text)
    checked = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", str(file)], capture_output=True, text=True, check=False
    )
    ours = [line for line in checked.stderr.splitlines() if "phoenix-watch-home" in line]
    assert (checked.returncode, ours) == (0, []), checked


def test_the_timer_is_one_that_systemd_takes_and_starts_a_look(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: it comes with Debian's package systemd")
    program = shutil.which("true")
    texts = {
        "phoenix-watch-home.service": systemd.unit("home", tmp_path, [program], "root", once=True),
        "phoenix-watch-home.timer": systemd.timer("home", 300),
    }
    assert f"ExecStart={program} --site {tmp_path} watch --once\n" in texts["phoenix-watch-home.service"]
    assert "OnUnitInactiveSec=300s\nRandomizedDelaySec=30s\n" in texts["phoenix-watch-home.timer"]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    words = ["systemd-analyze", "--man=no", "verify", *(str(tmp_path / name) for name in texts)]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "phoenix-watch-home" in line]
    assert (checked.returncode, ours) == (0, []), checked


def test_a_timer_and_a_service_are_installed_one_in_the_place_of_the_other(site, monkeypatch, capsys):
    from phoenix_hypervisor import cli
    from phoenix_hypervisor.cli import service

    asked = []
    folder = site / "systemd"
    folder.mkdir()
    (site / "inventory/hosts.yaml").write_text("pve: {hostname: 10.0.0.2}\n")
    monkeypatch.setattr(service, "FOLDER", folder)
    monkeypatch.setattr(service, "_systemctl", lambda *words: asked.append(" ".join(words)))

    def run(*words):
        asked.clear()
        assert cli.run(["--site", str(site), "service", *words]) == 0
        return [*asked], sorted(path.name for path in folder.iterdir())

    both = ["phoenix-watch-a.service", "phoenix-watch-a.timer"]
    assert run("install", "--timer") == (["daemon-reload", "enable --now phoenix-watch-a.timer"], both)
    assert "watch --once" in (folder / both[0]).read_text()
    changed = ["disable --now phoenix-watch-a.timer", "daemon-reload", "enable --now phoenix-watch-a.service"]
    assert run("install") == (changed, both[:1])
    assert run("install", "--timer", "--print") == ([], both[:1])
    assert "[Timer]" in capsys.readouterr().out
    assert run("remove") == (["disable --now phoenix-watch-a.service", "daemon-reload"], [])


def test_stopping_from_a_signal_while_a_look_is_being_started_waits_for_nobody(tmp_path):
    looking = Looking()
    with looking._changing:  # the signal's handler runs in the thread that holds it
        looking.stop()
    assert looking.valid(tmp_path) is None


def test_the_looks_that_run_are_interrupted_and_no_other_begins(tmp_path):
    looking = Looking()
    looking.stop()
    assert "stopping" in looking.look(tmp_path, "pve", "nothing").error


# --- bad luck: restarts of the watcher, an hour away, signals, full disks


def notified(site, told):
    return [one for body in told.read_text().split("\n") if body for one in json.loads(body)["news"]]


def test_one_state_is_told_once_though_watchers_end_and_begin(site, tmp_path):
    told, said = tmp_path / "told", []
    told.touch()
    script = tmp_path / "tell"
    script.write_text(f'#!/bin/sh\ncat >>"{told}"\necho >>"{told}"\n')
    script.chmod(0o755)
    head = f"name: a\nwatch:\n  notify: [{{command: ['{script}']}}]\n"
    (site / "configs/site.yaml").write_text(head)

    def once(*standings, wrong=""):
        """A watcher of its own for each look, as a timer starts them."""
        for one in standings:
            voice = Voice(site, Run("watch"), said.append)
            files = Files(site, lambda _: wrong, voice.say)
            Watcher(Looks(pve=[one]), files, voice.read, voice.hear, voice.memory.of).once()
        found = [f"{one['sort']} {one['about'].rpartition('/')[2]}" for one in notified(site, told)]
        told.write_text("")
        return found

    assert once(RIGHT, DRIFT, DRIFT) == ["drift zfs_pool:tank"]
    assert said.count(f"drift: {POOL}: autotrim: off → on") == 2  # who begins one sees how things are
    assert once(AWAY, AWAY, DRIFT) == ["unseen pve", "seen pve"]
    assert once(RIGHT, RIGHT) == ["recovered zfs_pool:tank"]
    assert once(RIGHT, RIGHT, wrong="site.yaml:1:1: wrong") == [f"files {site.name}"]
    assert once(RIGHT, DRIFT) == [f"files-right {site.name}", "drift zfs_pool:tank"]
    memory = site / ".phoenix/watch/told.json"
    assert oct(memory.stat().st_mode)[-3:] == "600"
    for text in ("", "[]", '{"version": 1, "nodes": {"pve": 3}}', '{"version": 1, "nodes": []}'):
        memory.write_text(text)
        assert once(DRIFT) == ["drift zfs_pool:tank"]  # nothing is known: better twice than never
    assert once(DRIFT) == []


def test_a_node_that_is_away_for_an_hour_is_told_twice_and_tried_a_handful_of_times(monkeypatch):
    from phoenix_hypervisor.watch import loop

    clock, looked, told = [0.0], [], []

    class Ending:
        """An event whose time goes as fast as it is waited for."""

        def wait(self, seconds):
            clock[0] += seconds
            return clock[0] > 4 * 3600

    def look(_node):
        looked.append(clock[0])
        return AWAY if 3600 <= clock[0] < 7200 else DRIFT

    monkeypatch.setattr(time, "time", lambda: -1e9 * len(looked))  # the wall clock jumps at each look
    node = loop._Node("pve", 300, look, lambda cycle: told.extend(cycle.fresh))
    node._ending = Ending()
    node._run()
    assert [one.sort for one in told] == [Sort.DRIFT, Sort.UNSEEN, Sort.SEEN]
    assert len([at for at in looked if 3600 <= at < 7200]) <= 6
    back = next(at for at in looked if at >= 7200)
    assert back - 7200 <= LONGEST * (1 + JITTER)
    after = [at for at in looked if at >= back]
    assert max(b - a for a, b in itertools.pairwise(after)) <= 300 * (1 + JITTER)


def test_a_full_disk_keeps_no_watcher_from_watching(site, monkeypatch):
    from phoenix_hypervisor.watch import alone as module
    from phoenix_hypervisor.watch import memory

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    said = []
    monkeypatch.setattr(module.os, "pwrite", full)
    monkeypatch.setattr(memory.json, "dump", full)
    with alone(site):
        with pytest.raises(PhoenixError, match="already, by another process"), alone(site):
            pass
        voice = Voice(site, Run("watch", [Writer(site, said.append)]), said.append)
        monkeypatch.setattr("phoenix_hypervisor.records.files.os.open", full)
        files = Files(site, valid, voice.say)
        looks = Looks(pve=[DRIFT, RIGHT])
        made = Watcher(looks, files, voice.read, voice.hear, voice.memory.of)
        assert [made.once(), made.once()] == [[DRIFT], [RIGHT]]
    assert [line.partition(":")[0] for line in said] == [
        "no record of this run is kept",
        "drift",
        "recovered",
    ]


@pytest.fixture
def phoenix_is(tmp_path, monkeypatch):
    """Let looks start a program of ours instead of phoenix."""

    def make(text):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return Looking()

    return make


HOT = [{"effect": "hot", "destroys": ""}]
PLANNED = json.dumps({"run": "", "lost": {}, "entries": [], "resources": {POOL: "ok"}})


def test_hundreds_of_looks_leave_no_process_and_no_pipe(phoenix_is, tmp_path):
    looking = phoenix_is(f"echo '{PLANNED}'; echo warning >&2")

    def left():
        children = [*Path("/proc/self/task").glob("*/children")]
        return len(os.listdir("/proc/self/fd")), sum(len(one.read_text().split()) for one in children)

    looking.look(tmp_path, "pve", "hot")
    before = left()
    assert {looking.look(tmp_path, "pve", "hot").error for _ in range(300)} == {""}
    assert (left(), looking._children) == (before, set())


def test_a_step_that_runs_when_the_watcher_is_stopped_ends_and_is_told(phoenix_is, tmp_path):
    repaired = {
        "plan": {
            "run": "", "lost": {},
            "entries": [entry(POOL, "drift", [("autotrim", "off", "on")], HOT)],
            "resources": {POOL: "drift"},
        },
        "resources": {POOL: "ok"}, "steps": [{"resource": POOL}], "stuck": {}, "reasons": {},
    }  # fmt: skip
    looking = phoenix_is(
        f"""case " $* " in
*" plan "*) echo '{json.dumps(repaired["plan"])}' ;;
*) trap 'stop=yes' INT
   : >"{tmp_path}/step"
   while [ -z "$stop" ]; do sleep 0.02; done
   echo '{json.dumps(repaired)}' ;; # the step ended, and what it did is known
esac"""
    )
    found = []
    running = threading.Thread(target=lambda: found.append(looking.look(tmp_path, "pve", "hot")))
    running.start()
    until((tmp_path / "step").exists)
    looking.stop()
    running.join(60)
    assert [one.repaired for one in found] == [{POOL: "autotrim: off → on"}]
    assert "stopping" in looking.look(tmp_path, "pve", "hot").error


def test_systemctl_status_says_how_the_nodes_stand():
    latest = Latest("x", "/srv/lab")
    assert latest.words() == "0 nodes"
    for node, one in (("a", {"exit": 0}), ("b", {"exit": 2}), ("c", {"exit": 0})):
        document = {**json.loads(PLANNED), **one}
        latest.hear(Cycle(node, Standing(document=document), 1.0, ()))
    latest.hear(Cycle("d", AWAY, 1.0, ()))
    assert latest.words() == "4 nodes: 2 as declared, 1 not, 1 could not be told"
