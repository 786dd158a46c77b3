"""What holds for every test."""

import gc
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The machine may be busy, and a property is no less true then.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Jobs started in the background may have Ctrl-C ignored, and so would all that they start: tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The collector would look through a quarter of a million objects of pytest's again and again.
gc.set_threshold(50_000, 20, 100)


def pytest_collection_finish() -> None:
    """Leave what was collected out of each further collection of garbage: it lives as long as the process."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process run what shares something costly: a module's tests, a kind's life on lab nodes."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.groups import Groups

    return Groups(config, log)


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """The reference site with its secrets, on a node on which nothing has been done yet: to be copied."""
    from tests import reference

    return reference.made(reference.copied(tmp_path_factory.mktemp("blank") / "site"))


@pytest.fixture(scope="session")
def demonstrated(blank, tmp_path_factory):
    """The reference site as `make demo` leaves it, to be copied, and all that was said on the way."""
    from tests import reference

    return reference.demonstrated(blank, tmp_path_factory.mktemp("demonstrated"))


@pytest.fixture(scope="session")
def fresh_once(tmp_path_factory):
    """The reference site's node with its storage and shares alone, as yet blank: to be copied."""
    from tests import reference

    return reference.made(reference.storage_alone(tmp_path_factory.mktemp("lab") / "fresh"))


@pytest.fixture(scope="session")
def converged_once(fresh_once, tmp_path_factory):
    """That node as it is declared: to be copied."""
    site = fresh_once.copy(tmp_path_factory.mktemp("lab") / "converged")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    return site
