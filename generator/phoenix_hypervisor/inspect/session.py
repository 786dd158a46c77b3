"""Run the inspection from inside the tool: pytest in this very process, with nothing but our plugin."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from .. import registry
from ..errors import CheckError
from ..resource import Ref
from . import plugin
from .checks import check_files
from .inspector import Inspector
from .looks import Look
from .opening import OpenSite

_one_at_a_time = threading.Lock()  # pytest keeps state of its own in the process
_imported: dict[str, tuple[int, int, int]] = {}
"""The files of the checks of the last inspection, as they were when it began."""
_OPTIONS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""By these a person adds to every run of pytest."""
# pytest's own plugins that an inspection has no use for: each costs its import
_WITHOUT = [
    "cacheprovider",
    "capture",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "pastebin",
    "recwarn",
    "setuponly",
    "setupplan",
    "stepwise",
    "subtests",
    "threadexception",
    "tmpdir",
    "unittest",
    "unraisableexception",
    "warnings",
]


def inspect(
    opened: OpenSite,
    refs: Collection[Ref],
    *,
    probes: bool,
    known: Mapping[Ref, Look] | None = None,
    orphans: bool = False,
    before: Callable[[], bool] = lambda: True,
) -> Inspector:
    """Inspect resources; returns the inspector with its findings. Raises CheckError when pytest fails.

    `before` is called when the checks are collected and the hosts are about to be asked: they are not
    when it returns False.
    """
    inspector = Inspector(
        opened.site,
        opened.fleet,
        refs,
        probes=probes,
        known=known,
        orphans=orphans,
        quick=True,
        before=before,
    )
    kinds = set(registry.homes()) if orphans else {ref.kind for ref in refs}
    files = check_files(kinds, opened.site.folder)
    if not files:
        before()
        return inspector  # without a file pytest would run whatever tests lie in the current folder
    said = io.StringIO()
    arguments = [
        "-q",
        "--tb=line",
        "--no-header",
        "--no-summary",
        "--disable-plugin-autoload",
        "-c",
        "/dev/null",
    ]
    arguments += [f"--rootdir={opened.site.folder}", "--import-mode=importlib"]
    arguments += [word for name in _WITHOUT for word in ("-p", f"no:{name}")]
    # stderr stays: while one host is looked at, the progress of others is told there
    named = _Named(inspector, files)
    with _one_at_a_time, contextlib.redirect_stdout(said), _without_a_persons_options():
        _forget_all_but(files)
        folders = dict.fromkeys(str(file.parent) for file in files)
        status = pytest.main([*arguments, *folders], plugins=[plugin, named])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        reasons = "\n".join(named.errors) or said.getvalue().strip()
        raise CheckError(f"the checks could not be run:\n{reasons}")
    return inspector


@contextlib.contextmanager
def _without_a_persons_options() -> Iterator[None]:
    """Hide what a person wants of pytest in their own tests: ours are no tests of theirs."""
    hidden = {name: os.environ.pop(name) for name in _OPTIONS if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _forget_all_but(files: Collection[Path]) -> None:
    """Drop modules of checks: those of another site, whose names may be the same, and those changed since.

    The others stay for the next inspection: to read all of them again takes longer than to run a few.
    """
    stamps = {str(file): _stamp(file) for file in files}
    for name, module in list(sys.modules.items()):
        file = str(getattr(module, "__file__", None))
        if file in _imported and _imported[file] != stamps.get(file):
            del sys.modules[name]
    _imported.clear()
    _imported.update(stamps)


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0, 0  # pytest will say what is wrong with it
    return status.st_ino, status.st_size, status.st_mtime_ns


class _Named:
    """Registers the inspector under the name by which the plugin knows that one is at work."""

    def __init__(self, inspector: Inspector, files: Collection[Path]) -> None:
        self._inspector = inspector
        self._files = files
        self.errors: list[str] = []
        """Why modules could not be collected; pytest's own summary is off."""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what is wrong with a module of checks."""
        if report.failed:
            self.errors.append(report.longreprtext)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Register it before the plugin looks whether it must make one itself."""
        config.pluginmanager.register(self._inspector, plugin.NAME)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect these modules and no more: pytest itself lists every folder on the way to them from /."""
        modules = [pytest.Module.from_parent(session, path=file) for file in self._files]
        session.items = [
            item for module in modules if not self._learned(module) for item in session.genitems(module)
        ]
        hook = session.config.hook
        hook.pytest_collection_modifyitems(session=session, config=session.config, items=session.items)
        hook.pytest_collection_finish(session=session)
        session.testscollected = len(session.items)
        return True

    def _learned(self, module: pytest.Module) -> bool:
        """Take a module none of whose checks is wanted at its word: pytest need not look through it."""
        try:
            return self._inspector.learned(module)
        except pytest.Collector.CollectError:
            return False  # pytest says what is wrong with it
