"""What listens to a run besides its record: the log, and a program on stdout."""

import errno
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.cli import run as call
from phoenix_hypervisor.records import log
from phoenix_hypervisor.records.events import Run
from phoenix_hypervisor.records.log import LEVELS, Log, Settings
from phoenix_hypervisor.records.streams import Stdout
from phoenix_hypervisor.resource import Effect, Ref
from phoenix_hypervisor.secrets import Secret

POOL = Ref("pve", "zfs_pool", "tank")
PLAN = {
    "lost": {"away": "no answer for 8 seconds"},
    "entries": [
        {
            "resource": POOL.full,
            "status": "drift",
            "changes": [{"attribute": "autotrim", "actual": "off", "desired": "on"}],
            "reasons": [],
        },
        {"resource": "pve/x:y", "status": "blocked", "changes": [], "reasons": ["needs zfs_pool:tank"]},
    ],
    "notices": {"pve": ["restart it some time"]},
    "resources": {POOL.full: "drift", "pve/x:y": "blocked", "pve/x:z": "ok"},
}
RAN = {"resource": POOL.full, "title": "zpool set", "effect": Effect.HOT, "seconds": 0.21}


def tell_all(listener):
    """A run in which everything happens that ever does."""
    run = Run("apply", [listener])
    run.begin(["phoenix", "apply"])
    run.tell("revision", {"revision": "0123456789ab+"})
    run.tell("plan", {"plan": PLAN})
    run.tell("step", {"resource": POOL, "title": "zpool set", "effect": Effect.HOT})
    run.tell("lock", {"resource": POOL, "title": "zpool set", "lock": "storage:x", "holder": "pve/lxc:900"})
    run.tell("waits", {"node": "pve", "words": "it restarts"})
    run.tell("ran", {**RAN, "status": 0, "said": ""})
    run.tell("ran", {**RAN, "status": 1, "said": "cannot\nset: \x1b[31mno"})
    run.tell("fixed", {"resource": POOL})
    run.tell("stuck", {"resource": POOL, "reason": "it did not help"})
    run.tell("outcome", {"resources": {POOL.full: "ok"}})
    run.tell("check", {"resource": None, "check": "test_x.py::test_y", "outcome": "failed", "reason": "no"})
    run.tell("checks", {"counts": {"passed": 3, "failed": 1}})
    run.tell("nodes", {"nodes": {"pve", "away"}})
    run.tell("look", {"node": "pve", "result": "right", "seconds": 1.5})
    run.tell("news", {"sort": "unseen", "about": "pve", "said": "no answer", "bad": True})
    run.tell("news", {"sort": "files-right", "about": "/srv/site", "said": "", "bad": False})
    run.tell("something new", {"words": 1})
    run.tell("error", {"message": "no"})
    run.end(1)
    return run


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def written(tmp_path, warnings):
    def write(form="human", level="debug"):
        path = tmp_path / "log"
        run = tell_all(Log(Settings(path, form, level), warnings.append))
        assert warnings == []
        return run, path.read_text().splitlines()

    return write


def test_each_event_is_a_line_for_people_with_time_level_run_and_what_it_is_about(written):
    run, lines = written()
    who = lines[0].partition(f"info    {run.name} ")[2].partition(" runs ")[0]
    assert {line[23:29] for line in lines} == {"+00:00"}
    assert [f"{line[30:37].rstrip()} {line.partition(f' {run.name} ')[2]}" for line in lines] == [
        f"info {who} runs `phoenix apply`",
        "debug by the files of 0123456789ab+",
        "error away: cannot be looked at: no answer for 8 seconds",
        "warning pve/zfs_pool:tank: drift: autotrim: off → on",
        "debug pve/x:y: blocked: needs zfs_pool:tank",
        "info pve: notice: restart it some time",
        "info inspected: resources are 1 blocked, 1 drift, 1 ok",
        "debug pve/zfs_pool:tank: begins [hot] zpool set",
        "debug pve/zfs_pool:tank: zpool set waits for storage:x: pve/lxc:900 has it",
        "info pve: it restarts",
        "info pve/zfs_pool:tank: ran [hot] zpool set (0.2 s)",
        "error pve/zfs_pool:tank: ran [hot] zpool set (0.2 s): it ended with 1: cannot\\x0aset: \\x1b[31mno",
        "info pve/zfs_pool:tank: as declared now",
        "error pve/zfs_pool:tank: it did not help",
        "info resources are 1 ok now",
        "warning test_x.py::test_y: failed: no",
        "info checks: 1 failed, 3 passed",
        "info watches away, pve",
        "debug pve: looked: right (1.5 s)",
        "warning pve: unseen: no answer",
        "info /srv/site: files-right",
        "debug something new",
        "error no",
        "error ended with 1 after 0.0 s",
    ]


def test_json_has_run_host_and_resource_of_each_line(written):
    run, lines = written("json")
    rows = [json.loads(line) for line in lines]
    assert {tuple(row) for row in rows} == {("at", "level", "run", "event", "host", "resource", "message")}
    assert {row["run"] for row in rows} == {run.name}
    about = [(row["event"], row["host"], row["resource"]) for row in rows if row["level"] == "error"]
    assert about == [
        ("plan", "away", None),
        ("ran", "pve", POOL.full),
        ("stuck", "pve", POOL.full),
        ("error", None, None),
        ("end", None, None),
    ]
    (failed,) = [row for row in rows if row["event"] == "ran" and row["level"] == "error"]
    assert failed["message"].endswith("cannot\nset: \x1b[31mno")
    assert [row["host"] for row in rows if row["event"] == "news"] == ["pve", None]


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_below_the_level_is_left_out(written, level):
    _, lines = written("json", level)
    found = {json.loads(line)["level"] for line in lines}
    assert found == set(LEVELS[LEVELS.index(level) :])


def test_a_secret_is_in_the_log_by_its_name(tmp_path, warnings):
    run = Run("apply", [Log(Settings(tmp_path / "log", "json", "debug"), warnings.append)])
    run.tell("error", {"message": Secret("samba/heads", None)})
    assert "<secret samba/heads>" in (tmp_path / "log").read_text()


def test_the_log_is_its_owner_s_and_goes_on_where_it_was_moved_away(tmp_path, warnings):
    path = tmp_path / "log"
    run = Run("plan", [Log(Settings(path), warnings.append)])
    run.begin(["phoenix", "plan"])
    assert oct(path.stat().st_mode)[-3:] == "600"
    path.rename(tmp_path / "log.1")
    run.end(0)
    assert path.read_text().endswith("ended with 0 after 0.0 s\n")


def nowhere(tmp_path):
    return tmp_path / "missing/log"


def a_folder(tmp_path):
    return tmp_path


def a_pipe_without_a_reader(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def a_full_disk(_tmp_path):
    return "/dev/full"


@pytest.mark.parametrize("place", [nowhere, a_folder, a_pipe_without_a_reader, a_full_disk])
def test_a_file_that_cannot_be_written_is_said_once_and_the_run_goes_on(tmp_path, warnings, place):
    heard = []
    run = Run("apply", [Log(Settings(place(tmp_path)), warnings.append), heard.append])
    run.begin(["phoenix", "apply"])
    run.end(0)
    assert len(warnings) == 1
    assert warnings[0].startswith("no log is written: /")
    assert warnings[0].endswith("; the run goes on")
    assert [event["event"] for event in heard] == ["run", "end"]


@given(st.text(), st.text(max_size=20))
def test_whatever_a_program_says_a_line_of_the_log_stays_a_line(tmp_path_factory, said, about):
    path = tmp_path_factory.mktemp("log") / "log"
    for form in log.FORMATS:
        run = Run("apply", [Log(Settings(path, form), pytest.fail)])
        run.tell("ran", {**RAN, "resource": about, "status": 1, "said": said})
    human, document = path.read_bytes().decode().split("\n")[:-1]
    assert human.isprintable()
    assert json.loads(document)["message"].endswith(said)


def test_the_environment_of_a_health_check_says_the_same_as_the_options(tmp_path, warnings):
    settings = Settings(tmp_path / "log", "json", "debug")
    assert log.from_environment(settings.environment, warnings.append) == settings
    assert log.from_environment({}, warnings.append) is None
    assert warnings == []
    odd = {log.FILE: str(tmp_path / "log"), log.LEVEL: "loud", log.FORMAT: ""}
    assert log.from_environment(odd, warnings.append) == Settings(tmp_path / "log")
    assert warnings == ["PHOENIX_LOG_LEVEL is `loud`; it may be debug, info, warning, error; `info` is taken"]


def test_a_level_without_a_file_is_a_mistake(capsys):
    assert call(["--log-level", "debug", "kinds"]) == 64
    assert "`--log-level` is about a log, and there is none" in capsys.readouterr().err


def test_events_and_a_document_do_not_share_stdout(capsys, tmp_path):
    for verb in ("plan", "apply"):
        assert call(["--site", str(tmp_path), verb, "--events", "--json"]) == 64
        assert "both want stdout" in capsys.readouterr().err


def test_a_program_reads_each_event_as_it_happens(capfd, warnings):
    run = Run("apply", [Stdout(warnings.append)])
    run.tell("error", {"message": "ä\udcff\n"})
    (row,) = capfd.readouterr().out.splitlines()
    assert json.loads(row)["message"] == "ä\udcff\n"
    run.end(0)
    assert json.loads(capfd.readouterr().out)["event"] == "end"


def test_a_program_that_reads_no_more_is_said_once_and_the_run_goes_on(monkeypatch, warnings):
    reading, writing = os.pipe()
    os.close(reading)
    heard = []
    with os.fdopen(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        run = Run("apply", [Stdout(warnings.append), heard.append])
        run.begin(["phoenix", "apply"])
        run.end(0)
        gone.flush()  # as at the end of the process: what was left in the buffer hurts nobody
    assert warnings == [f"events cannot be written to stdout: {os.strerror(errno.EPIPE)}; the run goes on"]
    assert [event["event"] for event in heard] == ["run", "end"]
