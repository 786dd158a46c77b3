"""`phoenix backup`: save a guest now, as its job does."""

from __future__ import annotations

import click

from ..errors import ExitCode
from . import Workplace
from .voice import by_hand


@click.command(short_help="Save a guest now, as its backup job does.")
@click.argument("guest")
@click.option("--job", default="", metavar="NAME", help="Which job, when several are about it.")
@click.pass_obj
def backup(workplace: Workplace, guest: str, job: str) -> int:
    """Make a backup of GUEST (its name or VMID) with the settings of its `backup_job`.

    Older backups stay: only the job itself, in its turn, removes what it need not keep. A backup that is
    cut off goes on by itself on the node.

    Exit status: 0 it is made, 1 it is not, 3 could not tell.
    """
    from ..operate import restoring
    from ..operate.by_hand import ByHand, Verb

    def save(hand: ByHand, _: object) -> ExitCode:
        (one,) = hand.named
        by = restoring.job_of(hand.site, one, job)
        verb = Verb(
            does=lambda one, sight: restoring.backup(by, one, sight),
            outcome="is saved",
            otherwise=lambda one: f"`phoenix restore {one.name}` lists what there is",
            patient=True,
        )
        return hand.each(verb)

    return by_hand(workplace, "backup", [guest], save)
