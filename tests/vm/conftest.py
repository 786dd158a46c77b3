"""A machine for all tests of a process: booted once, converged once, and back at one of these for each test.

`make test-vm` has two processes, so two machines for two cores. With CI=true nothing is skipped here.
"""

import os
import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.vm.housing import bring_template, furnish, house
from tests.vm.recording import Use, recorded
from tests.vm.site import ADDRESS, NODE, STORAGE, Result, VmSite

from phoenix_hypervisor.errors import PhoenixError
from phoenix_hypervisor.lab.vm import image

CONVERGED, HOUSED = "converged", "housed"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.vm)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _ran((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _ran((yield))


def _ran(report: Report) -> Report:
    """Let what was skipped have failed, for whatever reason it was, where all must run."""
    if report.skipped and os.environ.get("CI") == "true":
        said = report.longrepr
        reason = said[2].removeprefix("Skipped: ") if isinstance(said, tuple) else "a failure was expected"
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} must run here. {reason}"
        vars(report).pop("wasxfail", None)
    return report


def _install_what_is_missing() -> None:
    """Install what the machine needs here, where that can be done; none of it starts anything."""
    missing = image.missing()
    if not missing or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        argv = ["apt-get", "-qq", "-o", "Acquire::Retries=3", *words]
        ended = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise PhoenixError(f"apt-get {' '.join(words)}: {(ended.stderr or ended.stdout).strip()}")


@pytest.fixture(scope="session")
def _machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmSite]:
    site = VmSite(tmp_path_factory.mktemp("vm"))
    site.make()
    try:
        _install_what_is_missing()
        site.node.up(NODE, site.disks, f"{ADDRESS}/24")
    except PhoenixError as reason:
        pytest.skip(f"no virtual machine here: {reason}")
    try:
        yield site
    finally:
        site.node.down()


@pytest.fixture(scope="session")
def uses() -> set[Use]:
    """What phoenix has called where it was recorded: by the first apply, and later by some test."""
    return set()


@pytest.fixture(scope="session")
def first_apply(_machine: VmSite, uses: set[Use]) -> Result:
    """How the apply ended that brought the blank machine to what is declared; kept as a snapshot."""
    with recorded(back(_machine), uses):
        applied = _machine.apply()
    if applied.status == 0:
        _machine.node.save(CONVERGED)
    return applied


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made once."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture
def blank(_machine: VmSite) -> VmSite:
    """A machine that has booted for the first time, with blank disks."""
    return back(_machine)


@pytest.fixture
def converged(_machine: VmSite, first_apply: Result) -> VmSite:
    """A machine that is as declared."""
    assert first_apply.status == 0, first_apply
    return back(_machine, CONVERGED)


@pytest.fixture(scope="session")
def _housed(_machine: VmSite, first_apply: Result, scratch: Path) -> VmSite:
    """The machine with guests and firewall, and further machines that reach them; kept as a snapshot."""
    assert first_apply.status == 0, first_apply
    site = back(_machine, CONVERGED)
    house(site, scratch)
    bring_template(site.node, scratch)
    applied = site.apply()
    assert applied.status == 0, applied
    furnish(site)
    site.node.save(HOUSED)
    return site


@pytest.fixture
def housed(_housed: VmSite, scratch: Path) -> VmSite:
    """A machine on which the guests run as declared."""
    site = back(_housed, HOUSED)
    house(site, scratch)
    return site


def back(site: VmSite, *snapshot: str) -> VmSite:
    """Bring a machine back to a snapshot, and its files to the storage alone."""
    site.declare(STORAGE)
    site.faults.clear()
    if not site.node.machine.running:
        site.node.up(NODE, site.disks)
    site.node.reset(*snapshot)
    return site
