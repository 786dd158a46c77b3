"""`phoenix render`: write every declared byte for review."""

from __future__ import annotations

from pathlib import Path

import click

from . import Workplace
from .options import configs_option


@click.command(short_help="Write every file as it will be on the hosts, for review; offline.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder to write to (default: build/artifacts)."
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only this host (may be given again).")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 when the folder is not current.")
@configs_option(with_secrets=False)
@click.pass_obj
def render(workplace: Workplace, out: Path | None, hosts: tuple[str, ...], check: bool) -> int:
    """Render all artifacts into a folder: OUT/<host>/<path on the host>, and manifest.json.

    The manifest lists path, kind, resources, mode and sha256 of each. Secrets are named placeholders.
    Commit the folder and a change of the site shows as a diff; `--check` keeps it current.
    """
    from .. import render as artifacts
    from ..config import load
    from ..errors import ExitCode, UsageError
    from ..inspect.fleet import refuse_unknown_hosts
    from ..observe.screen import tell

    if workplace.beside and out is None:
        raise UsageError("--configs needs --out", hint="name a folder for the artifacts")
    folder = out or workplace.site_folder / "build" / "artifacts"
    site = load(workplace.site_folder)
    refuse_unknown_hosts(hosts, site.nodes)
    chosen = [(ref, resource) for ref, resource in site.resources.items() if not hosts or ref.host in hosts]
    files = artifacts.render(chosen, artifacts.Renderer(workplace.site_folder))
    if check:
        stale = artifacts.differing(files, folder)
        for name in stale:
            click.echo(name)
        tell(f"{len(stale)} files of {folder} are not current" if stale else f"{folder} is current")
        return ExitCode.PENDING if stale else ExitCode.OK
    changed = artifacts.write(files, folder)
    for name in changed:
        click.echo(name)
    tell(f"{len(files)} artifacts in {folder}, {len(changed)} files written")
    return ExitCode.OK
