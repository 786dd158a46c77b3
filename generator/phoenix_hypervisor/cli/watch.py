"""`phoenix watch`: look again and again, tell what changed, repair what may be repaired unattended."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode
from . import Workplace

if TYPE_CHECKING:
    from ..watch.standing import Standing


@click.command(short_help="Look at the nodes again and again; tell what changes.")
@click.option("--once", is_flag=True, help="Look once at each node, and end: for a timer.")
@click.pass_obj
def watch(workplace: Workplace, once: bool) -> int:
    """Inspect every node on an interval and tell what is news: drift, what is right again, who is away.

    `watch:` in configs/site.yaml says how often, whom to tell, and up to which effect differences may be
    repaired unattended (nothing, unless it says so; never what restarts or destroys). Files that are
    changed are taken over; while they are wrong, the last good ones count. Ctrl-C or SIGTERM ends it
    after the steps that are running.

    Exit status with --once: 0 as declared, 2 something differs, 3 could not tell.
    """
    from ..observe.screen import tell
    from ..records.events import Run
    from ..records.files import Writer
    from ..watch.alone import alone
    from ..watch.files import Files
    from ..watch.looking import Looking
    from ..watch.loop import Watcher
    from ..watch.systemd import Told
    from ..watch.voice import Voice

    site = workplace.site_folder.resolve()
    with alone(site):
        run = Run("watch", [Writer(site, tell)])
        run.begin(["phoenix", "watch", *(["--once"] if once else [])], site=str(site))
        looking, voice, told = Looking(), Voice(site, run, tell), Told()
        watcher = Watcher(looking, Files(site, looking.valid, voice.say), voice.read, voice.hear)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: watcher.stop())
        told.ready()
        code = _status(watcher.once()) if once else watcher.run(told.alive)
        told.stopping()
        run.end(code)
        return code


def _status(standings: Sequence[Standing]) -> ExitCode:
    """The exit status after one look at each node."""
    if not standings or any(one.error for one in standings):
        return ExitCode.UNKNOWN
    return ExitCode.PENDING if any(one.trouble for one in standings) else ExitCode.OK
