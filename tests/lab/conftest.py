"""A fresh and a converged lab site, made once a session and copied for each test in milliseconds."""

import json
import shutil

import pytest
from tests.lab.running import PASSWORD, REPOSITORY, LabSite
from tests.lab.small import SmallSite

from phoenix_hypervisor.errors import PhoenixError


@pytest.fixture(scope="session")
def _fresh_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "fresh"
    for part in ("configs", "inventory"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("*.age"))
    site = LabSite(folder)
    for arguments, stdin in (
        (("secrets", "init"), b""),
        (("secrets", "set", "samba/heads"), PASSWORD.encode()),
        (("lab", "up"), b""),
    ):
        ran = site.run(*arguments, stdin=stdin)
        assert ran.status == 0, ran
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    return site


@pytest.fixture(scope="session")
def _converged_once(_fresh_once, tmp_path_factory):
    site = _fresh_once.copy(tmp_path_factory.mktemp("lab") / "converged")
    ran = site.run("apply", "--json")
    assert ran.status == 0, ran
    (site.folder / "outcome.json").write_text(ran.out)
    return site


@pytest.fixture(scope="session")
def converged_with(_converged_once):
    """What the one apply said that brought a fresh node there."""
    return json.loads((_converged_once.folder / "outcome.json").read_text())


@pytest.fixture
def fresh(_fresh_once, tmp_path):
    """The reference site on a node on which nothing has been done yet."""
    return _fresh_once.copy(tmp_path / "site")


@pytest.fixture
def converged(_converged_once, tmp_path):
    """The reference site on a node that is as declared."""
    return _converged_once.copy(tmp_path / "site")


@pytest.fixture(scope="session")
def right(_converged_once):
    """What there is to see on a node that is as declared: `LabSite.state`."""
    return _converged_once.state()


@pytest.fixture(scope="session")
def all_acts(_converged_once):
    """Every act of the one apply that brought a fresh node there, in order."""
    return _converged_once.all_acts()


@pytest.fixture(scope="session")
def _small_once(tmp_path_factory):
    site = SmallSite.fresh(tmp_path_factory.mktemp("lab") / "small")
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    return site


@pytest.fixture
def small(_small_once, tmp_path):
    """A small site with a layer and two further containers, on a node that is as declared."""
    return _small_once.copy(tmp_path / "small")
