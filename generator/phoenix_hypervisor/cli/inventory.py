"""`phoenix inventory`: the site's hosts, for other tools."""

from __future__ import annotations

from typing import Any

import click

from . import Workplace
from .api_options import api_options, wish


@click.command(short_help="Print the site's hosts for other tools; offline, but with --from-api.")
@click.option("--format", "shape", type=click.Choice(["json", "ansible"]), default="json", show_default=True)
@api_options
@click.pass_obj
def inventory(workplace: Workplace, /, shape: str, **chosen: Any) -> int:
    """Print nodes and guests: how nodes are reached, where guests live, their static addresses.

    `ansible` prints an inventory that `ansible -i FILE` reads. Nornir needs nothing: the files of
    inventory/ are its own.

    With --from-api or --api it is the guests that are there now, as Proxmox's API tells of them: with their
    tags, and whether they run.
    """
    from ..observe import document, inventory_lists
    from ..operate import api_reach

    wished = wish(chosen)
    if wished is not None:
        found = inventory_lists.living(api_reach.living_guests(wished, workplace.site_folder).values())
    else:
        found = _declared(workplace)
    # JSON is YAML, and Ansible reads it as such
    click.echo(document.text(found if shape == "json" else inventory_lists.ansible(found)))
    return 0


def _declared(workplace: Workplace) -> dict[str, Any]:
    from ..config import load, policies
    from ..inspect.fleet import Fleet
    from ..observe import inventory_lists

    site = load(workplace.site_folder)
    fleet = Fleet(site.inventory, workplace.site_folder, None, site.guests.values())
    reach = {name: fleet.address(name) for name in site.nodes}
    return inventory_lists.document(site, reach, policies.network(site).addresses)
