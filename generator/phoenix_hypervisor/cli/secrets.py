"""`phoenix secrets`: make, list, change and rotate the values that `!secret NAME` stands for.

A value comes from stdin, a prompt or the random generator, never from the command line: there the
whole machine could read it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

import click

from ..errors import SecretError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ..secretstore import SiteStore
    from ..secretstore.settings import SecretSettings

DEFAULT_LENGTH = 32
NEXT = "the next `phoenix apply` brings it to the nodes"
NO_WORD_SHOWN = {"allow_extra_args": True, "ignore_unknown_options": True}

find_users: Callable[[Path], Mapping[str, Iterable[str]]] | None = None
"""Where secrets are used: from a site folder to name → refs. Set by who can read a whole site."""


class Chosen(Protocol):
    """What the verbs above have chosen."""

    site_folder: Path


def settings_of(site_folder: Path) -> SecretSettings:
    """Return the `secrets:` section of configs/site.yaml."""
    from ..config import load_settings  # it imports every kind

    return load_settings(site_folder).secrets


def store_of(chosen: Chosen) -> SiteStore:
    """Return the store of the chosen site."""
    from ..secretstore import open_store

    return open_store(settings_of(chosen.site_folder), chosen.site_folder)


def say(text: str) -> None:
    """Tell the person something that is not data."""
    click.echo(text, err=True)


class NoValue(click.Command):
    """A command that refuses words too many without showing them: one of them may be a secret."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words; whatever is left over ends the verb."""
        left = super().parse_args(ctx, args)
        if ctx.args:
            raise UsageError(
                f"`phoenix secrets {ctx.info_name}` takes one NAME and never a value: "
                "every user of this machine can read a command line",
                hint="give the value on stdin, or type it when asked; "
                "one that was typed here is in the shell's history now",
            )
        return left


class Length(click.IntRange):
    """How many characters to draw. Says where NAME belongs when it stands in the way."""

    def __init__(self) -> None:
        super().__init__(8, 1024)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number. What was given instead is not shown: it may be a secret."""
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            raise UsageError(
                f"a length is a number from {self.min} to {self.max}", hint="NAME goes before `--generate`"
            ) from None
        return number


@click.group()
def secrets() -> None:
    """Manage the values that `!secret NAME` stands for."""


@secrets.command()
@click.pass_obj
def init(chosen: Chosen) -> None:
    """Make the identity that opens the site's secrets, and print its public key.

    With an identity there already, only print the public key.
    """
    from ..secretstore.age import make_identity

    file = store_of(chosen).file
    if file.identity.exists():
        say(f"the identity {file.identity} is there already; its public key:")
    else:
        make_identity(file.identity)
        _keep_out_of_git(chosen.site_folder / ".phoenix")
        say(f"made {file.identity}; keep a copy in a safe place, without it the secrets are lost")
        say("its public key:")
    for key in file.public_keys():
        click.echo(key)


@secrets.command("set", cls=NoValue, context_settings=NO_WORD_SHOWN)
@click.argument("name")
@click.option(
    "--generate",
    "length",
    type=Length(),
    is_flag=False,
    flag_value=DEFAULT_LENGTH,
    metavar="[LENGTH]",
    help=f"Draw a random value of letters and digits; {DEFAULT_LENGTH} of them unless told.",
)
@click.pass_obj
def set_value(chosen: Chosen, name: str, length: int | None) -> None:
    """Give the secret NAME a value, read from stdin or asked for twice.

    One newline at the end of stdin is dropped.
    """
    store = store_of(chosen)
    store.check_writable(name)
    changed = store.set(name, _drawn(length) if length else _value_for(name))
    say(f"set `{name}`; {NEXT}" if changed else f"`{name}` has that value already")


@secrets.command("list")
@click.pass_obj
def list_names(chosen: Chosen) -> None:
    """List the secrets: name, where it lives, what uses it. Shows no value."""
    store = store_of(chosen)
    users = find_users(chosen.site_folder) if find_users else {}
    names = sorted({*store.names(), *users})
    rows = [(name, store.place(name), ", ".join(sorted(users.get(name, ())))) for name in names]
    if not rows:
        say("no secrets yet: `phoenix secrets set NAME` makes one")
        return
    heads = ("NAME", "LIVES IN", "USED BY") if find_users else ("NAME", "LIVES IN", "")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(2)]
    for name, place, used in (heads, *rows):
        click.echo(f"{name:<{widths[0]}}  {place:<{widths[1]}}  {used}".rstrip())


@secrets.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--length", type=click.IntRange(8, 1024), default=DEFAULT_LENGTH, show_default=True)
@click.pass_obj
def rotate(chosen: Chosen, names: tuple[str, ...], length: int) -> None:
    """Draw a new random value for each NAME."""
    store_of(chosen).rotate(*names, length=length)
    say(f"rotated {', '.join(f'`{name}`' for name in names)}; {NEXT}")


@secrets.command()
@click.pass_obj
def edit(chosen: Chosen) -> None:
    """Open all secrets of the age file in $VISUAL or $EDITOR.

    They are JSON, NAME to VALUE. What you leave unchanged is not written; an editor that ends with an error
    changes nothing.
    """
    from ..secretstore import editing

    store = store_of(chosen)
    store.file.identities()
    changed = store.edit(lambda values: editing.edit(values, say, lambda text: click.pause(text, err=True)))
    say(f"saved; {NEXT}" if changed else "unchanged: nothing was written")


@secrets.command()
@click.argument("name")
@click.pass_obj
def remove(chosen: Chosen, name: str) -> None:
    """Forget the secret NAME.

    Its value stays readable in the site's history for who can open that: where it mattered, rotate it first.
    """
    store_of(chosen).remove(name)
    say(f"removed `{name}`")


@secrets.command()
@click.pass_obj
def rekey(chosen: Chosen) -> None:
    """Write the age file again, for the recipients that configs/site.yaml names now."""
    store = store_of(chosen)
    store.rekey()
    say(f"wrote {store.file.path} for our own identity and the recipients in configs/site.yaml")


def _drawn(length: int) -> bytes:
    from ..secretstore.contents import draw

    return draw(length).encode()


def _value_for(name: str) -> bytes:
    from ..secretstore.sources import without_newline

    if sys.stdin.isatty():
        asked = f"value of {name}"
        return str(click.prompt(asked, hide_input=True, confirmation_prompt="once more", err=True)).encode()
    value = without_newline(sys.stdin.buffer.read())
    if not value:
        raise SecretError(f"stdin gave no value for secret `{name}`; nothing was changed")
    return value


def _keep_out_of_git(folder: Path) -> None:
    ignore = folder / ".gitignore"
    if folder.is_dir() and not ignore.exists():
        ignore.write_text("*\n")
