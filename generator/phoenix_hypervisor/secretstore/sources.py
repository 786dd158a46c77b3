"""Secrets that live outside the age file: an environment variable, a file, what a command prints."""

import os
from pathlib import Path
from threading import Lock

from ..errors import SecretError
from ..process import Broken, run
from .settings import Source

COMMAND_SECONDS = 60
_taken: dict[str, bytes] = {}
_taking = Lock()


def take_from_environment(variable: str) -> None:
    """Move a variable out of our environment, so that no process we start from here on inherits it."""
    with _taking:
        value = os.environb.pop(variable.encode(), None)
        if value is not None:
            _taken[variable] = value


def read(name: str, source: Source, site_folder: Path) -> bytes:
    """Return the value of the secret `name`. Raises SecretError when its source has none."""
    if source.env is not None:
        value = _from_environment(name, source.env)
    elif source.file is not None:
        value = _from_file(name, site_folder / Path(source.file).expanduser())
    else:
        value = _from_command(name, source.command or (), site_folder)
    if not value:
        raise SecretError(f"secret `{name}`: {source} is empty")
    return value


def without_newline(value: bytes) -> bytes:
    """Drop the one newline that editors and `echo` put behind a value."""
    return value.removesuffix(b"\n").removesuffix(b"\r") if value.endswith(b"\n") else value


def _from_environment(name: str, variable: str) -> bytes:
    take_from_environment(variable)
    if variable not in _taken:
        raise SecretError(f"secret `{name}`: the environment variable {variable} is not set")
    return _taken[variable]


def _from_file(name: str, path: Path) -> bytes:
    try:
        return without_newline(path.read_bytes())
    except OSError as error:
        raise SecretError(f"secret `{name}`: cannot read {path}: {error.strerror}") from error


def _from_command(name: str, argv: tuple[str, ...], site_folder: Path) -> bytes:
    """Run the command in the site folder. Its stderr is shown when it fails; its stdout, never."""
    shown = " ".join(argv)
    in_site = ("sh", "-c", 'cd "$0" && exec "$@"', str(site_folder), *argv)
    try:
        ended = run(in_site, timeout=COMMAND_SECONDS)
    except Broken as broken:
        raise SecretError(f"secret `{name}`: `{shown}`: {broken.message}{_said(broken.stderr)}") from None
    if ended.status != 0:
        raise SecretError(f"secret `{name}`: `{shown}` ended with status {ended.status}{_said(ended.stderr)}")
    return without_newline(ended.stdout)


def _said(stderr: bytes) -> str:
    """The last lines of a program's stderr, indented below our own."""
    lines = stderr.decode(errors="replace").strip().splitlines()[-10:]
    printable = ("".join(char if char.isprintable() else "?" for char in line) for line in lines)
    return "".join(f"\n  {line}" for line in printable)
