"""What a run of `pytest verify/` leaves: a record of each check that did not hold, and of how many did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import __version__
from ..records.events import Run
from ..records.files import Writer
from ..records.log import Log, from_environment
from ..records.revision import revision
from ..records.traces import from_environment as traces
from ..resource import Ref
from .inspector import Inspector

WORDS = 400
"""How much of a failed check's reason is kept."""


class Recording:
    """Hears every report of a session, those of xdist's workers too."""

    def __init__(self, config: pytest.Config, site: Path, inspector: Inspector) -> None:
        self._site = site
        self._config = config
        self._inspector = inspector
        self._run = Run("verify", [Writer(site, self._warn)])
        if log := from_environment(os.environ, self._warn):
            self._run.listen(Log(log, self._warn))
        if traced := traces(os.environ, self._warn):
            self._run.listen(traced)
        for listener in config.hook.pytest_phoenix_listeners(config=config, site=site):
            self._run.listen(listener)
        self._counts: dict[str, int] = {}
        self._of: dict[str, dict[str, int]] = {}
        """Host and kind (`pve/zfs_pool`) → outcome → how many checks."""
        self._status = 1
        words = [str(word) for word in config.invocation_params.args]
        ours = [word for word in words if not word.endswith(".py")]  # which checks there are, the files say
        self._run.begin(["pytest", *ours], site=str(site), phoenix=__version__)

    def _warn(self, line: str) -> None:
        self._config.issue_config_time_warning(pytest.PytestWarning(line), 2)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a check's outcome; tell of one that did not hold."""
        if report.passed and report.when != "call":
            return
        told = dict(report.user_properties)
        outcome = "unknown" if "phoenix_unknown" in told else report.outcome
        self._counts[outcome] = self._counts.get(outcome, 0) + 1
        if resource := told.get("resource"):
            of = self._of.setdefault(str(resource).partition(":")[0], {})
            of[outcome] = of.get(outcome, 0) + 1
        if outcome in ("failed", "unknown"):
            file, _, name = report.nodeid.partition("::")
            facts = {
                "resource": told.get("resource"),
                "check": f"{Path(file).name}::{name}",
                "outcome": outcome,
                "reason": str(told.get("phoenix_unknown") or _reason(report))[:WORDS],
            }
            self._run.tell("check", facts)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Tell how many checks held, and keep the exit status once every other plugin has had its say."""
        yield
        self._run.tell("revision", {"revision": revision(self._site)})
        self._run.tell("checks", {"counts": self._counts, "of": self._of, "resources": self._statuses()})
        self._status = int(session.exitstatus)

    def pytest_unconfigure(self) -> None:
        """Tell that it ended; also when it never came to a session."""
        self._run.end(self._status, round_trips=self._inspector.fleet.trips())
        self._run.close()

    def _statuses(self) -> dict[Ref, str]:
        """How resources stand, when all that were to be looked at were.

        With `-k` some were not, and xdist's workers keep what they found to themselves.
        """
        looks = self._inspector.looks()
        if looks.keys() - {finding.ref for finding in self._inspector.findings}:
            return {}
        return {ref: look.status.value for ref, look in looks.items()}


def _reason(report: pytest.TestReport) -> str:
    """What the assert compared, in pytest's words."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(getattr(crash, "message", "") or report.longreprtext).strip()
    return said.partition("\n")[0]
