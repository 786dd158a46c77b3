"""`phoenix exec`: run one command on hosts, by hand."""

from __future__ import annotations

import click

from . import Workplace


@click.command(
    "exec",
    short_help="Run one shell command on all hosts, or on those named, in parallel.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only this host (may be given again).")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(workplace: Workplace, hosts: tuple[str, ...], command: tuple[str, ...]) -> int:
    """Run COMMAND on the hosts and print what each said. For people: nothing is inspected or recorded.

    \b
    phoenix exec -- zpool status -x
    phoenix exec --host phoenix -- 'zfs list | head'
    """
    from ..errors import ExitCode
    from ..inspect.opening import open_site
    from ..observe.screen import paint, tell

    opened = open_site(str(workplace.site_folder), hosts=hosts)
    text = " ".join(command)
    try:
        answers = opened.fleet.run(
            lambda host: opened.fleet.transport(host).act(text), opened.fleet.hosts, "exec"
        )
    finally:
        opened.fleet.close()
    for host, answer in answers.items():
        tell(f"{paint(host, 'cyan', err=True)}: status {answer.status}")
        click.echo(answer.stdout.decode(errors="replace"), nl=False)
        click.echo(answer.stderr.decode(errors="replace"), nl=False, err=True)
    for error in opened.fleet.lost.values():
        tell(str(error))
    failed = ExitCode.FAILED if any(answer.status for answer in answers.values()) else ExitCode.OK
    return ExitCode.worst([failed, ExitCode.UNKNOWN if opened.fleet.lost else ExitCode.OK])
