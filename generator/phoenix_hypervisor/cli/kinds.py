"""`phoenix kinds`: what can be declared."""

from __future__ import annotations

import click


@click.command(short_help="List the kinds of resources, or show one with its fields.")
@click.argument("name", required=False)
@click.option("--page", is_flag=True, help="Print the whole page in Markdown: docs/kinds.md is made with it.")
def kinds(name: str | None, page: bool) -> int:
    """List every kind; with NAME, show what it manages, what it leaves alone, and its fields."""
    import inspect

    from .. import registry
    from ..errors import UsageError, did_you_mean

    if page:
        from ..observe import kinds_page

        click.echo(kinds_page.page(), nl=False)
        return 0
    if name is None:
        for known in registry.homes():
            click.echo(f"{known:16} {(registry.kind(known).__doc__ or '').splitlines()[0]}")
        return 0
    if name not in registry.homes():
        raise UsageError(
            f"no kind `{name}`", hint=did_you_mean(name, registry.homes()) or "`phoenix kinds` lists them"
        )
    kind = registry.kind(name)
    click.echo(inspect.cleandoc(kind.__doc__ or ""))
    click.echo()
    for field, declared in kind.model_fields.items():
        if field != "name":
            needed = "required" if declared.is_required() else f"default {declared.default!r}"
            click.echo(f"  {field:20} {needed}")
    return 0
