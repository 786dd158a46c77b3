"""The command line: `phoenix VERB`. One module a verb; no logic here.

Modules of verbs are imported when their verb is called: start-up time is part of every run.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import keyword
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..errors import ExitCode, PhoenixError

if TYPE_CHECKING:
    from ..records.log import Settings

VERBS = (
    *("init", "import", "adopt", "validate", "render", "plan", "apply", "verify"),
    *("status", "start", "stop", "restart", "logs", "snapshot", "rollback", "recreate", "backup", "restore"),
    *("exec", "upgrade"),
    *("watch", "service", "history", "show", "report", "metrics"),
    *("firewall", "inventory", "secrets", "lab", "kinds", "schema", "fmt", "explain", "graph"),
)
EPILOG = (
    "Exit status: 0 done or nothing to do, 1 failed, 2 changes pending, 3 could not tell, 64 wrong usage."
)


@dataclass
class Workplace:
    """What every verb gets from the main command."""

    given_site: str | None
    verbose: bool
    log: Settings | None = None
    beside: bool = False
    """The site is one for this run, and goes away: made of the predecessor's files."""
    quiet: bool = False

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
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name  # `import` names no module
        module = importlib.import_module(f"{__name__}.{name}")
        command = getattr(module, name if hasattr(module, name) else f"{name}_")
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
@click.option("--log-file", metavar="FILE", envvar="PHOENIX_LOG_FILE", help="Add what runs do to this log.")
@click.option(
    "--log-format",
    type=click.Choice(["human", "json"]),
    default="human",
    envvar="PHOENIX_LOG_FORMAT",
    help="For people (the default), or a JSON document a line.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    envvar="PHOENIX_LOG_LEVEL",
    help="What the log leaves out: all below this; `info` unless told otherwise.",
)
@click.version_option(__version__, "-V", "--version", prog_name="phoenix")
@click.pass_context
def phoenix(
    ctx: click.Context, site: str | None, verbose: bool, log_file: str | None, log_format: str, log_level: str
) -> None:
    """Make Proxmox nodes match a directory of text files, and prove it.

    A site is a directory with configs/ (what the nodes should be) and inventory/ (how they are
    reached). Usual order: validate, render (review every byte), plan (what differs, what would be
    run), apply, verify.
    """
    ctx.obj = Workplace(site, verbose, _log(ctx, log_file, log_format, log_level))


def _log(ctx: click.Context, file: str | None, form: str, level: str) -> Settings | None:
    """The settings of the log, if there is to be one. Raises UsageError."""
    if file:
        from ..records.log import Settings

        return Settings(Path(file).absolute(), form, level)
    typed = click.core.ParameterSource.COMMANDLINE
    for name in ("log_format", "log_level"):
        if ctx.get_parameter_source(name) is typed:
            from ..errors import UsageError

            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"`{option}` is about a log, and there is none", hint="add --log-file FILE")
    return None


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
        _annotate(error)
        return error.code
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return ExitCode.INTERRUPTED
    return int(status) if isinstance(status, int) else ExitCode.OK


def _annotate(error: PhoenixError) -> None:
    from ..errors import InputError
    from ..observe import annotations

    if annotations.wanted() and isinstance(error, InputError):
        for line in annotations.of_problems(error.problems):
            click.echo(line, err=True)


def _sign() -> str:
    from ..observe.screen import paint

    return paint("error:", "red", err=True)
