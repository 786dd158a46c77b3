"""The tests on a virtual machine, where there can be none: skipped at home, failed in CI, no success.

They run here without QEMU, with an apt that brings none, and so in seconds.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.vm.recording import used, written

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [file.read_text() for file in ROOT.glob("tests/vm/test_*.py")]
TESTS = re.findall(r"(?m)^def (test_\w+)", "".join(TEXTS))
REASON = "this machine lacks what virtual machines need"
APT = "apt-get update: no archive can be reached"
"""Root would install what is missing, so that is tried."""
NO_APT = """\
#!/bin/sh
echo "no archive can be reached for $*" >&2
exit 100
"""
SKIPPING = {
    "test_marks.py": """\
import pytest

@pytest.mark.skipif("True", reason="by a mark")
def test_marked(): ...

@pytest.mark.xfail(reason="by a wish")
def test_wished(): assert not "well"
""",
    "test_calls.py": "import pytest\n\ndef test_calling(): pytest.skip('by a call')\n",
    "test_imports.py": "import pytest\n\npytest.importorskip('no_such_module')\n\ndef test_it(): ...\n",
}


def ended(scratch: Path, words: list[str], **further: str) -> tuple[int, str]:
    """Run pytest where there is nothing but what Python itself needs; how that ended, and its words."""
    tools = scratch / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "apt-get").write_text(NO_APT)
    (tools / "apt-get").chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_")) and name != "CI"
    }
    # an image would be kept here, and none is made
    kept |= {"PATH": str(tools), "PHOENIX_LAB_CACHE": str(scratch / "cache"), "NO_COLOR": "1"} | further
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={scratch / 'temporary'}"]
    done = subprocess.run([*argv, *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert not (scratch / "cache").exists()
    return done.returncode, done.stdout + done.stderr


def counts(said: str) -> dict[str, int]:
    """Read the last line: what became of how many."""
    return {word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (\w+)", last(said))}


def last(said: str) -> str:
    return next(line for line in reversed(said.splitlines()) if " in " in line)


def as_make_does() -> list[str]:
    """Return the words that `make test-vm` gives to pytest."""
    (line,) = re.findall(r"(?m)^\t\$\(PYTEST\) (.* tests/vm)$", (ROOT / "Makefile").read_text())
    return shlex.split(line)


def test_in_ci_each_test_fails_that_has_no_machine(tmp_path):
    status, said = ended(tmp_path, as_make_does(), CI="true")

    found = counts(said)
    assert status == 1, said
    assert found.keys() == {"error"}, said
    assert found["error"] >= len(TESTS) > 10
    told = re.findall(r"(?m)^ERROR .*::(test_\w+).* must run here. no virtual machine here: ", said)
    assert set(told) == set(TESTS)
    assert (REASON if os.geteuid() else APT) in said


def test_elsewhere_each_is_skipped_with_the_reason(tmp_path):
    status, said = ended(tmp_path, ["-m", "vm", "tests/vm"])

    assert status == 0, said
    assert counts(said).keys() == {"skipped"}, said
    assert counts(said)["skipped"] >= len(TESTS)
    assert "no virtual machine here: " in said


@pytest.mark.parametrize(
    ("ci", "became"), [("true", {"failed": 2, "error": 2}), ("", {"skipped": 3, "xfailed": 1})]
)
def test_in_ci_whatever_is_skipped_for_another_reason_fails_as_well(tmp_path, ci, became):
    folder = tmp_path / "vm"
    folder.mkdir()
    for name, text in {**SKIPPING, "conftest.py": (ROOT / "tests/vm/conftest.py").read_text()}.items():
        (folder / name).write_text(text)
    words = ["-c", str(ROOT / "pyproject.toml"), "--continue-on-collection-errors", "-m", "vm", str(folder)]

    status, said = ended(tmp_path, words, CI=ci)

    assert (status, counts(said)) == (1 if ci else 0, became), said
    assert all(reason in said for reason in ("by a mark", "by a call", "no_such_module"))


def test_a_run_in_which_no_test_is_left_is_no_success(tmp_path):
    status, said = ended(tmp_path, [*as_make_does(), "-k", "nothing_that_is_there"])

    assert status == 5, said


def test_a_call_that_is_written_is_told_as_one_that_is_recorded():
    told = set(
        written(["cd /tmp; LC_ALL=C zfs set -u quota=1G,sync tank 2>/dev/null | (stat -c '%U' /; true)"])
    )

    assert told == {
        *used(["zfs", "set", "-u", "quota=2G,sync", "other"]),
        *used(["stat", "-c", "%a", "/srv"]),
    }
    assert told == {
        ("zfs", "set", ("-u",)),
        ("zfs", "set", "quota"),
        ("zfs", "set", "sync"),
        ("stat", "", ("-c",)),
    }
