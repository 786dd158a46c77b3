"""Options that several verbs share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

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
    events = click.option(
        "--events", is_flag=True, help="Print what happens as JSON, a line an event, instead of the screen."
    )
    return events(metrics_option(verb))


def metrics_option(verb: Verb) -> Verb:
    """Add --metrics-file."""
    return click.option(
        "--metrics-file",
        metavar="FILE",
        help="Write metrics of the run there, for Prometheus's node_exporter.",
    )(verb)


def configs_option(*, with_secrets: bool) -> Callable[[Verb], Verb]:
    """Add --configs: the predecessor's files in the place of the site's, for one look. They go away again."""
    option = click.option(
        "--configs",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="The predecessor's JSON files in FOLDER instead of the site's, for a look beside it.",
    )

    def add(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def beside(*arguments: object, configs: Path | None, **options: object) -> object:
            if configs is not None:
                _lay_out(click.get_current_context(), configs, with_secrets=with_secrets)
            return verb(*arguments, **options)

        return cast(Verb, option(beside))

    return add


def _lay_out(ctx: click.Context, folder: Path, *, with_secrets: bool) -> None:
    import tempfile

    from ..adopt.legacy.beside import lay_out
    from ..observe.screen import tell

    own: Path = ctx.obj.site_folder
    base = own if (own / "configs" / "site.yaml").is_file() else None
    made = Path(ctx.with_resource(tempfile.TemporaryDirectory(prefix="phoenix-beside-")))
    for line in lay_out(folder, base, made, with_secrets=with_secrets):
        tell(line)
    ctx.obj = replace(ctx.obj, given_site=str(made), beside=True)


def screen_options(verb: Verb) -> Verb:
    """Add -q and --plain."""

    def take_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj.quiet = value

    def take_plain(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            from ..observe.live import SCREEN

            SCREEN.plain = True

    plain = click.option(
        "--plain",
        is_flag=True,
        expose_value=False,
        callback=take_plain,
        help="No colours, and nothing drawn anew: for logs and screen readers.",
    )
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=take_quiet,
        help="Say only what is wrong, and how it ended.",
    )
    return quiet(plain(verb))


def verbose_option(verb: Verb) -> Verb:
    """Add -v to a verb itself, where people type it."""

    def take(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.obj.verbose = ctx.obj.verbose or value

    add = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=take, help="Say more.")
    return add(verb)
