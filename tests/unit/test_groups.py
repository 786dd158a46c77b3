"""What shares something costly is run by one process: else each would make it, without a word."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.groups import BLANK, CONVERGED, REFERENCE, group_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("tests/unit/test_groups.py", "tests/unit/test_fields.py")


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/test_units.py::test_one[a::b]", "tests/unit/test_units.py"),
        ("tests/contract/test_life.py::test_drift_is_repaired_both_ways[zfs_pool-2-back]", "zfs_pool"),
        ("tests/contract/test_checks.py::test_each_check_holds[zfs_pool-test_present]", "zfs_pool"),
        ("tests/contract/test_kinds.py::test_a_kind_is_pure[zfs_pool]", "zfs_pool"),
        ("tests/contract/test_plugin.py::test_the_suite_refuses[a check]", "tests/contract/test_plugin.py"),
        ("tests/demo/test_demo.py::test_it_tells_the_whole_story", REFERENCE),
        ("tests/lab/test_guests_converge.py::test_the_ten", REFERENCE),
        ("tests/packaging/test_readme.py::test_the_screens", REFERENCE),
        ("tests/packaging/test_docs.py::test_links", "tests/packaging/test_docs.py"),
        ("tests/vm/test_power.py::test_whenever_the_power_fails", BLANK),
        ("tests/vm/test_standins.py::test_a_stand_in_answers[pools]", BLANK),
        ("tests/vm/test_storage.py::test_blank_disks_become", CONVERGED),
    ],
)
def test_a_test_is_of_its_module_s_group_of_its_kind_s_or_of_the_reference_site_s(nodeid, group):
    assert group_of(nodeid) == group


def test_xdist_gives_each_group_to_one_process(tmp_path):
    argv = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-v", "-p", "no:cacheprovider"]
    argv += ["--basetemp", str(tmp_path / "temporary"), "-k", "not xdist", *MODULES]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(argv, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    ran = re.findall(r"^\[(gw\d)\] .* PASSED (\S+?)::", ended.stdout, re.MULTILINE)
    assert ended.returncode == 0, ended.stdout
    assert len(ran) > len(set(ran)) == len(MODULES)
    assert {module for _, module in ran} == set(MODULES)
