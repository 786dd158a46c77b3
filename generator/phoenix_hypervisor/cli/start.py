"""`phoenix start`: start named guests."""

from __future__ import annotations

import click

from . import Workplace
from .voice import by_hand, guests_argument


@click.command(short_help="Start guests, and wait until they are ready.")
@guests_argument
@click.pass_obj
def start(workplace: Workplace, words: tuple[str, ...]) -> int:
    """Start each GUEST (its name or VMID) and wait until it is ready, as `apply` does.

    What it needs is not started: you are told which of it does not run.

    Exit status: 0 it runs, 1 it does not, 3 could not tell.
    """
    from ..operate.by_hand import Verb

    verb = Verb(
        does=lambda one, _: one.verbs.start(one.resource),
        done=lambda sight: "runs already" if sight.running else "",
        right=lambda sight: sight.running,
        outcome="runs",
        otherwise=lambda one: f"`phoenix logs {one.name}` says how it began",
        running=True,
    )
    return by_hand(workplace, "start", words, lambda hand, _: hand.each(verb))
