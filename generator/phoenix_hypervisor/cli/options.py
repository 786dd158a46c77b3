"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Verb = TypeVar("Verb", bound=Callable[..., object])


def host_options(verb: Verb) -> Verb:
    """Add --host and --target."""
    target = click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="REF",
        help="Only this resource, like nfs_export:/tank/x; what it needs is checked, not changed.",
    )
    host = click.option(
        "--host", "hosts", multiple=True, metavar="HOST", help="Only this host (may be given again)."
    )
    return host(target(verb))


def verbose_option(verb: Verb) -> Verb:
    """Add -v to a verb itself, where people type it."""

    def take(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj.verbose = ctx.obj.verbose or value

    add = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=take, help="Say more.")
    return add(verb)
