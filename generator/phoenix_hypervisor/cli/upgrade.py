"""`phoenix upgrade`: bring the packages of hosts up to date."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from . import Workplace
from .voice import yes_option

if TYPE_CHECKING:
    from ..errors import ExitCode
    from ..inspect.fleet import Fleet
    from ..operate.upgrade import Machine
    from ..records.events import Run


@click.command(short_help="Upgrade the packages of hosts with APT; shows what changes and asks first.")
@click.argument("words", nargs=-1, metavar="[HOST]...")
@yes_option
@click.option("--allow-remove", is_flag=True, help="Agree that packages are removed on the way.")
@click.pass_obj
def upgrade(workplace: Workplace, words: tuple[str, ...], yes: bool, allow_remove: bool) -> int:
    """Upgrade each HOST, a node or a guest (its name or VMID); without one, all nodes.

    APT reads its repositories, every package that would change is shown, and you are asked. Held
    packages stay, changed settings too, nothing is rebooted or restarted: what should be is said in the
    end. The upgrade is the host's own: it goes on when the connection breaks.

    Exit status: 0 up to date, 1 something failed or was refused, 2 not agreed to, 3 could not tell.
    """
    from ..config import load
    from ..errors import ExitCode
    from ..inspect.fleet import Fleet, refuse_unknown_hosts
    from ..observe.screen import tell
    from ..operate.node_lock import LOCK, owner, refuse_if_held
    from .listening import listeners
    from .recording import recorded

    site = load(workplace.site_folder)
    vmids = {guest.vmid: guest.name for guest in site.guests.values()}
    hosts = list(dict.fromkeys(vmids.get(word, word) for word in words)) or list(site.nodes)
    refuse_unknown_hosts(hosts, site.hosts)
    nodes = {site.node_of(host) for host in hosts}
    fleet = Fleet(site.inventory, site.folder, nodes, site.guests.values())
    with recorded("upgrade", site.folder, tell, listeners(workplace, tell)) as run:
        try:
            refuse_if_held(fleet.lock(nodes, LOCK, owner()))
            containers = {
                guest.name: guest.vmid for guest in site.guests.values() if guest.entered == "attach"
            }
            code = _upgraded(fleet, run, hosts, containers, yes=yes, remove=allow_remove)
        finally:
            fleet.close()
        code = ExitCode.worst([code, ExitCode.UNKNOWN if fleet.lost else ExitCode.OK])
        run.end(code, round_trips=fleet.trips())
        return code


def _upgraded(
    fleet: Fleet, run: Run, hosts: list[str], vmids: dict[str, str], *, yes: bool, remove: bool
) -> ExitCode:
    from ..errors import ExitCode, PhoenixError
    from ..observe import upgrade_screen
    from ..operate import upgrade as work
    from .voice import agreed, warn

    wrong = work.update(fleet, hosts)
    ready = [host for host in hosts if host not in wrong and not fleet.is_lost(host)]
    found = work.look(fleet, ready, vmids)
    wrong |= {host: one for host, one in found.items() if isinstance(one, PhoenixError)}
    known = work.machines(found)
    for host, machine in known.items():
        for line in upgrade_screen.lines(host, machine.would, machine.held):
            click.echo(line)
        if not remove and (refusal := work.refused(host, machine)):
            wrong[host] = refusal
    _warn_of(known)
    for error in (*wrong.values(), *fleet.lost.values()):
        warn(error)
    codes = [error.code for error in wrong.values()]
    ready = [host for host, one in known.items() if one.would.packages and host not in wrong]
    if ready and not yes and not agreed(_removed(known, ready)):
        return ExitCode.PENDING
    codes += [_one(fleet, run, host, vmids, known[host], remove=remove) for host in ready]
    return ExitCode.worst([*codes, ExitCode.OK])


def _removed(known: dict[str, Machine], ready: list[str]) -> list[str]:
    """What is lost with it: removed packages."""
    return [f"{one.name} on {host}" for host in ready for one in known[host].would.removed]


def _warn_of(known: dict[str, Machine]) -> None:
    """Say what would break before anything is run."""
    from ..observe.screen import paint, tell
    from ..operate.upgrade import gates

    for host, machine in known.items():
        for said in gates(machine):
            tell(f"{paint('warning:', 'yellow', err=True)} {host} {said}")


def _one(
    fleet: Fleet, run: Run, host: str, vmids: dict[str, str], before: Machine, *, remove: bool
) -> ExitCode:
    """Upgrade one host, look again, and say what is wanted now; `vmids` are those of containers."""
    from ..errors import ExitCode, HostError, PhoenixError
    from ..observe import upgrade_screen
    from ..observe.screen import paint, tell
    from ..operate import upgrade as work
    from .voice import warn

    vmid = vmids.get(host, "")
    where = f"{work.log_of(host)} on {'its node' if vmid else 'it'}"
    tell(f"{paint(host, 'cyan', err=True)}: apt-get dist-upgrade")
    began, begun = time.time(), time.monotonic()
    try:
        failure = work.run(
            fleet, host, vmid, remove=remove, heard=lambda text: click.echo(text, nl=False, err=True)
        )
    except HostError as error:
        hint = f"the upgrade of `{host}` goes on there: {where} has how it went"
        warn(HostError(error.message, hint=hint))
        return error.code
    except KeyboardInterrupt:
        tell(f"the upgrade of `{host}` goes on: {where} has how it goes")
        raise
    facts = {"began": round(began, 3), "seconds": round(time.monotonic() - begun, 3), "effect": "unknown"}
    step = {"resource": host, "title": "apt-get dist-upgrade", **facts}
    run.tell("ran", {**step, "status": int(bool(failure)), "said": failure or ""})
    after = work.look(fleet, [host], vmids).get(host)
    if isinstance(after, work.Machine):
        for said in work.wanted(before, after):
            tell(f"{paint('notice:', 'yellow', err=True)} {host} {said}")
    if failure:
        warn(PhoenixError(f"`{host}` is not upgraded: {failure}"))
        return ExitCode.FAILED
    if not isinstance(after, work.Machine):
        return ExitCode.UNKNOWN
    if after.would.packages:
        warn(
            PhoenixError(f"`{host}`: it ended well, and there is still {upgrade_screen.summary(after.would)}")
        )
        return ExitCode.FAILED
    click.echo(f"{paint('✓', 'green')} {host} is up to date")
    return ExitCode.OK
