"""Fresh and converged lab sites, made once a session and copied for each test in milliseconds.

`fresh` and `converged` are the reference site's node without its guests: what most tests are about, and
what is looked at in a quarter of the time. `whole` and `whole_converged` are the site as it is.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from tests.lab.running import PASSWORD, REPOSITORY, LabSite
from tests.lab.small import SmallSite

from phoenix_hypervisor.errors import PhoenixError

ABOUT_GUESTS = ("ct_template", "shared_volume")
FOR_GUESTS = "shared-prod-data-volumes"


def _without_guests(folder: Path) -> None:
    """Take the guests out of a copy of the reference site, and what its node has only for them."""
    shutil.rmtree(folder / "configs/guests")
    node = folder / "configs/nodes/phoenix.yaml"
    sections = re.split(r"^(?=\w)", node.read_text(), flags=re.MULTILINE)
    text = "".join(text for text in sections if text.partition(":")[0] not in ABOUT_GUESTS)
    node.write_text("".join(line for line in text.splitlines(keepends=True) if FOR_GUESTS not in line))
    named = re.findall(r"^profiles: \[(.*)\]", node.read_text(), re.MULTILINE)[0].split(", ")
    for profile in (folder / "configs/profiles").iterdir():
        if profile.stem not in named:
            profile.unlink()


def _made(folder: Path, *, guests: bool) -> LabSite:
    for part in ("configs", "inventory"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("*.age"))
    if not guests:
        _without_guests(folder)
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


def _converge(site: LabSite) -> LabSite:
    ran = site.run("apply", "--json")
    assert ran.status == 0, ran
    (site.folder / "outcome.json").write_text(ran.out)
    return site


@pytest.fixture(scope="session")
def _fresh_once(tmp_path_factory):
    return _made(tmp_path_factory.mktemp("lab") / "fresh", guests=False)


@pytest.fixture(scope="session")
def _converged_once(_fresh_once, tmp_path_factory):
    return _converge(_fresh_once.copy(tmp_path_factory.mktemp("lab") / "converged"))


@pytest.fixture(scope="session")
def _whole_once(tmp_path_factory):
    return _made(tmp_path_factory.mktemp("lab") / "whole", guests=True)


@pytest.fixture(scope="session")
def _whole_converged_once(_whole_once, tmp_path_factory):
    return _converge(_whole_once.copy(tmp_path_factory.mktemp("lab") / "converged"))


@pytest.fixture(scope="session")
def converged_with(_whole_converged_once):
    """What the one apply of the whole site said that brought a fresh node there."""
    return json.loads((_whole_converged_once.folder / "outcome.json").read_text())


@pytest.fixture
def whole(_whole_once, tmp_path):
    """The reference site with its guests, on a node on which nothing has been done yet."""
    return _whole_once.copy(tmp_path / "site")


@pytest.fixture
def whole_converged(_whole_converged_once, tmp_path):
    """The reference site with its guests, on a node that is as declared."""
    return _whole_converged_once.copy(tmp_path / "site")


@pytest.fixture
def fresh(_fresh_once, tmp_path):
    """The reference site's node without guests, on which nothing has been done yet."""
    return _fresh_once.copy(tmp_path / "site")


@pytest.fixture
def converged(_converged_once, tmp_path):
    """The reference site's node without guests, as declared."""
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
