"""`phoenix import`: a site from what somebody else wrote."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("import", short_help="Make a site from the predecessor's JSON files.")
def import_() -> None:
    """Make a site from files of another tool."""


@import_.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="New folder for the site.")
@click.option(
    "--memory", metavar="SIZE", help="How much memory the node has, like 96G: the files do not say."
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def legacy(folder: Path, out: Path | None, memory: str | None, as_json: bool) -> int:
    """Read the JSON files in FOLDER and say what is wrong with them, and what becomes of every value.

    With --out a site is written: one file a guest, profiles for what repeats, comments that say where a
    value came from, and import-report.md. Literal secrets become references; no value is shown or written.

    Exit status: 2 when something is left to decide, 1 when a file cannot be read.
    """
    import json

    from ..adopt.legacy import folders, report
    from ..adopt.legacy.importing import imported
    from ..errors import ExitCode
    from ..observe import schema
    from ..observe.screen import tell

    if out is not None:
        folders.check_free(out)
    result = imported(folders.read_folder(folder), _mebibytes(memory))
    questions = folders.open_questions(result.files)
    code = ExitCode.PENDING if result.decisions or any(not one.warning for one in questions) else ExitCode.OK
    if out is not None:
        schemas = {f"{schema.FOLDER}/{name}": text for name, text in schema.texts().items()}
        told = {"import-report.md": report.markdown(result, questions)}
        folders.write_folder(out, {**result.files, **schemas, **told})
    if as_json:
        click.echo(json.dumps(report.document(result, questions, code), indent=1))
    else:
        for line in report.screen(result, questions):
            click.echo(line)
        tell(
            f"written to {out}"
            if out is not None
            else "nothing was written: --out names a folder for the site"
        )
    return code


def _mebibytes(memory: str | None) -> int | None:
    from ..dialects import sizes
    from ..errors import UsageError

    if memory is None:
        return None
    try:
        return int(sizes.parse(memory)) >> 20
    except ValueError as error:
        raise UsageError(f"--memory: {error}", hint="a size, like 96G") from None
