"""`phoenix show`: one run, told again from its record."""

from __future__ import annotations

import click

from . import Workplace


@click.command(short_help="Tell again what one run found and did.")
@click.argument("run", default="last")
@click.option("--json", "as_json", is_flag=True, help="Print the record itself: JSON, one event a line.")
@click.pass_obj
def show(workplace: Workplace, run: str, as_json: bool) -> int:
    """Show what differed, each step, and the end of RUN.

    RUN is its name in `phoenix history`, how that begins, or `last`.
    """
    from ..observe import history_screen
    from ..records import events, files

    found = files.found(workplace.site_folder, run)
    for line in map(events.line, found) if as_json else history_screen.told_again(found):
        click.echo(line)
    return 0
