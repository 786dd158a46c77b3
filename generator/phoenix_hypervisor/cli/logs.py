"""`phoenix logs`: what a guest has written down."""

from __future__ import annotations

import time

import click

from . import Workplace

PAUSE = 1.0
"""Seconds between two looks when following: a round trip each."""


@click.command(short_help="Print the journal of a guest, or how its last start went.")
@click.argument("guest")
@click.option(
    "-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many lines."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.pass_obj
def logs(workplace: Workplace, guest: str, lines: int, follow: bool) -> int:
    """Print the last lines of the journal in GUEST (its name or VMID).

    While it does not run, these are the lines about its start on its node.

    Exit status: 0 printed, 1 there is no such guest on its node, 3 it could not be asked.
    """
    from ..errors import ExitCode
    from ..observe.screen import tell
    from ..operate.by_hand import ByHand, known
    from ..operate.guests import hindrance
    from ..operate.journal import Journal
    from .voice import voice

    with ByHand(workplace.site_folder, [guest], voice(), lock=False) as hand:
        (one,) = hand.named
        sight = known(hand.look()[one.name])
        trouble = hindrance(one, sight, even_locked=True)
        if trouble:
            raise trouble
        if not sight.running:
            tell(f"{one.called} does not run; how its start went, from {one.guest.node}:")
        journal = Journal(hand.fleet, one, sight)
        if not follow:
            click.echo(journal.last(lines), nl=False)
            return ExitCode.OK
        for text in journal.follow(lines):
            click.echo(text, nl=False)
            time.sleep(PAUSE)
        tell(f"{one.called} keeps no journal that could be followed")
        return ExitCode.OK
