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


def listening_options(verb: Verb) -> Verb:
    """Add --events and --metrics-file."""
    metrics = click.option(
        "--metrics-file",
        metavar="FILE",
        help="Write metrics of the run there, for Prometheus's node_exporter.",
    )
    events = click.option(
        "--events", is_flag=True, help="Print what happens as JSON, a line an event, instead of the screen."
    )
    return events(metrics(verb))


def verbose_option(verb: Verb) -> Verb:
    """Add -v to a verb itself, where people type it."""

    def take(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj.verbose = ctx.obj.verbose or value

    add = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=take, help="Say more.")
    return add(verb)
