"""Records of runs: what is kept, what is read back, and that a run never fails because of them."""

import errno
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.errors import ExitCode, PhoenixError, UsageError
from phoenix_hypervisor.observe import history_screen
from phoenix_hypervisor.records import files, revision
from phoenix_hypervisor.records.events import Run, line, who
from phoenix_hypervisor.resource import Effect, Ref
from phoenix_hypervisor.secrets import Secret


@pytest.fixture
def warnings():
    return []


def recorded(site, warnings, verb="apply", end=0):
    run = Run(verb, [files.Writer(site, warnings.append)])
    run.begin(["phoenix", verb])
    if end is not None:
        run.end(end)
    return run


def test_an_event_is_one_line_of_json_with_references_as_people_write_them(tmp_path, warnings):
    run = recorded(tmp_path, warnings, end=None)
    facts = {
        "resource": Ref("pve", "zfs_pool", "tank"),
        "effect": Effect.RELOAD,
        "words": {"b", "a"},
        "secret": Secret("samba/heads", None),
        "each": {Ref("pve", "zfs_pool", "tank"): (1, None)},
    }
    run.tell("step", facts)
    run.end(ExitCode.FAILED, round_trips={"pve": 3})
    first, told, end = files.found(tmp_path, "last")
    assert (first["event"], first["verb"], first["who"], first["version"]) == ("run", "apply", who(), 1)
    assert told["resource"] == "pve/zfs_pool:tank"
    assert told["effect"] == "reload"
    assert told["words"] == ["a", "b"]
    assert told["secret"] == "<secret samba/heads>"
    assert told["each"] == {"pve/zfs_pool:tank": [1, None]}
    assert (end["exit"], end["round_trips"]) == (1, {"pve": 3})
    assert {event["run"] for event in (first, told, end)} == {run.name}


def test_records_are_for_their_owner_only(tmp_path, warnings):
    recorded(tmp_path, warnings)
    folder = tmp_path / files.FOLDER
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"600"}


def test_a_run_ends_once(tmp_path, warnings):
    run = recorded(tmp_path, warnings, end=2)
    run.end(0)
    assert [event["exit"] for event in files.found(tmp_path, run.name) if event["event"] == "end"] == [2]


def test_a_disk_that_is_full_is_said_once_and_the_run_goes_on(tmp_path, warnings, monkeypatch):
    run = recorded(tmp_path, warnings, end=None)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "open", full)
    run.tell("step")
    monkeypatch.undo()
    run.tell("step")
    run.end(0)
    assert len(warnings) == 1
    assert "No space left on device" in warnings[0]
    assert "the run goes on" in warnings[0]
    assert [event["event"] for event in files.found(tmp_path, "last")] == ["run"]


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path, warnings):
    (tmp_path / ".phoenix").write_text("a file in the way")
    recorded(tmp_path, warnings)
    assert len(warnings) == 1


def test_a_line_that_was_cut_counts_as_not_written(tmp_path, warnings):
    run = recorded(tmp_path, warnings, end=None)
    path = tmp_path / files.FOLDER / f"{run.name}.jsonl"
    path.write_text(path.read_text() + '{"event":"ran","stat')
    (record,) = files.listed(tmp_path)
    assert (record.run["verb"], record.end, record.counts) == ("apply", {}, {"run": 1})
    assert "cut, or still at work" in "\n".join(history_screen.lines([record]))
    assert "cut, or still at work" in "\n".join(history_screen.told_again(files.found(tmp_path, "last")))


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(b'{"event": 3}'), st.just(b'["event"]'))))
def test_whatever_lies_in_a_record_it_can_be_listed_and_told(tmp_path_factory, rows):
    site = tmp_path_factory.mktemp("site")
    (site / files.FOLDER).mkdir(parents=True)
    good = line({"run": "20260101-000000-000001", "event": "run", "at": "?"}).encode()
    (site / files.FOLDER / "20260101-000000-000001.jsonl").write_bytes(b"\n".join([good, *rows]))
    assert list(history_screen.lines(files.listed(site)))
    assert list(history_screen.told_again(files.found(site, "last")))


def test_the_oldest_go_and_what_is_not_ours_stays(tmp_path, warnings, monkeypatch):
    monkeypatch.setattr(files, "KEPT", 3)
    folder = tmp_path / files.FOLDER
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"2020010{number + 1}-000000-000000.jsonl").write_text("")
    (folder / "0-mine.jsonl").write_text("")
    run = recorded(tmp_path, warnings)
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == [
        "0-mine.jsonl",
        "20200104-000000-000000.jsonl",
        "20200105-000000-000000.jsonl",
        f"{run.name}.jsonl",
    ]


def test_a_run_is_found_by_how_its_name_begins(tmp_path):
    folder = tmp_path / files.FOLDER
    folder.mkdir(parents=True)
    for name in ("20260101-000000-000001", "20260102-000000-000001", "20260102-000001-000001"):
        (folder / f"{name}.jsonl").write_text(line({"run": name, "event": "run"}) + "\n")
    assert files.found(tmp_path, "20260101")[0]["run"] == "20260101-000000-000001"
    assert files.found(tmp_path, "last")[0]["run"] == "20260102-000001-000001"
    with pytest.raises(UsageError, match="may be 20260102-000000-000001 or 20260102-000001-000001"):
        files.found(tmp_path, "20260102")
    with pytest.raises(UsageError, match="no run `2025`"):
        files.found(tmp_path, "2025")


def test_where_nothing_was_run_there_is_nothing_to_show(tmp_path):
    assert files.listed(tmp_path) == []
    assert "no runs are recorded" in next(history_screen.lines([]))
    with pytest.raises(PhoenixError, match="no runs are recorded"):
        files.found(tmp_path, "last")


def test_events_of_many_threads_do_not_tear_each_other(tmp_path, warnings):
    run = recorded(tmp_path, warnings, end=None)
    threads = [
        threading.Thread(target=lambda: [run.tell("x", {"words": "y" * 500}) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = (tmp_path / files.FOLDER / f"{run.name}.jsonl").read_text()
    assert len([json.loads(row) for row in text.splitlines()]) == 401


def test_the_digest_is_another_one_when_a_file_is(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/site.yaml").write_text("name: a\n")
    first = revision.revision(tmp_path)
    assert first.startswith("files ")
    assert revision.revision(tmp_path) == first
    (tmp_path / "notes.txt").write_text("says nothing of what there should be")
    assert revision.revision(tmp_path) == first
    (tmp_path / "configs/site.yaml").write_text("name: b\n")
    assert revision.revision(tmp_path) != first


def test_the_revision_is_the_commit_and_a_plus_when_files_differ_from_it(tmp_path):
    from phoenix_hypervisor import process

    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/site.yaml").write_text("name: a\n")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        assert process.run(["git", "-C", str(tmp_path), *words]).status == 0
    commit = revision.revision(tmp_path)
    assert len(commit) == 12
    (tmp_path / "elsewhere").write_text("")
    assert revision.revision(tmp_path) == commit
    (tmp_path / "configs/site.yaml").write_text("name: b\n")
    assert revision.revision(tmp_path) == f"{commit}+"


def test_a_record_that_vanished_begins_anew_with_who_began_the_run(tmp_path, warnings):
    run = recorded(tmp_path, warnings, verb="watch", end=None)
    for path in (tmp_path / files.FOLDER).iterdir():
        path.unlink()  # the oldest of many, or by hand
    run.tell("news", {"sort": "drift"})
    run.end(0)
    assert [event["event"] for event in files.found(tmp_path, run.name)] == ["run", "news", "end"]
    assert warnings == []


def test_a_record_that_is_written_for_months_keeps_its_latest_half(tmp_path, warnings):
    run = Run("watch", [files.Writer(tmp_path, warnings.append, longest=20_000)])
    run.begin(["phoenix", "watch"])
    for number in range(400):
        run.tell("news", {"said": str(number)})
        (path,) = (tmp_path / files.FOLDER).iterdir()
        assert path.stat().st_size < 20_200
    found = files.found(tmp_path, "last")
    assert (found[0]["event"], found[-1]["said"]) == ("run", "399")
    assert [int(event["said"]) for event in found[1:]] == list(range(400 - len(found) + 1, 400))
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert warnings == []


def test_records_of_a_clock_that_was_wrong_are_the_oldest_and_hide_no_others(tmp_path, warnings, monkeypatch):
    monkeypatch.setattr(files, "KEPT", 2)
    folder = tmp_path / files.FOLDER
    folder.mkdir(parents=True)
    (folder / "20990101-000000-000000.jsonl").write_text(line({"run": "late", "event": "run"}) + "\n")
    run = recorded(tmp_path, warnings)
    assert files.found(tmp_path, "last")[0]["run"] == run.name
    assert [one.name for one in files.listed(tmp_path)] == [run.name, "20990101-000000-000000"]
    second = recorded(tmp_path, warnings)
    assert [one.name for one in files.listed(tmp_path)] == [second.name, run.name]


def test_a_clock_that_jumps_changes_no_duration(tmp_path, warnings, monkeypatch):
    from phoenix_hypervisor.records import events

    told = []
    run = Run("apply", [told.append])
    monkeypatch.setattr(events.time, "time", lambda: -1e9)
    with run.phase("inspect"):
        pass
    run.end(0)
    assert [0 <= event["seconds"] < 600 for event in told] == [True, True]
