"""`phoenix apply`: inspect, converge what failed, inspect again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..errors import ExitCode
from . import Workplace
from .options import host_options, listening_options, screen_options, verbose_option
from .voice import agreed, teller

if TYPE_CHECKING:
    from ..converge.outcome import Outcome
    from ..converge.plan import Plan
    from ..firewall.effect import Effect as Reached
    from ..records.events import Run
    from ..resource import Ref
    from .work import Work


@click.command(short_help="Make the hosts match the files; shows the plan and asks first.")
@host_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--prune", is_flag=True, help="Remove what we made and is declared no longer.")
@click.option(
    "--allow-destroy", multiple=True, metavar="REF", help="Agree that this resource's data is destroyed."
)
@click.option(
    "--reboot",
    is_flag=True,
    help="Restart nodes that need it, each after everything else on it; wait for them, and go on.",
)
@click.option(
    "--at-most",
    type=click.Choice(["hot", "reload", "restart"]),
    help="Leave alone what needs a stronger effect than this.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; implies that nothing is asked."
)
@click.option("--report", metavar="FILE", help="Write an HTML page about this run, as `phoenix report` does.")
@listening_options
@screen_options
@verbose_option
@click.pass_obj
def apply(
    workplace: Workplace,
    hosts: tuple[str, ...],
    targets: tuple[str, ...],
    yes: bool,
    prune: bool,
    allow_destroy: tuple[str, ...],
    reboot: bool,
    at_most: str | None,
    as_json: bool,
    report: str | None,
    events: bool,
    metrics_file: str | None,
) -> int:
    """Inspect the hosts, show the plan, ask, run it, and look again until nothing differs.

    A resource is fixed when its checks pass on the second look. One that fails blocks only what needs
    it. Nothing is destroyed unless the file says `state: absent` (or --prune) and --allow-destroy
    names it. No node is restarted without --reboot: what needs that waits. Cut at any point: run it again.
    With --events, as with --json, nothing is asked.

    Exit status: 0 everything is as declared, 1 something failed, 2 only reboots are left, 3 could not tell.
    """
    from ..converge.outcome import Outcome
    from ..converge.reach import reach
    from ..observe import document, screen
    from .listening import listeners
    from .recording import recorded
    from .work import Work

    told = listeners(workplace, screen.tell, events=events, as_json=as_json, metrics_file=metrics_file)
    says = _Says(as_json, as_json or events, workplace.quiet, reboot)
    consent = {"prune": prune, "destroy": allow_destroy, "reboot": reboot, "at_most": at_most}
    with (
        recorded("apply", workplace.site_folder, screen.tell, told) as run,
        Work(workplace, hosts, targets, run=run, lock=True, **consent) as work,
    ):
        found = work.plan(probes=True)
        reached = reach(work.site, found)
        trips = work.fleet.trips()
        planned = document.plan_document(found, work.looks, trips, reached, run.name, work.fleet.lost)
        run.tell("plan", {"plan": planned})
        runs = found.runs(reboot=reboot)
        outcome = Outcome(work.looks, phases=work.phases)
        for line in _plan_lines(work, found, reached, says, asks=runs and not yes):
            click.echo(line)
        if not runs:
            code = found.code
            if as_json:
                click.echo(document.text(document.outcome_document(planned, outcome, code)))
        elif yes or says.silent or _agreed(work, found, reboot=reboot):
            code, outcome = _carry_out(work, found, run, planned, says)
        else:
            code = found.code
        run.end(code, round_trips=work.fleet.trips(), phases=work.phases)
        _leave(work, run, outcome, report)
        work.tell_costs(quiet=says.silent or says.quiet)
        return code


class _Says(NamedTuple):
    """What is said on the way."""

    as_json: bool
    silent: bool
    """stdout has data only."""
    quiet: bool
    """Only what is wrong, and how it ended."""
    reboot: bool


def _plan_lines(
    work: Work, found: Plan, reached: Mapping[Ref, Sequence[Reached]], says: _Says, *, asks: bool
) -> Iterable[str]:
    """Return the plan for a person: whole for who `asks` about it, otherwise as little as was wanted."""
    from ..observe import screen

    if says.silent:
        return ()
    if not says.quiet or asks:
        return screen.plan_lines(found, work.looks, work.fleet.lost, work.fleet.node_of, reached)
    if found.runs(reboot=says.reboot):
        return ()  # the outcome says it
    return screen.brief_plan_lines(found, work.looks, work.fleet.lost)


def _leave(work: Work, run: Run, outcome: Outcome, report: str | None) -> None:
    """Write the report; tell a workflow of GitHub's what is not as declared."""
    from ..observe import annotations, screen
    from .report import page, write

    if report:
        write(report, page(work.site, run.name))
    for line in annotations.of_looks(work.site, outcome) if annotations.wanted() else ():
        screen.tell(line)


def _agreed(work: Work, found: Plan, *, reboot: bool) -> bool:
    """Ask for what is lost and restarted by it."""
    restarted = {work.fleet.node_of(ref.host) for ref, _ in found.reboots()} if reboot else set()
    return agreed([words for _, words in found.destroys()], restarted)


def _carry_out(
    work: Work, found: Plan, run: Run, planned: dict[str, Any], says: _Says
) -> tuple[ExitCode, Outcome]:
    """Run what is planned, and tell how it ended."""
    from ..observe import document, progress, screen
    from ..observe.live import SCREEN
    from .recording import told_to

    lost_before = set(work.fleet.lost)
    still = says.silent or says.quiet
    tell = told_to(run, teller(quiet=still))
    if still:
        outcome = work.converge(found, tell)
    else:
        with SCREEN.following(progress.of_plan(work.site, found, reboot=says.reboot)):
            outcome = work.converge(found, tell)
    code = ExitCode.worst([outcome.code, ExitCode.UNKNOWN if work.fleet.lost else ExitCode.OK])
    if outcome.stopped:
        code = ExitCode.INTERRUPTED
    result = document.outcome_document(planned, outcome, code)
    run.tell("outcome", {key: result[key] for key in document.OUTCOME})
    if says.as_json:
        click.echo(document.text(result))
    elif not says.silent:
        for line in screen.outcome_lines(outcome, lost_before, work.fleet.node_of):
            click.echo(line)
    return code, outcome
