"""`phoenix apply`: inspect, converge what failed, inspect again."""

from __future__ import annotations

import click

from . import Workplace
from .options import host_options, verbose_option
from .voice import agreed, teller


@click.command(short_help="Make the hosts match the files; shows the plan and asks first.")
@host_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--prune", is_flag=True, help="Remove what we made and is declared no longer.")
@click.option(
    "--allow-destroy", multiple=True, metavar="REF", help="Agree that this resource's data is destroyed."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; implies that nothing is asked."
)
@verbose_option
@click.pass_obj
def apply(
    workplace: Workplace,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    yes: bool,
    prune: bool,
    allow_destroy: tuple[str, ...],
    as_json: bool,
) -> int:
    """Inspect the hosts, show the plan, ask, run it, and look again until nothing differs.

    A resource is fixed when its checks pass on the second look. One that fails blocks only what needs
    it. Nothing is destroyed unless the file says `state: absent` (or --prune) and --allow-destroy
    names it. Cut at any point: run it again.

    Exit status: 0 everything is as declared, 1 something failed, 3 could not tell.
    """
    from ..errors import ExitCode
    from ..observe import document, screen
    from .work import Work

    with Work(workplace, hosts, targets, prune=prune, destroy=allow_destroy, lock=True) as work:
        found = work.plan(probes=True)
        planned = document.plan_document(found, work.looks, work.fleet.trips())
        if not as_json:
            for line in screen.plan_lines(found, work.looks, work.fleet.lost, work.fleet.node_of):
                click.echo(line)
        if not found.pending:
            work.tell_trips()
            if as_json:
                from ..converge.engine import Outcome  # it imports pytest: not before connecting has begun

                nothing_run = document.outcome_document(planned, Outcome(work.looks), found.code)
                click.echo(document.text(nothing_run))
            return found.code
        if not (yes or as_json) and not agreed(words for _, words in found.destroys()):
            return found.code
        lost_before = set(work.fleet.lost)
        outcome = work.converge(found, teller(quiet=as_json))
        code = ExitCode.worst([outcome.code, ExitCode.UNKNOWN if work.fleet.lost else ExitCode.OK])
        if outcome.stopped:
            code = ExitCode.INTERRUPTED
        if as_json:
            click.echo(document.text(document.outcome_document(planned, outcome, code)))
        else:
            for line in screen.outcome_lines(outcome, lost_before, work.fleet.node_of):
                click.echo(line)
        work.tell_trips()
        return code
