"""`phoenix plan`: inspect, show what differs and what would be run. Changes nothing."""

from __future__ import annotations

import click

from . import Workplace
from .options import configs_option, host_options, listening_options, screen_options, verbose_option


@click.command(short_help="Show what differs and exactly what would be run; changes nothing.")
@configs_option(with_secrets=True)
@host_options
@click.option("--prune", is_flag=True, help="Plan the removal of what we made and is declared no longer.")
@click.option(
    "--allow-destroy", multiple=True, metavar="REF", help="Agree that this resource's data is destroyed."
)
@click.option("--probes", is_flag=True, help="Use the things as well, as `apply` and `verify` do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the screen.")
@listening_options
@screen_options
@verbose_option
@click.pass_obj
def plan(
    workplace: Workplace,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    prune: bool,
    allow_destroy: tuple[str, ...],
    probes: bool,
    as_json: bool,
    events: bool,
    metrics_file: str | None,
) -> int:
    """Inspect the hosts, show each attribute that differs and exactly what `apply` would run.

    \b
    + to create   ~ to change   - to remove   ! cannot be repaired   ? could not tell
    [hot] nobody notices  [reload] a service reads its configuration again
    [restart] a service or guest is stopped and started  [reboot] the node restarts

    Exit status: 0 nothing to do, 2 changes pending, 1 something cannot be repaired, 3 could not tell.
    """
    from ..converge.reach import reach
    from ..observe import annotations, document, screen
    from .listening import listeners
    from .recording import recorded
    from .work import Work

    told = listeners(workplace, screen.tell, events=events, as_json=as_json, metrics_file=metrics_file)
    with (
        recorded("plan", workplace.site_folder, screen.tell, told) as run,
        Work(workplace, hosts, targets, run=run, prune=prune, destroy=allow_destroy) as work,
    ):
        found = work.plan(probes=probes)
        reached = reach(work.site, found)
        planned = document.plan_document(
            found, work.looks, work.fleet.trips(), reached, run.name, work.fleet.lost
        )
        run.tell("plan", {"plan": planned})
        run.end(found.code, round_trips=work.fleet.trips())
        if as_json:
            click.echo(document.text(planned))
        elif workplace.quiet and not events:
            for line in screen.brief_plan_lines(found, work.looks, work.fleet.lost):
                click.echo(line)
        elif not events:
            for line in screen.plan_lines(found, work.looks, work.fleet.lost, work.fleet.node_of, reached):
                click.echo(line)
        for line in annotations.of_plan(work.site, found) if annotations.wanted() else ():
            screen.tell(line)
        work.tell_costs(quiet=True)
        return found.code
