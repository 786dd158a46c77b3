"""The nodes, started once; and what becomes of the tests where they cannot run."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from . import base
from .base import Unusable
from .cluster import Cluster
from .cluster import cluster as make_cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.real)


def _cannot(reason: Unusable) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"systemd nodes must run here: {reason}", pytrace=False)
    pytest.skip(f"no systemd nodes on this machine: {reason}")


@pytest.fixture(scope="session")
def debian() -> Path:
    """The Debian root of the nodes, which nobody writes into."""
    try:
        return base.root()
    except Unusable as reason:
        _cannot(reason)


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    try:
        with make_cluster() as made:
            yield made
    except Unusable as reason:
        _cannot(reason)


@pytest.fixture
def fresh(_cluster: Cluster) -> Cluster:
    """Three nodes that have just been installed."""
    _cluster.fresh()
    return _cluster


@pytest.fixture
def converged(_cluster: Cluster) -> Cluster:
    """Three nodes as the files declare them."""
    if not _cluster.settled:
        _cluster.fresh()
        applied = _cluster.apply()
        assert applied.status == 0, applied
    _cluster.settled = False  # whoever gets them is going to change them
    return _cluster
