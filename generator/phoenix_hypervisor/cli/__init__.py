"""The command line: `phoenix VERB`. One module a verb; no logic here.

Modules of verbs are imported when their verb is called: start-up time is part of every run.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from .. import __version__
from ..errors import ExitCode, PhoenixError

VERBS = (
    *("init", "validate", "render", "plan", "apply", "verify"),
    *(
        "status",
        "start",
        "stop",
        "restart",
        "logs",
        "snapshot",
        "rollback",
        "recreate",
        "backup",
        "restore",
        "exec",
    ),
    "upgrade",
    *("watch", "service", "history", "show"),
    *("firewall", "secrets", "lab", "kinds", "schema", "fmt", "explain", "graph"),
)
EPILOG = (
    "Exit status: 0 done or nothing to do, 1 failed, 2 changes pending, 3 could not tell, 64 wrong usage."
)


@dataclass
class Workplace:
    """What every verb gets from the main command."""

    given_site: str | None
    verbose: bool

    @cached_property
    def site_folder(self) -> Path:
        """The site's folder: `--site`, or the nearest one upwards."""
        from ..config.find import find_folder

        return find_folder(self.given_site)


class Verbs(click.Group):
    """Loads a verb's module when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs in the order one uses them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a verb's command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command = getattr(module, cmd_name if hasattr(module, cmd_name) else f"{cmd_name}_")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which verb may have been meant."""
        from ..errors import UsageError, did_you_mean

        if args and args[0] not in VERBS:
            hint = did_you_mean(args[0], VERBS) or "`phoenix --help` lists the verbs"
            raise UsageError(f"no verb `{args[0]}`", hint=hint)
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--site", metavar="FOLDER", envvar="PHOENIX_SITE", help="The site; otherwise the nearest folder upwards."
)
@click.option("-v", "--verbose", is_flag=True, help="Say more, round trips among it.")
@click.version_option(__version__, "-V", "--version", prog_name="phoenix")
@click.pass_context
def phoenix(ctx: click.Context, site: str | None, verbose: bool) -> None:
    """Make Proxmox nodes match a directory of text files, and prove it.

    A site is a directory with configs/ (what the nodes should be) and inventory/ (how they are
    reached). Usual order: validate, render (review every byte), plan (what differs, what would be
    run), apply, verify.
    """
    ctx.obj = Workplace(site, verbose)


def main() -> None:
    """Run the command line; expected trouble is said without a traceback."""
    # A run is short: collecting garbage in it costs more than the garbage (measured: docs/speed.md).
    gc.disable()
    status = run(sys.argv[1:])
    # Nor is anything left to tidy up: connections are closed, files are written.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(arguments: list[str]) -> int:
    """Run one verb and return its exit status."""
    try:
        status = phoenix.main(arguments, prog_name="phoenix", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except PhoenixError as error:
        click.echo(f"{_sign()} {error}", err=True)
        return error.code
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return ExitCode.INTERRUPTED
    return int(status) if isinstance(status, int) else ExitCode.OK


def _sign() -> str:
    from ..observe.screen import paint

    return paint("error:", "red", err=True)
