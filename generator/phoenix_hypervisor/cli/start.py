"""`phoenix start`: start named guests."""

from __future__ import annotations

import click

from . import Workplace
from .voice import guests_argument, voice


@click.command(short_help="Start guests, and wait until they are ready.")
@guests_argument
@click.pass_obj
def start(workplace: Workplace, words: tuple[str, ...]) -> int:
    """Start each GUEST (its name or VMID) and wait until it is ready, as `apply` does.

    What it needs is not started: you are told which of it does not run.

    Exit status: 0 it runs, 1 it does not, 3 could not tell.
    """
    from ..operate.by_hand import ByHand, Verb

    verb = Verb(
        does=lambda one, _: one.verbs.start(one.resource),
        done=lambda sight: "runs already" if sight.running else "",
        right=lambda sight: sight.running,
        outcome="runs",
        otherwise=lambda one: f"`phoenix logs {one.name}` says how it began",
        running=True,
    )
    with ByHand(workplace.site_folder, words, voice()) as hand:
        return hand.each(verb)
