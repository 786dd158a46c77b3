"""`phoenix firewall`: who may reach whom."""

from __future__ import annotations

import click

from . import Workplace


@click.group(short_help="Show who may reach whom on what; offline.")
def firewall() -> None:
    """Look at the firewall of the whole site, as its files declare it."""


@firewall.command(short_help="Who may reach whom on what, from the files alone.")
@click.argument("hosts", nargs=-1, metavar="[HOST]…")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: every pair, with the reason.")
@click.option("--why", is_flag=True, help="Say of each pair which rule decides it.")
@click.pass_obj
def matrix(workplace: Workplace, hosts: tuple[str, ...], as_json: bool, why: bool) -> None:
    """Show for every port that is served or opened who gets in: on all hosts, or on those named.

    Rules of the datacenter, of nodes and guests are looked at as Proxmox does, those that follow from what
    is declared elsewhere among them; both ends count: what a guest may not send does not arrive.
    """
    from ..config import load
    from ..config.policies import network, sides
    from ..firewall.matrix import pairs
    from ..inspect.fleet import refuse_unknown_hosts
    from ..observe import document, firewall_screen

    site = load(workplace.site_folder)
    refuse_unknown_hosts(hosts, site.hosts)
    found = [pair for pair in pairs(sides(site), network(site)) if not hosts or pair.target in hosts]
    if as_json:
        click.echo(document.text(firewall_screen.document(found)))
        return
    for line in firewall_screen.why_lines(found) if why else firewall_screen.lines(found):
        click.echo(line)
