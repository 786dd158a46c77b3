"""The locks of APT and dpkg: real POSIX locks on the files, whoever holds one is found as APT finds them."""

import fcntl
import os
import struct
import time

import model
from hints import IO

_FLOCK = struct.Struct("hhqqi4x")


def take(path: str) -> IO[str] | None:
    """Return the open file, locked until it is closed; None while somebody else holds it."""
    os.makedirs(os.path.dirname(model.path(path)), exist_ok=True)
    file = open(model.path(path), "a")  # noqa: SIM115 - held by the caller
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def refusal(path: str) -> str:
    """Return APT's words about a lock that somebody holds, with the name of who does."""
    with open(model.path(path), "a") as file:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))[4]
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            name = f" ({comm.read().strip()})"
    except OSError:
        name = ""
    return f"Could not get lock {path}. It is held by process {pid}{name}"


def wait(path: str, seconds: int) -> IO[str] | None:
    """Take a lock, waiting as `DPkg::Lock::Timeout` says, and saying so once a second."""
    end = time.monotonic() + seconds
    while (file := take(path)) is None and time.monotonic() < end:
        print(f"Waiting for cache lock: {refusal(path)}...", flush=True)
        time.sleep(1)
    return file
