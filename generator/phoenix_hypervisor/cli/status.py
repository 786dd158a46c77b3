"""`phoenix status`: how guests are at this moment."""

from __future__ import annotations

import click

from . import Workplace
from .options import verbose_option


@click.command(short_help="Show how guests are: running or not, since when, what waits.")
@click.argument("words", nargs=-1, metavar="[GUEST...]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the table.")
@verbose_option
@click.pass_obj
def status(workplace: Workplace, words: tuple[str, ...], as_json: bool) -> int:
    """Show each GUEST (its name or VMID), or all of the site. Changes nothing and takes no lock.

    \b
    ✓ as declared   ~ not in the declared state   ! for a person   ? could not tell

    Each node is asked once. What else differs, `phoenix plan` finds.

    Exit status: 0 all in their declared state, 1 one is not, 3 could not tell.
    """
    from ..observe import document, guests_screen
    from ..observe.screen import tell
    from ..operate.by_hand import ByHand
    from ..operate.standing import exit_code, standings
    from .voice import voice

    with ByHand(workplace.site_folder, words, voice(), lock=False) as hand:
        found = standings(hand.site, hand.named, hand.look())
        code = exit_code(found)
        if as_json:
            click.echo(document.text(guests_screen.document(found, code, hand.fleet.trips())))
        else:
            for line in guests_screen.lines(found):
                click.echo(line)
        if workplace.verbose:
            for host, trips in hand.fleet.trips().items():
                tell(f"{host}: {trips} round trips")
        return code
