"""What a run leaves behind: a record of each plan, apply and health check, and nothing that counts."""

import os
import shutil
import subprocess
import sys

import pytest
from tests.lab.running import REPOSITORY

DATASET = "zfs_dataset:fastData/heads-bulk-data"


def runs(site):
    return site.run("history", "--json").document["runs"]


def test_what_was_found_and_done_is_told_again_and_no_plan_looks_at_it(converged):
    converged.drift("zfs-property")
    before = converged.run("plan", "--json").document
    assert converged.run("apply", "--yes").status == 0
    assert converged.pytest("-q", "-k", "zfs_pool").status == 0
    verify, apply, plan = runs(converged)[:3]
    assert [(one["verb"], one["exit"]) for one in (verify, apply, plan)] == [
        ("verify", 0),
        ("apply", 0),
        ("plan", 2),
    ]
    assert (apply["steps"], apply["failed"]) == (1, 0)
    told = converged.run("show", apply["run"]).out
    assert f"~ phoenix/{DATASET}" in told
    assert "compression: gzip-9 → lz4" in told
    assert "phoenix/zfs_dataset:fastData/heads-bulk-data: zfs set compression=lz4" in told
    assert "all as declared" in told

    converged.drift("zfs-property")
    shutil.rmtree(converged.folder / ".phoenix/runs")
    after = converged.run("plan", "--json").document
    assert [entry["steps"] for entry in after["entries"]] == [entry["steps"] for entry in before["entries"]]


def test_a_failed_check_and_a_run_that_could_not_begin_are_in_the_record(converged):
    shutil.rmtree(converged.folder / ".phoenix/runs")
    converged.drift("zfs-property")
    assert converged.pytest("-q", "-n", "2", "-k", "zfs_dataset").status == 1
    verify = runs(converged)[0]
    assert verify["exit"] == 1
    told = converged.run("show").out
    assert "test_zfs_dataset.py::test_properties[phoenix-fastData/heads-bulk-data]" in told
    assert len(runs(converged)) == 1  # not one for each of xdist's workers
    assert converged.run("plan", "--target", "zfs_pool:nowhere").status == 64
    assert runs(converged)[0]["exit"] == 64
    assert "nowhere" in converged.run("show").out


def test_a_folder_that_takes_no_records_stops_nothing(converged):
    shutil.rmtree(converged.folder / ".phoenix/runs")
    (converged.folder / ".phoenix/runs").write_text("a file in the way")
    ran = converged.run("plan")
    assert ran.status == 0
    assert "no record of this run is kept" in ran.err


def test_a_disk_that_becomes_full_stops_nothing(converged):
    """A file system of one page: the record begins, and its second line fails."""
    converged.drift("zfs-property")
    full = 'mount -t tmpfs -o size=4k none "$1" && exec "$2" -m phoenix_hypervisor --site "$3" apply --yes -q'
    places = [str(converged.folder / ".phoenix/runs"), sys.executable, str(converged.folder)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", full, "sh", *places]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env=plain)
    if ran.returncode and "phoenix" not in ran.stderr:
        pytest.skip(f"nothing can be mounted here: {ran.stderr}")
    said = f"no record of this run is kept: {places[0]}: No space left on device; the run goes on\n"
    assert (ran.returncode, ran.stderr) == (0, said)
    assert "1 step run" in ran.stdout
    assert converged.plan()["entries"] == []


def test_the_repository_keeps_no_records():
    assert "/.phoenix/" in (REPOSITORY / ".gitignore").read_text().splitlines()
