"""`phoenix history`: what was run on this site."""

from __future__ import annotations

import click

from . import Workplace


@click.command(short_help="List what was run on this site, the latest first.")
@click.option("-n", "--number", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def history(workplace: Workplace, number: int, as_json: bool) -> int:
    """List the records of runs: `plan`, `apply`, `verify`, and verbs by hand that change something.

    When each was, by whom, how it ended.

    Records lie in .phoenix/runs/ of the site. No plan looks at them; deleting them changes nothing.
    """
    from ..observe import document, history_screen
    from ..records import files

    found = files.listed(workplace.site_folder)[:number]
    if as_json:
        click.echo(document.text(history_screen.document(found)))
        return 0
    for line in history_screen.lines(found):
        click.echo(line)
    return 0
