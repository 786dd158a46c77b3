"""Options of verbs that can read Proxmox's API. The value of a token is never among them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..operate.api_reach import Wish

Verb = TypeVar("Verb", bound=Callable[..., object])


def api_options(verb: Verb) -> Verb:
    """Add --from-api, --api, --token-id, --token-secret, --token-file, --ca-file and --fingerprint."""
    added = (
        click.option(
            "--from-api",
            is_flag=True,
            help="Read Proxmox's API, reached as the inventory says (`data: api:`).",
        ),
        click.option("--api", default="", metavar="URL", help="Read this API: https://HOST:8006."),
        click.option("--token-id", default="", metavar="ID", help="The API's token: user@realm!name."),
        click.option(
            "--token-secret",
            default="",
            metavar="NAME",
            help="The secret of the site with the token's value.",
        ),
        click.option(
            "--token-file",
            default="",
            metavar="FILE",
            help="The file with the token's value; `-` is stdin. Without both it is asked for.",
        ),
        click.option("--ca-file", default="", metavar="FILE", help="The CA of the API's certificate."),
        click.option(
            "--fingerprint", default="", metavar="SHA256", help="The fingerprint of the API's certificate."
        ),
    )
    for option in reversed(added):
        verb = option(verb)
    return verb


def wish(chosen: dict[str, Any]) -> Wish | None:
    """Return what the options say; None when they name no API. Takes them out of `chosen`."""
    from ..errors import UsageError
    from ..operate.api_reach import Wish

    names = ("api", "token_id", "token_secret", "token_file", "ca_file", "fingerprint")
    said = {name: str(chosen.pop(name)) for name in names}
    if not chosen.pop("from_api") and not said["api"]:
        if any(said.values()):
            raise UsageError("which API? `--api https://HOST:8006`, or `--from-api` for the inventory's")
        return None
    return Wish(**said, given=_value)


def _value(token_id: str, file: str) -> Any:
    """Ask for the value of a token, or read it."""
    from ..errors import UsageError
    from ..secretstore import given

    if file == "-":
        return given.given(token_id, sys.stdin.buffer.read(given.MOST_BYTES))
    if file:
        return given.from_file(token_id, Path(file))
    if not sys.stdin.isatty():
        raise UsageError(
            f"the value of the token {token_id} is wanted",
            hint="`--token-secret NAME` of the site, or `--token-file FILE` (`-` is stdin); no argument",
        )
    return given.given(
        token_id, str(click.prompt(f"value of the token {token_id}", hide_input=True, err=True)).encode()
    )
