"""`phoenix inventory`: the site's hosts, for other tools."""

from __future__ import annotations

import click

from . import Workplace


@click.command(short_help="Print the site's hosts for other tools; offline.")
@click.option("--format", "shape", type=click.Choice(["json", "ansible"]), default="json", show_default=True)
@click.pass_obj
def inventory(workplace: Workplace, shape: str) -> int:
    """Print nodes and guests: how nodes are reached, where guests live, their static addresses.

    `ansible` prints an inventory that `ansible -i FILE` reads. Nornir needs nothing: the files of
    inventory/ are its own.
    """
    from ..config import load, policies
    from ..inspect.fleet import Fleet
    from ..observe import document, inventory_lists

    site = load(workplace.site_folder)
    fleet = Fleet(site.inventory, workplace.site_folder, None, site.guests.values())
    reach = {name: fleet.address(name) for name in site.nodes}
    found = inventory_lists.document(site, reach, policies.network(site).addresses)
    # JSON is YAML, and Ansible reads it as such
    click.echo(document.text(found if shape == "json" else inventory_lists.ansible(found)))
    return 0
