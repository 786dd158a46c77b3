"""`phoenix plan`: inspect, show what differs and what would be run. Changes nothing."""

from __future__ import annotations

import click

from . import Workplace
from .options import host_options, verbose_option


@click.command(short_help="Show what differs and exactly what would be run; changes nothing.")
@host_options
@click.option("--prune", is_flag=True, help="Plan the removal of what we made and is declared no longer.")
@click.option(
    "--allow-destroy", multiple=True, metavar="REF", help="Agree that this resource's data is destroyed."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the screen.")
@verbose_option
@click.pass_obj
def plan(
    workplace: Workplace,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    prune: bool,
    allow_destroy: tuple[str, ...],
    as_json: bool,
) -> int:
    """Inspect the hosts, show each attribute that differs and exactly what `apply` would run.

    \b
    + to create   ~ to change   - to remove   ! cannot be repaired   ? could not tell
    [hot] nobody notices  [reload] a service reads its configuration again
    [restart] a service or guest is stopped and started  [reboot] the node restarts

    Exit status: 0 nothing to do, 2 changes pending, 1 something cannot be repaired, 3 could not tell.
    """
    from ..observe import document, screen
    from .work import Work

    with Work(workplace, hosts, targets, prune=prune, destroy=allow_destroy) as work:
        found = work.plan(probes=False)
        if as_json:
            click.echo(document.text(document.plan_document(found, work.looks, work.fleet.trips())))
        else:
            for line in screen.plan_lines(found, work.looks, work.fleet.lost, work.fleet.node_of):
                click.echo(line)
        work.tell_trips()
        return found.code
