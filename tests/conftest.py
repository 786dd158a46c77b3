"""What holds for every test."""

import gc
import signal

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run what shares something costly: a module's tests, a kind's life on lab nodes."""
    for item in items:
        if not any(mark.name == "xdist_group" for mark in item.iter_markers()):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
