"""`phoenix adopt`: a site from a living node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import Workplace
from .api_options import api_options, wish
from .options import verbose_option

if TYPE_CHECKING:
    from ..operate.adopting import Adopted


@click.command(short_help="Write configs for what a living node has; changes nothing on it.")
@click.argument("node")
@click.option(
    "--only", multiple=True, metavar="KIND/NAME", help="Only this, like lxc/950, and what it needs."
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The site; otherwise the nearest one.")
@click.option("--address", default="", help="Where NODE is, when no inventory says it.")
@click.option("--user", default="", help="Whom to log in as, when no inventory says it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of the screen.")
@api_options
@verbose_option
@click.pass_obj
def adopt(
    workplace: Workplace,
    /,
    node: str,
    only: tuple[str, ...],
    out: Path | None,
    address: str,
    user: str,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Ask NODE what it has, and write files that say so: their first plan is empty.

    Pools, datasets, the ARC's limit, storages, exports and shares, users, roles and access lists of
    Proxmox, its firewall, backup jobs, network interfaces, containers and virtual machines. What cannot be
    declared, or would be changed, is listed with the reason and left out of the files. The node is only
    asked. Files that are there are never changed.

    NODE is reached as the inventory says, otherwise by ssh. With --api or --from-api its API is read over
    HTTPS; a shell is used for what the API does not show, and for the plan, if there is one.

    Exit status: 0 everything is in the files and the plan is empty, 2 something was left out, 1 something is
    wrong, 3 the node did not answer.
    """
    import json

    from ..observe import schema
    from ..observe.screen import tell
    from ..operate import adopting

    folder = out.resolve() if out is not None else workplace.site_folder
    wished = wish(chosen)
    to = adopting.endpoint_of(node, workplace.site_folder, wished) if wished else None
    way = adopting.reach(node, workplace.site_folder, address, user, to.host if to else "")
    ground = adopting.ground_of(way, folder)
    if to is not None:
        draft, files, unproven = adopting.adopt_over_api(way, ground, to, only)
    else:
        (draft, files), unproven = adopting.adopt(way, ground, only), ""
    written = adopting.write(folder, files)
    if ground.base is None:
        schema.write(folder / schema.FOLDER)
    plan = None if unproven else adopting.prove(way, folder, draft)
    result = adopting.Adopted(draft, files, plan, unproven)
    if as_json:
        click.echo(json.dumps(_document(result), indent=1))
        return result.code
    for path in written:
        click.echo(path)
    for line in _lines(result):
        tell(line)
    return result.code


def _document(result: Adopted) -> dict[str, Any]:
    return {
        "version": 1,
        "exit": int(result.code),
        "files": [*result.files],
        "adopted": [{"kind": thing.kind, "name": thing.name} for thing in result.draft.things],
        "left": [{"kind": one.kind, "name": one.name, "why": one.why} for one in result.draft.left],
        "plan": int(result.plan.code) if result.plan else None,
        "unproven": result.unproven,
    }


def _lines(result: Adopted) -> list[str]:
    left = result.draft.left
    lines = [f"left alone: {one}: {one.why}" for one in left]
    if result.plan is None:
        lines.append(f"the plan for what was written could not be proven empty: {result.unproven}")
    elif result.plan.entries:
        refs = ", ".join(str(entry.ref) for entry in result.plan.entries)
        lines.append(f"the node changed while it was looked at: the plan is not empty for {refs}")
    else:
        lines.append("the plan for what was written is empty")
    return [*lines, f"{len(result.draft.things)} adopted, {len(left)} left alone"]
