"""`phoenix explain`: where the values of a resource come from, what it needs and why."""

from __future__ import annotations

import click

from . import Workplace


@click.command(short_help="Say of one resource where each value comes from, and what it needs; offline.")
@click.argument("ref", metavar="REF")
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST", help="Only on this host (may be given again)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the screen.")
@click.pass_obj
def explain(workplace: Workplace, ref: str, hosts: tuple[str, ...], as_json: bool) -> int:
    """Explain REF, like zfs_dataset:tank/models or pve/lxc:950, from the files alone.

    Where each value comes from (file and line, or the kind's default), what others give it, what it needs
    and why, what needs it, its artifacts, its checks, and in whose lane it is converged. No host is asked;
    secrets are shown by their names.
    """
    from ..config import load, named
    from ..errors import UsageError
    from ..inspect.fleet import refuse_unknown_hosts
    from ..observe import document
    from ..observe import explain as explaining

    site = load(workplace.site_folder)
    refuse_unknown_hosts(hosts, site.hosts)
    refs = [one for one in named(site, ref) if not hosts or one.host in hosts]
    if not refs:
        there = ", ".join(one.host for one in named(site, ref))
        raise UsageError(f"no resource `{ref}` on {', '.join(hosts)}", hint=f"it is on {there}")
    found = [explaining.explained(site, one) for one in refs]
    if as_json:
        click.echo(document.text({"version": explaining.VERSION, "resources": found}))
    else:
        for one in found:
            for line in explaining.lines(one):
                click.echo(line)
    return 0
