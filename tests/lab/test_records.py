"""What a run leaves behind: a record of each plan, apply and health check, and nothing that counts."""

import shutil

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


def test_the_repository_keeps_no_records():
    assert "/.phoenix/" in (REPOSITORY / ".gitignore").read_text().splitlines()
