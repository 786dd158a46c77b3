"""Annotations for a workflow of GitHub's: the lines it reads, and only there."""

from pathlib import Path

import pytest
from tests.unit.site_files import NODE, POOL, loaded, make

from phoenix_hypervisor import cli
from phoenix_hypervisor.converge.outcome import Outcome
from phoenix_hypervisor.converge.plan import build
from phoenix_hypervisor.errors import Problem, Where
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe.annotations import of_looks, of_plan, of_problems
from phoenix_hypervisor.resource import Change, Difference, Ref

BAD = {NODE: POOL + "zfs_dataset:\n  tank/x: {atim: off}\n"}
LINE = (
    "::error file=configs/nodes/pve.yaml,line=8,col=12,title=V-03::"
    "zfs_dataset:tank/x: unknown key `atim`%0Adid you mean `atime`?\n"
)


def test_what_is_wrong_stands_beside_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, BAD)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert cli.run(["--site", str(tmp_path), "validate"]) == 1
    elsewhere = capsys.readouterr().err
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert cli.run(["--site", str(tmp_path), "validate"]) == 1
    assert capsys.readouterr().err == elsewhere + LINE


def test_what_a_workflow_would_take_for_its_own_is_escaped() -> None:
    problem = Problem("100% of a, b: c\nd", Where("x,y:z.yaml", 1, 2), rule="V-01", warning=True)
    assert list(of_problems([problem, Problem("no place")])) == [
        "::warning file=x%2Cy%3Az.yaml,line=1,col=2,title=V-01::100%25 of a, b: c%0Ad",
        "::error title=configuration::no place",
    ]


def test_a_plan_annotates_what_differs(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: POOL + "zfs_dataset:\n  tank/x: {atime: off}\n"})
    ref = Ref("pve", "zfs_dataset", "tank/x")
    look = Look(ref, Status.DRIFT, Change({"atime": Difference("on", "off")}))
    assert list(of_plan(site, build(site, {ref: look}))) == [
        (
            "::warning file=configs/nodes/pve.yaml,line=8,col=3,title=pve/zfs_dataset%3Atank/x%3A drift::"
            "atime: on → off"
        )
    ]


def test_an_apply_annotates_what_it_left_undone(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: POOL + "zfs_dataset:\n  tank/x: {atime: off}\n  tank/y: {atime: off}\n"})
    x, y = Ref("pve", "zfs_dataset", "tank/x"), Ref("pve", "zfs_dataset", "tank/y")
    looks = {x: Look(x, Status.DRIFT), y: Look(y, Status.BLOCKED, blocked_by=x)}
    done = Ref("pve", "zfs_pool", "tank")
    outcome = Outcome({**looks, done: Look(done, Status.OK)}, stuck={x: "no space"})
    assert list(of_looks(site, outcome)) == [
        "::error file=configs/nodes/pve.yaml,line=8,col=3,title=pve/zfs_dataset%3Atank/x%3A drift::no space",
        (
            "::warning file=configs/nodes/pve.yaml,line=9,col=3,title=pve/zfs_dataset%3Atank/y%3A blocked::"
            "waits for zfs_dataset:tank/x"
        ),
    ]
