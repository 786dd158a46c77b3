"""Editing all secrets at once: their plaintext is in a folder of our own, in memory, for that long only."""

import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from .. import process
from ..errors import SecretError
from . import contents

MEMORY = ("tmpfs", "ramfs")
Say = Callable[[str], None]


def edit(values: dict[str, str], say: Say, pause: Say) -> dict[str, str]:
    """Return the mapping as the person left it. Raises SecretError when they give up.

    `say` tells them something, `pause` waits until they have read why the editor opens again.
    """
    with _ended_by_signals(), _private_folder(say) as folder:
        path = folder / "secrets.json"
        path.touch(mode=0o600)
        path.write_bytes(contents.dump(values))
        refused: bytes | None = None
        while True:
            _open_editor(path)
            text = _read(path)
            edited, wrong = contents.parse(text)
            if not wrong:
                return edited
            if text == refused:
                raise SecretError(f"gave up: {wrong}; nothing was changed")
            refused = text
            say(f"not saved: {wrong}")
            pause("Press a key to edit again, Ctrl-C to give up")


def editor() -> list[str]:
    """Return the argv of the person's editor."""
    words = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        return shlex.split(words)
    except ValueError as error:
        raise SecretError(f"$VISUAL or $EDITOR cannot be read as a command: {error}") from None


def memory_folder() -> Path | None:
    """Return a folder on a file system that is kept in memory, or None where there is none."""
    for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):  # noqa: S108  (our folder in it is 0700)
        if place and os.access(place, os.W_OK | os.X_OK) and _file_system(place) in MEMORY:
            return Path(place)
    return None


def _file_system(place: str, mounts: str = "/proc/self/mounts") -> str:
    """The type of the file system that holds a folder; "" where it cannot be told."""
    try:
        lines = Path(mounts).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    real = Path(place).resolve()
    at = {Path(line.split()[1]): line.split()[2] for line in lines}  # a later mount hides an earlier one
    return next((at[folder] for folder in (real, *real.parents) if folder in at), "")


@contextmanager
def _private_folder(say: Say) -> Iterator[Path]:
    """A new folder of mode 0700 that is removed whatever happens; swap files of the editor go with it."""
    memory = memory_folder()
    if memory is None:
        say("warning: found no file system in memory: the secrets are on the disk while you edit")
    folder = Path(tempfile.mkdtemp(prefix="phoenix-edit-", dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Turn the signals that would end us at once into an exception, so that the folder is removed."""

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _open_editor(path: Path) -> None:
    argv = editor()
    try:
        status = process.attach([*argv, str(path)])
    except process.Broken as broken:
        raise SecretError(broken.message, hint="set EDITOR to one that is installed") from None
    if status != 0:
        raise SecretError(f"the editor ended with status {status}; nothing was changed")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SecretError(f"the editor left no file: {error.strerror}; nothing was changed") from None
