"""Every byte that the reference site would put on its node, for review in the diff."""

import shutil
from pathlib import Path

import pytest

from phoenix_hypervisor.cli import run

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests/golden/reference"
REFRESH = f"phoenix --site {REPOSITORY} render --out {GOLDEN}"


def check(folder: Path) -> int:
    return run(["--site", str(REPOSITORY), "render", "--check", "--out", str(folder)])


def test_the_reference_site_renders_as_committed(capsys: pytest.CaptureFixture[str]) -> None:
    status = check(GOLDEN)
    differing = capsys.readouterr().out
    assert status == 0, f"look at what changed:\n{differing}then, if it is meant to be so: {REFRESH}"


def test_a_missing_golden_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "none") == 2
    shutil.copytree(GOLDEN, tmp_path / "less")
    lost = next(path for path in sorted((tmp_path / "less").rglob("*.sh")))
    lost.unlink()
    capsys.readouterr()
    assert check(tmp_path / "less") == 2
    assert capsys.readouterr().out == f"{lost.relative_to(tmp_path / 'less')}\n"
