"""`phoenix restart`: shut named guests down and start them."""

from __future__ import annotations

import click

from . import Workplace
from .voice import by_hand, guests_argument


@click.command(short_help="Restart guests; changes that wait for it come into effect.")
@guests_argument
@click.pass_obj
def restart(workplace: Workplace, words: tuple[str, ...]) -> int:
    """Shut each GUEST (its name or VMID) down, start it, and wait until it is ready.

    Changes that wait for a restart come into effect. Other guests are left as they are.

    Exit status: 0 it runs, 1 it does not, 3 could not tell.
    """
    from ..errors import PhoenixError
    from ..operate.by_hand import Verb

    def down(text: str, name: str) -> PhoenixError:
        return PhoenixError(f"guest {text} does not run", hint=f"`phoenix start {name}`")

    verb = Verb(
        does=lambda one, _: one.verbs.restart(one.resource),
        refuses=lambda one, sight: None if sight.running else down(one.called, one.name),
        right=lambda sight: sight.running and not sight.waiting,
        outcome="runs anew",
        otherwise=lambda one: (
            f"`phoenix status {one.name}` says how it is, `phoenix logs {one.name}` how it began"
        ),
        running=True,
    )
    return by_hand(workplace, "restart", words, lambda hand, _: hand.each(verb))
