"""`phoenix verify`: the health check, which is plain `pytest verify/`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from . import Workplace
from .options import metrics_option, verbose_option


@click.command(
    short_help="Run all checks and probes: the health check (`pytest verify/`).",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["-h", "--help"]},
)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@metrics_option
@verbose_option
@click.pass_obj
def verify(workplace: Workplace, pytest_arguments: tuple[str, ...], metrics_file: str | None) -> int:
    """Run every check and probe of the site's hosts with pytest; further arguments go to pytest.

    \b
    phoenix verify                         everything
    phoenix verify -k nfs_export           what pytest's -k selects
    phoenix verify --target samba_share:x  one resource and what it needs
    phoenix verify --junitxml=report.xml   pytest's own reports

    Exit status: 0 everything holds, 1 a check failed, 3 could not tell.
    """
    from .. import process, registry
    from ..inspect.checks import as_arguments, check_files

    folder = workplace.site_folder
    files = as_arguments(check_files(registry.homes().keys(), folder))
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "/dev/null",
        f"--rootdir={folder}",
        "-p",
        "no:cacheprovider",
    ]
    argv += [f"--site={folder}", "--import-mode=importlib", *files]
    if workplace.verbose:
        argv.append("-v")
    if metrics_file:
        file = Path(metrics_file).absolute()
        argv += ["-p", "phoenix_hypervisor.observe.verifying", f"--metrics-file={file}"]
    told = {**os.environ, **workplace.log.environment} if workplace.log else None
    return process.attach([*argv, *pytest_arguments], env=told)
