"""`phoenix snapshot`: keep a state of a guest to go back to."""

from __future__ import annotations

import click

from . import Workplace
from .voice import by_hand


@click.command(short_help="Take a snapshot of a guest.")
@click.argument("guest")
@click.argument("name")
@click.pass_obj
def snapshot(workplace: Workplace, guest: str, name: str) -> int:
    """Take a snapshot NAME of GUEST (its name or VMID) with all its volumes.

    Folders of the node that are mounted into it stand in the way: then it is said which dataset holds
    them. `phoenix rollback GUEST NAME` goes back.

    Exit status: 0 it is taken, 1 it is not, 3 could not tell.
    """
    from ..operate.by_hand import Verb

    verb = Verb(
        does=lambda one, sight: one.verbs.snapshot(one.resource, sight, name),
        right=lambda sight: name in {taken.name for taken in sight.snapshots},
        decides=True,
        outcome=f"has the snapshot {name}",
    )
    return by_hand(workplace, "snapshot", [guest], lambda hand, _: hand.each(verb))
