"""Options of programs written in Go: `--name=value`, `--name value`, `--switch`, `--no-switch`."""

import sys
from collections.abc import Collection


class WrongError(Exception):
    """What a program says of its arguments before it ends."""


def parse(argv: list[str], valued: Collection[str], switches: Collection[str]) -> dict[str, str]:
    """Return option → value (`true` or `false` of a switch). Raises WrongError."""
    found = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            raise WrongError(f"unexpected {word}")
        name, equals, value = word.lstrip("-").partition("=")
        if name in valued:
            if not equals and not rest:
                raise WrongError(f"expected argument for flag '--{name}'")
            found[name] = value if equals else rest.pop(0)
        elif name in switches:
            found[name] = value or "true"
        elif name.removeprefix("no-") in switches:
            found[name.removeprefix("no-")] = "false"
        else:
            raise WrongError(f"unknown long flag '{word.partition('=')[0]}'")
    return found


def refuse(program: str, error: WrongError, more: str = "") -> None:
    """Say it on stderr."""
    print(f"{program}: error: {error}{more}", file=sys.stderr)


def address(written: str) -> tuple[str, int]:
    """Return host and port of `:9100` or `10.0.0.5:9100`. Raises ValueError."""
    host, _, port = written.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  (all, as the real ones)
