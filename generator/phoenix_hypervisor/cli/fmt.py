"""`phoenix fmt`: put the keys of a site's files in their order."""

from __future__ import annotations

from pathlib import Path

import click

from . import Workplace


@click.command(short_help="Put the keys of the site's files in their order; offline.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]…")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file would be another.")
@click.option("--diff", is_flag=True, help="Show what would change; writes nothing, exits as --check does.")
@click.pass_obj
def fmt(workplace: Workplace, files: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Put the keys of FILEs, or of all the site's YAML files, in the order of docs/editors.md.

    Comments, quotes and line breaks stay as they are. What a file means never changes: it is read again
    before it is written. A file that cannot be read stays as it is, and is said.

    Exit status: 0 all are as they should be, or were made so; 1 one would change (--check, --diff), or
    cannot be read.
    """
    import difflib

    from ..config.rewriting import rewritten, write
    from ..errors import ExitCode, InputError, Problem
    from ..observe.screen import tell

    problems: list[Problem] = []
    found = list(rewritten(workplace.site_folder, files, problems))
    for file in found:
        if diff:
            before, after = (text.splitlines(keepends=True) for text in (file.before, file.after))
            for line in difflib.unified_diff(before, after, file.shown, file.shown):
                click.echo(line if line.endswith("\n") else f"{line}\n", nl=False)
        else:
            click.echo(file.shown)
        if not (check or diff):
            write(file)
    if problems:
        raise InputError(problems)
    if check or diff:
        tell(f"{len(found)} files would change" if found else "all files are as they should be")
        return ExitCode.FAILED if found else ExitCode.OK
    tell(f"{len(found)} files written" if found else "all files are as they should be")
    return ExitCode.OK
