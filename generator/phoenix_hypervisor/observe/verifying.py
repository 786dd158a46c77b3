"""A pytest plugin for the health check, by which `phoenix verify --metrics-file` writes metrics.

The checks know of their record only; what is told elsewhere hears the same events through this.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .metrics_file import MetricsFile

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our option to pytest's own."""
    group = parser.getgroup("phoenix")
    group.addoption("--metrics-file", metavar="FILE", help="write metrics there, for node_exporter")


def pytest_phoenix_listeners(config: pytest.Config, site: Path) -> MetricsFile | None:
    """Return what writes the file at the end."""
    file = config.getoption("metrics_file")

    def warn(line: str) -> None:
        config.issue_config_time_warning(UserWarning(line), 2)

    return MetricsFile(Path(file), site, warn) if file else None
