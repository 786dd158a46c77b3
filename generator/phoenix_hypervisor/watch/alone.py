"""One watcher a site: a lock that ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import PhoenixError
from ..records.events import who

LOCK = Path(".phoenix/watch/lock")


@contextmanager
def alone(site: Path) -> Iterator[None]:
    """Hold the lock of a site's watcher. Raises PhoenixError when another one has it."""
    path = site / LOCK
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PhoenixError(f"cannot lock {path}: {error.strerror}") from error
    with os.fdopen(number, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "another process"
            said = f"this site is being watched already, by {holder}"
            raise PhoenixError(said, hint="`phoenix history` shows what it saw; one is enough") from None
        with contextlib.suppress(OSError):  # the disk is full: the lock is held all the same
            os.ftruncate(number, 0)
            os.pwrite(number, f"{who()}, process {os.getpid()}\n".encode(), 0)
        yield
