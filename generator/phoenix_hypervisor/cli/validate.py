"""`phoenix validate`: read the site, say everything that is wrong with it."""

from __future__ import annotations

import click

from . import Workplace
from .options import verbose_option


@click.command(short_help="Check the site's files, offline; every problem at once.")
@verbose_option
@click.pass_obj
def validate(workplace: Workplace) -> int:
    """Read every file of the site and say all that is wrong: file:line:column, and what to do.

    Needs no network and no secrets. With -v it lists the resources in the order they converge.
    """
    from ..config import load
    from ..observe.screen import tell

    site = load(workplace.site_folder)
    for problem in site.warnings:
        tell(str(problem))
    if workplace.verbose:
        for ref in site.resources:
            click.echo(ref.full)
    nodes = f"{len(site.nodes)} node{'s' if len(site.nodes) != 1 else ''}"
    tell(f"site `{site.head.name}`: {nodes}, {len(site.resources)} resources, no errors")
    return 0
