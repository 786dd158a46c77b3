"""`phoenix watch`: look again and again, tell what changed, repair what may be repaired unattended."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from . import Workplace

if TYPE_CHECKING:
    from ..config.model import Watch
    from ..records.events import Run
    from ..watch.files import Files
    from ..watch.latest import Latest
    from ..watch.looking import Looking
    from ..watch.loop import Cycle, Policy
    from ..watch.standing import Standing

LONGEST_RECORD = 4_000_000
"""Bytes after which a watcher's record loses its older half: news of a year, mostly."""


@click.command(short_help="Look at the nodes again and again; tell what changes.")
@click.option("--once", is_flag=True, help="Look once at each node, and end: for a timer.")
@click.option("--events", is_flag=True, help="Print what happens as JSON, a line an event, instead of words.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Serve metrics for Prometheus there, and the report (0: on any free port).",
)
@click.option("--metrics-address", metavar="ADDRESS", help="On this address, instead of 127.0.0.1.")
@click.pass_obj
def watch(
    workplace: Workplace, once: bool, events: bool, metrics_port: int | None, metrics_address: str | None
) -> int:
    """Inspect every node on an interval and tell what is news: drift, what is right again, who is away.

    `watch:` in configs/site.yaml says how often, whom to tell, and up to which effect differences may be
    repaired unattended (nothing, unless it says so; never what restarts or destroys). Files that are
    changed are taken over; while they are wrong, the last good ones count. Ctrl-C or SIGTERM ends it
    after the steps that are running.

    Exit status with --once: 0 as declared, 2 something differs, 3 could not tell.
    """
    from ..errors import UsageError
    from ..observe.screen import tell
    from ..records.events import Run
    from ..records.files import Writer
    from ..records.traces import traced_looks
    from ..watch.alone import alone
    from ..watch.files import Files
    from ..watch.looking import Looking
    from ..watch.loop import Watcher
    from ..watch.systemd import Told
    from ..watch.voice import Voice
    from .listening import listeners

    gc.enable()  # other verbs are short and do without; this one lives for months
    site = workplace.site_folder.resolve()
    port, address = (None, "") if once else _endpoint(site, metrics_port, metrics_address)
    if once and metrics_port is not None:
        hint = "`phoenix plan --probes --metrics-file FILE` is for a timer"
        raise UsageError("a watcher that looks once ends before anybody asks for metrics", hint=hint)
    heard = listeners(workplace, tell, events=events, traced=False)
    run = Run("watch", [Writer(site, tell, longest=LONGEST_RECORD), *heard])
    traces = traced_looks(os.environ, tell)
    looking = Looking(options=workplace.log.arguments if workplace.log else (), traces=traces)
    voice, told = Voice(site, run, tell, shown=not events), Told()
    files = Files(site, looking.valid, voice.say)
    with alone(site), _served(run, looking, files, site, address, port) as latest:
        run.begin(["phoenix", *sys.argv[1:]], site=str(site))

        def read(folder: Path) -> Policy:
            policy = voice.read(folder)
            latest.keep(policy.nodes)
            return policy

        def hear(cycle: Cycle) -> None:
            latest.hear(cycle)
            voice.hear(cycle)
            told.status(latest.words())

        watcher = Watcher(looking, files, read, hear, voice.memory.of)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: watcher.stop())
        told.ready()
        code = _status(watcher.once()) if once else watcher.run(told.alive)
        told.stopping()
        if traces is not None:
            traces.close()
        run.end(code)
        return code


def _endpoint(site: Path, port: int | None, address: str | None) -> tuple[int | None, str]:
    """Where metrics are served: by the command line, or the site's files (the last good ones at worst)."""
    settings = _settings(site)
    return (settings.metrics_port if port is None else port), address or settings.metrics_address


def _settings(site: Path) -> Watch:
    """What the site's files say of watching; while they are wrong, the last good ones."""
    from ..config import load_settings
    from ..config.model import Watch
    from ..errors import PhoenixError
    from ..watch.files import KEPT

    for folder in (site, site / KEPT):
        with contextlib.suppress(PhoenixError):
            return load_settings(folder).watch
    return Watch()


@contextlib.contextmanager
def _served(
    run: Run, looking: Looking, files: Files, site: Path, address: str, port: int | None
) -> Iterator[Latest]:
    """Serve what is counted and seen while this is open, if it is to be served. Yields what hears looks."""
    from ..watch.latest import Latest, Page

    latest = Latest(run.name, str(site))
    if port is None:
        yield latest
        return
    from ..observe.metrics import Metrics
    from ..observe.screen import tell
    from ..watch.endpoint import serving

    metrics = Metrics(site.name)
    run.listen(metrics)
    page = Page(latest, lambda record: looking.page(files.folder() or site, record))
    everyone = _settings(site).report_to == "everyone"
    with serving(metrics, address, port, page, everyone=everyone) as taken:
        place = f"http://{f'[{address}]' if ':' in address else address}:{taken}"
        tell(f"metrics: {place}/metrics, report: {place}/")
        yield latest


def _status(standings: Sequence[Standing]) -> ExitCode:
    """The exit status after one look at each node."""
    if not standings or any(one.error for one in standings):
        return ExitCode.UNKNOWN
    return ExitCode.PENDING if any(one.trouble for one in standings) else ExitCode.OK
