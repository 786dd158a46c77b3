"""Fresh and converged lab sites, made once a session and copied for each test in milliseconds.

`fresh` and `converged` are the storage and the shares of the reference site's node: what most tests are
about, and what is looked at in a fraction of the time. `whole` and `whole_converged` are the site as it is.
"""

import pytest
from tests.lab.small import SmallSite

from phoenix_hypervisor.errors import PhoenixError


@pytest.fixture
def whole(blank, tmp_path):
    """The reference site with its guests, on a node on which nothing has been done yet."""
    return blank.copy(tmp_path / "site")


@pytest.fixture
def whole_converged(demonstrated, tmp_path):
    """The reference site with its guests, on a node that is as declared."""
    return demonstrated.site.copy(tmp_path / "site")


@pytest.fixture
def fresh(fresh_once, tmp_path):
    """The reference site's node with its storage and shares declared, on which nothing has been done yet."""
    return fresh_once.copy(tmp_path / "site")


@pytest.fixture
def converged(converged_once, tmp_path):
    """The reference site's node with its storage and shares declared, and as declared."""
    return converged_once.copy(tmp_path / "site")


@pytest.fixture(scope="session")
def right(converged_once):
    """What there is to see on a node that is as declared: `LabSite.state`."""
    return converged_once.state()


@pytest.fixture(scope="session")
def all_acts(converged_once):
    """Every act of the one apply that brought a fresh node there, in order."""
    return converged_once.all_acts()


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
