"""`phoenix schema`: JSON Schema of a site's files, for editors."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Print or write JSON Schema of the site's files, for editors.")
@click.argument("what", required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder to write all of them to.")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 when the folder is not current.")
def schema(what: str | None, out: Path | None, check: bool) -> int:
    """Print the JSON Schema (2020-12) of one sort of file; without WHAT, list what there is.

    It is made from the models of all kinds, plugins' among them. `--out configs/.schema` writes all of
    them to where the first line of the files that `phoenix init` makes looks for them.
    """
    import json

    from ..errors import ExitCode, UsageError, did_you_mean
    from ..observe import schema as schemas
    from ..observe.screen import tell

    if what is not None and what not in schemas.FILES:
        hint = did_you_mean(what, schemas.FILES) or f"known: {', '.join(schemas.FILES)}"
        raise UsageError(f"no sort of file `{what}`", hint=hint)
    if out is None and check:
        raise UsageError("`--check` compares a folder", hint="name it with --out")
    if out is not None and what is not None:
        raise UsageError("`--out` writes all of them", hint=f"leave out `{what}`, or `--out`")
    if out is not None:
        stale = schemas.differing(out)
        for name in stale:
            click.echo(name)
        if check:
            tell(f"{len(stale)} files of {out} are not current" if stale else f"{out} is current")
            return ExitCode.PENDING if stale else ExitCode.OK
        schemas.write(out)
        tell(f"{len(schemas.FILES)} schemas in {out}, {len(stale)} files written")
    elif what is None:
        for name, (about, _) in schemas.FILES.items():
            click.echo(f"{name:10} {about}")
    else:
        click.echo(json.dumps(schemas.of_file(what), indent=1, ensure_ascii=False))
    return ExitCode.OK
