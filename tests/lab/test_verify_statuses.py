"""`pytest verify/` is the health check: pytest's own options work, and failed is told from unknown."""

import re
from xml.etree import ElementTree

import pytest
from tests.lab.running import Sort, statuses, steps

DATASET = "fastData/heads-bulk-data"


def counts(said: str) -> dict[str, int]:
    """The numbers of pytest's last line."""
    return {
        word: int(number)
        for number, word in re.findall(r"(\d+) (\w+)", said.splitlines()[-1].split(" in ")[0])
    }


def test_a_node_as_declared_is_green_whatever_options_pytest_gets(converged):
    with converged.nothing_done():
        plain = converged.pytest("-q", "--junitxml=report.xml")
        chosen = converged.pytest("-k", "nfs_export", "-q")
        shared_out = converged.pytest("-q", "-n", "2")
    assert [ran.status for ran in (plain, chosen, shared_out)] == [0, 0, 0]
    assert {*counts(plain.out)} == {"passed", "skipped"}
    assert counts(shared_out.out) == counts(plain.out)
    assert counts(plain.out)["passed"] > 100
    cases = ElementTree.parse(converged.folder / "report.xml").findall(".//testcase")
    tagged = {
        (case.get("classname").rpartition(".")[2], case.get("name")): [
            tag.get("value") for tag in case.iter("property") if tag.get("name") == "resource"
        ]
        for case in cases
    }
    assert len(tagged) == len(cases) == sum(counts(plain.out).values())
    assert all(len(refs) == 1 for refs in tagged.values())
    one = ("test_zfs_dataset", f"test_properties[phoenix-{DATASET}]")
    assert tagged[one] == [f"phoenix/zfs_dataset:{DATASET}"]
    of_nfs = [refs for refs in tagged.values() if "nfs_export" in refs[0]]
    assert sum(counts(chosen.out).get(word, 0) for word in ("passed", "skipped")) == len(of_nfs)


def test_drift_fails_the_check_that_found_it_and_only_that(converged):
    converged.drift("zfs-property")
    ran = converged.pytest("-q")
    failed = re.findall(r"^FAILED (?:.*/)?verify/(\S+)", ran.out, re.MULTILINE)
    assert (ran.status, failed) == (1, [f"test_zfs_dataset.py::test_properties[phoenix-{DATASET}]"])
    first = converged.pytest("-q", "-x", "-n", "0")
    assert first.status == 1
    assert sum(counts(first.out).values()) < sum(counts(ran.out).values())
    assert converged.pytest("-q", "-k", "zfs_pool").status == 0


def test_a_missing_tool_is_unknown_and_ends_with_3(converged):
    converged.on_node("mv /usr/local/sbin/exportfs /root/")
    ran = converged.pytest("-q")
    assert ran.status == 3
    assert counts(ran.out)["unknown"] == 1
    assert "\nserved: a tool is missing on the host: sh: 1: eval: exportfs: not found\n" in ran.out
    converged.drift("zfs-property")
    assert converged.pytest("-q").status == 1  # something failed for certain
    assert converged.pytest("-q", "-n", "2").status == 1
    assert converged.pytest("-q", "-n", "2", "-k", "nfs_export").status == 3


def test_a_lost_node_is_unknown_said_once_and_ends_with_3(converged):
    converged.fault(Sort.REFUSE)
    ran = converged.pytest("-q")
    assert ran.status == 3
    assert {*counts(ran.out)} <= {"unknown", "skipped"}
    reason = "host `phoenix` cannot be reached: Connection refused (a fault of the lab)"
    assert ran.out.split("could not tell")[1].count(reason) == 1


def test_phoenix_verify_is_the_same_with_the_same_statuses(converged):
    green = converged.run("verify", "-q", "-k", "zfs_pool")
    converged.drift("degraded-pool")
    assert (green.status, converged.run("verify", "-q", "-k", "zfs_pool").status) == (0, 1)


# A check that breaks, whatever the reason, tells nothing

BROKEN = {
    "a check that raises": "raise RuntimeError('boom')",
    "an assertion inside testinfra": "host.run_expect([0], 'exit 7')",
    "a bug in the check": "assert zfs_dataset.nmae == 'x'",
    "an assertion in what the check calls": "__import__('unittest').TestCase().assertEqual(1, 2)",
}


@pytest.mark.parametrize("trouble", BROKEN)
def test_a_check_that_breaks_is_unknown_and_what_needs_it_is_left_alone(converged, trouble):
    module = converged.own_checks() / "test_zfs_dataset.py"
    module.write_text(
        f"{module.read_text()}\n\ndef test_own(host, zfs_dataset):\n"
        f"    if zfs_dataset.name == '{DATASET}':\n        {BROKEN[trouble]}\n"
    )
    for name in ("samba-share", "storage-content"):
        converged.drift(name)
    with converged.acts() as done:
        applied = converged.apply()
    assert done == steps(applied) == ["pvesm set quickOS-vm-disks --content images"]
    assert statuses(applied) == {f"zfs_dataset:{DATASET}": "unknown", "samba_share:bulk-data": "blocked"}
    assert applied["exit"] == 3


def test_checks_that_cannot_even_be_read_end_with_3_and_nothing_is_done(converged):
    (converged.own_checks() / "test_zfs_arc.py").write_text("import no_such_module\n")
    converged.drift("storage-content")
    with converged.nothing_done():
        ran = converged.run("apply", "--yes")
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("error: the checks could not be run:\n")
    assert "No module named 'no_such_module'" in ran.err
