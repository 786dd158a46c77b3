"""`phoenix rollback`: bring a guest back to a snapshot."""

from __future__ import annotations

import click

from . import Workplace
from .voice import by_hand, yes_option


@click.command(short_help="Bring a guest back to a snapshot; asks first.")
@click.argument("guest")
@click.argument("name")
@yes_option
@click.pass_obj
def rollback(workplace: Workplace, guest: str, name: str, yes: bool) -> int:
    """Bring GUEST (its name or VMID) with all its volumes and settings back to its snapshot NAME.

    Whatever was written in it since is lost, so it is shown and you are asked. A guest that runs is ended
    for it and started again. On ZFS only the newest snapshot can be gone back to.

    Exit status: 0 it is back, 1 it is not, 3 could not tell.
    """
    from ..operate.by_hand import Verb

    verb = Verb(
        does=lambda one, sight: one.verbs.rollback(one.resource, sight, name),
        right=lambda sight: sight.here and not sight.lock,
        outcome=f"is as it was at {name}",
        otherwise=lambda one: f"`phoenix status {one.name}` says how it is",
    )
    return by_hand(workplace, "rollback", [guest], lambda hand, _: hand.each(verb), yes=yes)
