"""The pytest plugin for plain `pytest verify/`: finds the site, inspects it, tells failed from unknown.

Loaded into every pytest run where Phoenix is installed, so it imports nothing heavy and does nothing
unless one of the given paths is a verify/ folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..records.events import Listener
    from .inspector import Inspector
    from .opening import OpenSite

FAILED, UNKNOWN_STATUS = 1, 3
NOTICE, UNKNOWN = "phoenix_notice", "phoenix_unknown"  # as in classify.py, which costs an import
NAME = "phoenix-inspector"


class Hooks:
    """What further plugins may answer."""

    def pytest_phoenix_listeners(self, config: pytest.Config, site: Path) -> Listener | None:
        """Return who else hears the events of this health check, as its record does."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add our hook to pytest's own."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options to pytest's own."""
    group = parser.getgroup("phoenix", "phoenix: checks of a site's hosts (pytest verify/)")
    group.addoption(
        "--site", metavar="FOLDER", help="the site; otherwise the nearest folder with configs/site.yaml"
    )
    group.addoption("--on", action="append", metavar="HOST", help="only this host (may be given again)")
    group.addoption(
        "--target", action="append", metavar="REF", help="only this resource, like nfs_export:/tank/x"
    )
    group.addoption("--no-probes", action="store_true", help="only look at the state, do not use the things")


def pytest_configure(config: pytest.Config) -> None:
    """Set up the inspection when checks are to be run."""
    for name, what in {
        "precondition": "looked at only while the thing is missing: what must hold before it can be made",
        "probe": "uses the thing; runs after the state checks of its resource, not in `plan`",
        "notice": "worth knowing when it fails, and nothing more: no drift, no exit status",
    }.items():
        config.addinivalue_line("markers", f"{name}: {what}")
    if config.pluginmanager.hasplugin(NAME) or not any(
        _is_verify(argument, config) for argument in config.args
    ):
        return
    if config.getoption("assertmode", "rewrite") == "plain":
        raise pytest.UsageError("checks need pytest's rewritten asserts: leave out --assert=plain")
    opened = _opened(config)
    inspector = _inspector(config, opened)
    config.pluginmanager.register(inspector, NAME)
    config.pluginmanager.register(Telling(), "phoenix-telling")
    if not hasattr(config, "workerinput"):  # xdist's workers report to the one that has none
        from .recording import Recording

        config.pluginmanager.register(Recording(config, opened.site.folder, inspector), "phoenix-recording")


def _is_verify(argument: str, config: pytest.Config) -> bool:
    path = Path(config.invocation_params.dir, argument.partition("::")[0]).resolve()
    return path.name == "verify" or path.parent.name == "verify"


def _opened(config: pytest.Config) -> OpenSite:
    from ..errors import PhoenixError
    from .opening import open_site

    try:
        opened = open_site(
            config.getoption("--site"), start=_start(config), hosts=config.getoption("--on") or ()
        )
    except PhoenixError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(opened.fleet.close)
    return opened


def _inspector(config: pytest.Config, opened: OpenSite) -> Inspector:
    from ..errors import PhoenixError
    from .inspector import Inspector

    try:
        refs = opened.scope(config.getoption("--target") or ())
    except PhoenixError as error:
        raise pytest.UsageError(str(error)) from error
    probes = not config.getoption("--no-probes")
    everything = opened.chosen(config.getoption("--target") or ()) is None
    return Inspector(opened.site, opened.fleet, refs, probes=probes, orphans=everything)


def _start(config: pytest.Config) -> Path:
    """Where to look for the site: the first checks' own folder, when it is part of one."""
    first = Path(config.invocation_params.dir, config.args[0].partition("::")[0]).resolve()
    for folder in (first, *first.parents):
        if (folder / "configs" / "site.yaml").is_file():
            return folder
    return Path(config.invocation_params.dir)


class Telling:
    """What pytest's own report says of checks that could not tell, of lost hosts and orphans."""

    def __init__(self) -> None:
        self.failed = 0
        self.unknown = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count outcomes from reports, so that they count from xdist's workers too."""
        if _unknown(report):
            self.unknown += 1
        elif report.failed:
            self.failed += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show `?` for a check that could not tell."""
        return ("unknown", "?", "UNKNOWN") if _unknown(report) else None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End with 1 when something failed, with 3 when we only could not tell."""
        if self.failed:
            session.exitstatus = FAILED
        elif self.unknown:
            session.exitstatus = UNKNOWN_STATUS

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Say each lost host once, each reason once, and what is an orphan."""
        inspector: Any = config.pluginmanager.getplugin(NAME)
        lost = {error.message for error in inspector.fleet.lost.values()}
        reasons = {
            value
            for report in terminalreporter.stats.get("unknown", ())
            for name, value in report.user_properties
            if name == UNKNOWN and not any(message in value for message in lost)
        }
        if lost or reasons:
            terminalreporter.section("could not tell")
            for line in [*sorted(lost), *sorted(reasons)]:
                terminalreporter.line(line)
        notices = {
            value
            for reports in terminalreporter.stats.values()
            for report in reports
            for name, value in getattr(report, "user_properties", ())
            if name == NOTICE
        }
        notices |= {f"{node}: {said}" for node, told in inspector.notices().items() for said in told}
        if notices:
            terminalreporter.section("worth knowing")
            for line in sorted(notices):
                terminalreporter.line(line)
        orphans = inspector.orphans()
        if orphans:
            terminalreporter.section("made by us, declared no longer (`phoenix apply --prune` removes them)")
            for ref in orphans:
                terminalreporter.line(ref.full)
        if config.getoption("verbose") > 0:
            for host, trips in inspector.fleet.trips().items():
                terminalreporter.line(f"{host}: {trips} round trips")


def _unknown(report: pytest.TestReport) -> bool:
    return report.when != "teardown" and any(name == UNKNOWN for name, _ in report.user_properties)
