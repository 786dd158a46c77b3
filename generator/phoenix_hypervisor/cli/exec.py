"""`phoenix exec`: run one command on nodes or in guests, by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from . import Workplace

if TYPE_CHECKING:
    from ..errors import ExitCode, GuestError
    from ..inspect.fleet import Fleet
    from ..transport import Answer


class HostsBefore(click.Command):
    """What stands before `--` names hosts; without one, every word belongs to the command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the hosts from before `--`."""
        before, after = (args[: args.index("--")], args[args.index("--") :]) if "--" in args else ([], args)
        options = [word for n, word in enumerate(before) if _of_an_option(before, n)]
        hosts = [word for n, word in enumerate(before) if not _of_an_option(before, n)]
        left = super().parse_args(ctx, [*options, *after])
        ctx.params["hosts"] = (*ctx.params["hosts"], *hosts)
        return left


def _of_an_option(words: Sequence[str], n: int) -> bool:
    return words[n].startswith("-") or (n > 0 and words[n - 1] == "--host")


@click.command(
    "exec",
    cls=HostsBefore,
    short_help="Run one shell command on nodes or in guests, in parallel.",
    options_metavar="[HOST...] [OPTIONS] --",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="The same as HOST before `--`.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(workplace: Workplace, hosts: tuple[str, ...], command: tuple[str, ...]) -> int:
    """Run COMMAND on every HOST, a node or a guest (its name or VMID); without one, on all nodes.

    What each said is printed. For people: nothing is inspected; the record has the command, and not what it
    printed.

    \b
    phoenix exec -- zpool status -x
    phoenix exec phoenix -- 'zfs list | head'
    phoenix exec vllm-chat 951 -- systemctl --failed
    """
    from ..config import load
    from ..errors import GuestError, UsageError
    from ..inspect.fleet import Fleet, refuse_unknown_hosts
    from ..observe.screen import tell
    from .listening import listeners
    from .recording import recorded

    site = load(workplace.site_folder)
    vmids = {guest.vmid: guest.name for guest in site.guests.values()}
    chosen = list(dict.fromkeys(vmids.get(host, host) for host in hosts))
    refuse_unknown_hosts(chosen, site.hosts)
    if not chosen and command[0] in site.hosts:
        hint = f"`phoenix exec {command[0]} -- {' '.join(command[1:]) or 'COMMAND'}` runs it there"
        raise UsageError(f"`{command[0]}` is a host, and `--` is missing behind it", hint=hint)
    nodes = {site.node_of(host) for host in chosen}
    fleet = Fleet(site.inventory, site.folder, nodes or None, site.guests.values())
    text = " ".join(command)

    with recorded("exec", site.folder, tell, listeners(workplace, tell)) as run:

        def one(host: str) -> Answer | GuestError:
            began, begun = time.time(), time.monotonic()
            answer: Answer | GuestError
            try:
                answer = fleet.transport(host).act(text)
            except GuestError as error:
                answer = error  # its node is there
            status = 1 if isinstance(answer, GuestError) else answer.status
            facts = {
                "began": round(began, 3),
                "seconds": round(time.monotonic() - begun, 3),
                "status": status,
            }
            run.tell("ran", {"resource": host, "title": text, "effect": "unknown", **facts, "said": ""})
            return answer

        try:
            answers = fleet.run(one, chosen or fleet.nodes, "exec")
        finally:
            fleet.close()
        code = _tell(answers, fleet)
        run.end(code)
        return code


def _tell(answers: Mapping[str, Answer | GuestError], fleet: Fleet) -> ExitCode:
    """Print what each host said, and return the exit status."""
    from ..errors import ExitCode, GuestError
    from ..observe.screen import paint, tell

    codes = [ExitCode.UNKNOWN if fleet.lost else ExitCode.OK]
    for host, answer in answers.items():
        if isinstance(answer, GuestError):
            tell(str(answer))
            codes.append(ExitCode.FAILED)
            continue
        tell(f"{paint(host, 'cyan', err=True)}: status {answer.status}")
        click.echo(answer.stdout.decode(errors="replace"), nl=False)
        click.echo(answer.stderr.decode(errors="replace"), nl=False, err=True)
        codes.append(ExitCode.FAILED if answer.status else ExitCode.OK)
    for error in fleet.lost.values():
        tell(str(error))
    return ExitCode.worst(codes)
