"""The pytest plugin: at work in verify/ only, in nobody's way elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, make


def run(folder: Path, *words: str) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return ended.returncode, ended.stdout + ended.stderr


MINE = """\
import sys


def test_mine(pytestconfig):
    plugins = pytestconfig.pluginmanager
    assert plugins.hasplugin("phoenix")
    assert not plugins.hasplugin("phoenix-inspector")
    assert "phoenix_hypervisor.inspect.inspector" not in sys.modules
    assert "nornir" not in sys.modules
"""


def test_outside_verify_it_does_nothing_and_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(MINE)
    status, said = run(tmp_path, "-q")
    assert (status, "1 passed" in said) == (0, True), said


def test_in_verify_without_a_site_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify/test_zfs_arc.py").touch()
    status, said = run(tmp_path, "verify")
    assert (status, f"ERROR: {tmp_path} is not a site: it has no configs/site.yaml" in said) == (4, True), (
        said
    )


def test_plain_asserts_cannot_tell_both_sides_and_are_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "verify").mkdir()
    status, said = run(tmp_path, "--assert=plain", "verify")
    assert status == 4
    assert "checks need pytest's rewritten asserts: leave out --assert=plain" in said


CHECK = """\
def test_held(host, zfs_arc):
    assert host.run("echo x").stdout == "x\\n"


def test_failed(host, zfs_arc):
    assert host.run("echo x").stdout == "y\\n"


def test_unknown(host, zfs_arc):
    host.run_expect([0], "exit 5")
"""


@pytest.mark.parametrize(
    ("chosen", "status", "counts"),
    [
        ("held", 0, "1 passed"),
        ("failed", 1, "1 failed"),
        ("unknown", 3, "1 unknown"),
        ("failed or unknown", 1, "1 failed"),
    ],
)
def test_the_exit_status_tells_failed_from_unknown(
    tmp_path: Path, chosen: str, status: int, counts: str
) -> None:
    make(tmp_path, {NODE: "zfs_arc: {max: 4G}\n", HOSTS: "pve: {data: {transport: local}}\n"})
    (tmp_path / "verify").mkdir()
    (tmp_path / "verify/test_zfs_arc.py").write_text(CHECK)
    found, said = run(tmp_path, "-k", chosen, "verify")
    assert found == status, said
    assert counts in said
    if "unknown" in chosen:
        assert "unknown: `exit 5` ended with 5: it said nothing" in said
