"""`phoenix stop`: shut named guests down."""

from __future__ import annotations

import click

from . import Workplace
from .voice import by_hand, guests_argument


@click.command(short_help="Shut guests down.")
@guests_argument
@click.option("--force", is_flag=True, help="End them at once, as if their power failed.")
@click.pass_obj
def stop(workplace: Workplace, words: tuple[str, ...], force: bool) -> int:
    """Shut each GUEST (its name or VMID) down, within the time its file gives it.

    Guests that need it are left as they are: you are told which of them run.

    Exit status: 0 it does not run, 1 it still does, 3 could not tell.
    """
    from ..operate.by_hand import Verb

    verb = Verb(
        does=lambda one, _: one.verbs.kill(one.resource) if force else one.verbs.stop(one.resource),
        done=lambda sight: "" if sight.running else "does not run",
        right=lambda sight: not sight.running,
        decides=True,
        outcome="is stopped",
        otherwise=lambda one: (
            ""
            if force
            else f"`phoenix logs {one.name}` may say what it waits for; "
            f"`phoenix stop {one.name} --force` ends it at once, as if its power failed"
        ),
        running=False,
    )
    return by_hand(workplace, "stop", words, lambda hand, _: hand.each(verb))
