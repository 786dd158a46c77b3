"""How verbs speak and ask: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..converge.engine import Tell
    from ..converge.steps import Ran
    from ..errors import ExitCode, PhoenixError
    from ..operate.by_hand import ByHand, Voice
    from ..operate.guests import Named
    from ..records.events import Run
    from ..resource import Step
    from . import Workplace

Wrapped = TypeVar("Wrapped", bound=Callable[..., object])


def guests_argument(verb: Wrapped) -> Wrapped:
    """Add GUEST…, at least one."""
    return click.argument("words", nargs=-1, required=True, metavar="GUEST...")(verb)


def yes_option(verb: Wrapped) -> Wrapped:
    """Add --yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(verb)


def by_hand(
    workplace: Workplace,
    verb: str,
    words: Sequence[str],
    work: Callable[[ByHand, Voice], ExitCode],
    *,
    yes: bool = False,
) -> ExitCode:
    """Do `work` with named guests whose nodes are locked; a record of it is kept. Returns the exit status."""
    from ..observe import screen
    from ..operate.by_hand import ByHand
    from .listening import listeners
    from .recording import recorded

    told = listeners(workplace, screen.tell)
    with recorded(verb, workplace.site_folder, screen.tell, told) as run:
        says = voice(yes=yes, run=run)
        with ByHand(workplace.site_folder, words, says) as hand:
            code = work(hand, says)
            run.end(code, round_trips=hand.fleet.trips())
            return code


def voice(*, yes: bool = False, run: Run | None = None) -> Voice:
    """Return the voice of a terminal; with `yes` it asks nothing. `run` hears what is done, too."""
    from ..observe import screen
    from ..operate.by_hand import Voice

    def say_ran(ran: Ran) -> None:
        screen.tell(screen.ran_line(ran))
        if run is not None:
            run.tell("ran", ran.row)

    def say_wrong(error: PhoenixError) -> None:
        warn(error)
        if run is not None:
            run.tell("error", {"message": error.message})

    return Voice(
        tell=screen.tell,
        warn=say_wrong,
        ran=say_ran,
        done=lambda text: click.echo(f"{screen.paint('✓', 'green')} {text}"),
        agreed=lambda one, steps: _agreed_to(one, steps, yes),
    )


def warn(error: PhoenixError) -> None:
    """Say what is wrong, as the main command does, and go on."""
    from ..observe import screen

    screen.tell(f"{screen.paint('error:', 'red', err=True)} {error}")


def agreed(lost: Iterable[str], reboots: Collection[str] = ()) -> bool:
    """Ask whether what was shown may be run; `lost` is what that destroys. Raises UsageError.

    `reboots` are the nodes that are restarted by it.
    """
    from ..errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked", hint="add --yes")
    words = ", ".join(lost)
    also = [f"reboot {', '.join(sorted(reboots))}"] if reboots else []
    also += [f"lose {words}"] if words else []
    return click.confirm(f"Run this{''.join(f', and {one}' for one in also)}?", err=True)


def teller(*, quiet: bool) -> Tell:
    """Return what tells of steps as they are run; `quiet`: nothing."""

    from ..observe import screen
    from ..observe.live import SCREEN

    def tell(event: str, facts: Mapping[str, Any]) -> None:
        if quiet:
            return
        SCREEN.note(event, facts)
        if event == "step":
            SCREEN.begins((facts["ref"], facts["title"]), screen.step_name(facts["ref"], facts["title"]))
        elif event == "progress":
            SCREEN.hears((facts["ref"], facts["title"]), facts["said"])
        elif event == "ran":
            SCREEN.ends((facts["ran"].ref, facts["ran"].title))
            screen.tell(screen.ran_line(facts["ran"]))
        elif event == "waits":
            screen.tell(f"  {facts['words']}")
        elif event == "stuck":
            screen.tell(f"  {facts['ref'].full}: {facts['reason']}")

    return tell


def _agreed_to(one: Named, steps: Sequence[Step], yes: bool) -> bool:
    """Show what would be run on a guest, and ask."""
    from ..converge.plan import Entry
    from ..inspect.looks import Look, Status
    from ..observe import screen

    click.echo(screen.paint(one.guest.node, "cyan"))
    for line in screen.entry_lines(Entry(one.ref, Look(one.ref, Status.OK), tuple(steps))):
        click.echo(line)
    return yes or agreed(step.destroys for step in steps if step.destroys)
