"""`phoenix graph`: resources and their needs as a picture."""

from __future__ import annotations

import click

from . import Workplace


@click.command(short_help="Draw resources and their needs: SVG, a tree, Graphviz, Mermaid, JSON.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["dot", "mermaid", "svg", "json", "tree"]),
    default="svg",
    show_default=True,
    help="What is printed.",
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only this host (may be given again).")
@click.option("--drift", is_flag=True, help="Inspect as `plan` does, and mark what was found.")
@click.pass_obj
def graph(workplace: Workplace, form: str, hosts: tuple[str, ...], drift: bool) -> int:
    """Print resources and their needs as a picture; an arrow leads from a resource to what it needs.

    `tree` is for a terminal: each below what it needs first. Resources of a node, and of each guest, stand
    together. Offline, unless --drift is given: then the
    hosts are inspected, and ✓ is as declared, ~ differs, ! is unhealthy, ? could not be told, = waits.

    Exit status: 0 drawn; with --drift that of `plan`: 2 changes pending, 3 could not tell.
    """
    from ..config import load
    from ..inspect.fleet import refuse_unknown_hosts
    from ..observe import drawing, drawing_svg
    from ..observe.screen import tell

    code = 0
    if drift:
        from .work import Work

        with Work(workplace, hosts, ()) as work:
            code = work.plan(probes=False).code
            found = drawing.picture(work.site, hosts, work.looks)
            for name in sorted(work.fleet.lost):
                tell(f"? {work.fleet.lost[name]}")
    else:
        site = load(workplace.site_folder)
        refuse_unknown_hosts(hosts, site.hosts)
        found = drawing.picture(site, hosts)
    forms = {
        "dot": drawing.dot,
        "mermaid": drawing.mermaid,
        "svg": drawing_svg.svg,
        "json": drawing.document,
        "tree": drawing.tree,
    }
    click.echo(forms[form](found), nl=False)
    return code
