"""`phoenix report`: one HTML page about a site, from a run's record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import Workplace

if TYPE_CHECKING:
    from ..config import Site


@click.command(short_help="Write an HTML page: how everything is, what differs, what a run did.")
@click.argument("run", default="last")
@click.option("-o", "--out", default="report.html", show_default=True, metavar="FILE", help="`-` is stdout.")
@click.pass_obj
def report(workplace: Workplace, run: str, out: str) -> int:
    """Write what the record of RUN and the site's files say as one HTML page, for a browser.

    RUN is a `plan` or `apply` by its name in `phoenix history`, by how that begins, or `last`; `-` is a
    record on stdin, as `phoenix show --json` prints it. The page needs no network and no other file. It
    is as old as the run: `phoenix plan` makes a new record.
    """
    from ..config import load
    from ..observe.screen import tell

    text = page(load(workplace.site_folder), run)
    if out == "-":
        click.echo(text, nl=False)
        return 0
    write(out, text)
    tell(f"wrote {out}")
    return 0


def page(site: Site, run: str) -> str:
    """Return the page of a run. Raises PhoenixError when there is none that has a plan."""
    from ..errors import UsageError
    from ..observe import drawing, drawing_svg
    from ..observe.report.facts import report as facts
    from ..observe.report.page import MOST_DRAWN, MOST_HOSTS, html
    from ..records import files

    given = run == "-"
    events = [*files.events_in(sys.stdin.read())] if given else files.found(site.folder, run, with_="plan")
    if not any(event["event"] == "plan" for event in events):
        name = events[0].get("run", run) if events else run
        raise UsageError(f"the run {name} has no plan", hint="name one of `phoenix plan` or `phoenix apply`")
    found = facts(site, events)
    statuses = {look.resource: look.status for looks in found.looks.values() for look in looks}
    picture = drawing.picture(site)._replace(
        status={ref: statuses.get(ref.full, "") for ref in site.resources}
    )
    pictures: list[drawing.Picture] = []
    if 1 < len(site.hosts) <= MOST_HOSTS:
        pictures.append(drawing.hosts(site, picture))
    pictures += [picture] if len(site.resources) <= MOST_DRAWN else []
    return html(found, [drawing_svg.svg(one) for one in pictures])


def write(out: str, text: str) -> None:
    """Write a page whole or not at all. Raises PhoenixError."""
    from ..errors import PhoenixError

    place = Path(out)
    new = place.with_name(f".{place.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(place)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise PhoenixError(f"cannot write {out}: {error.strerror}") from error
