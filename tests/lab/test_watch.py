"""`phoenix watch` on a lab node: what changed is told once, and repaired only where the site allows it."""

import contextlib
import json
import os
import signal
import time

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

    def watch():
        started.append(converged.start("watch"))
        return started[-1]

    yield converged, watch
    for one in started:
        with contextlib.suppress(ValueError):  # it was waited for
            one.kill()


def test_drift_is_told_once_and_left_alone_then_repaired_when_that_is_allowed(watched):
    converged, watch = watched
    told = converged.folder / "told"
    converged.append(f"\nwatch:\n  interval_seconds: 1\n  notify: [{{ command: [tee, -a, {told}] }}]\n", SITE)
    converged.drift("zfs-property")
    watching = watch()

    def said():
        path = watching.said / "err"
        return path.read_text() if path.exists() else ""

    until(lambda: f"drift: {DATASET}: compression: gzip-9 → lz4" in said(), watching)
    second = converged.run("watch")
    assert second.status == 1
    assert "this site is being watched already" in second.err
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
