"""`phoenix recreate`: make a guest anew from its template or layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import Workplace
from .options import verbose_option
from .voice import yes_option

if TYPE_CHECKING:
    from ..converge.steps import Ran
    from ..errors import ExitCode
    from ..records.events import Run
    from .work import Work


@click.command(short_help="Make a guest anew from its template or layer; keeps its data, asks first.")
@click.argument("guest")
@yes_option
@verbose_option
@click.pass_obj
def recreate(workplace: Workplace, guest: str, yes: bool) -> int:
    """Destroy the root file system of GUEST (its name or VMID) and make it anew as the files say.

    Its volumes, the folders mounted into it, its addresses, its settings and its firewall rules are kept,
    its VMID too; its snapshots are lost. A layer is sealed anew; what was cloned from it is not touched.
    The plan is shown first, and you are asked. Cut at any point: run it again, or `phoenix apply`.

    Exit status: 0 it is as declared, 1 something failed, 3 could not tell.
    """
    from ..config import load
    from ..observe import screen
    from ..operate.guests import named
    from .listening import listeners
    from .recording import recorded
    from .work import Work

    (one,) = named(load(workplace.site_folder), [guest])
    told = listeners(workplace, screen.tell)
    with (
        recorded("recreate", workplace.site_folder, screen.tell, told) as run,
        Work(workplace, [one.name], (), run=run, lock=True) as work,
    ):
        code = _anew(work, run, one.name, yes)
        run.end(code, round_trips=work.fleet.trips(), phases=work.phases)
        return code


def _anew(work: Work, run: Run, name: str, yes: bool) -> ExitCode:
    from ..errors import ExitCode, PhoenixError
    from ..observe import document, screen
    from ..operate import guests, recreation
    from ..operate.by_hand import carry_out, known
    from .recording import told_to
    from .voice import agreed, teller

    site, fleet, tell = work.site, work.fleet, told_to(run, teller(quiet=False))
    (one,) = guests.named(site, [name])
    work.plan(probes=False)
    away = recreation.away(one, known(guests.look(fleet, [one])[one.name]))
    work.looks = recreation.as_if_missing(site, one, work.looks)
    plan = recreation.plan_of(site, one, away, work.looks)
    run.tell("plan", {"plan": document.plan_document(plan, work.looks, fleet.trips(), run=run.name)})
    for line in screen.plan_lines(plan, {}, {}, fleet.node_of):
        click.echo(line)
    if not yes and not agreed(step.destroys for step in away):
        return ExitCode.PENDING
    ran: list[Ran] = []

    def note(step: Ran) -> None:
        ran.append(step)
        tell("ran", {"ran": step})

    failure = carry_out(fleet, site.folder, one, away, note)
    if failure:
        raise PhoenixError(f"guest {one.called} is not made anew: {failure}")
    outcome = work.converge(plan, tell)
    outcome.ran[:0] = ran
    for line in screen.outcome_lines(outcome, (), fleet.node_of):
        click.echo(line)
    work.tell_costs()
    code = ExitCode.worst([outcome.code, ExitCode.UNKNOWN if fleet.lost else ExitCode.OK])
    if outcome.stopped:
        code = ExitCode.INTERRUPTED
    result = document.outcome_document({}, outcome, code)
    run.tell("outcome", {key: result[key] for key in document.OUTCOME})
    return code
