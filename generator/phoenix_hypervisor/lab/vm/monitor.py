"""What QEMU's human monitor is told, over its socket."""

import os
import socket
from contextlib import closing
from pathlib import Path

from ...errors import PhoenixError

PROMPT = b"(qemu) "


def tell(place: Path, command: str, *, seconds: float = 60) -> str:
    """Give one command to the machine whose monitor is the socket `place`; what it answers.

    Raises PhoenixError when there is no machine, and when it says an error.
    """
    try:
        with closing(_connected(place, seconds)) as monitor:
            _until_prompt(monitor)
            monitor.sendall(command.encode() + b"\n")
            said = _until_prompt(monitor, ending=command == "quit")
    except OSError as error:
        raise PhoenixError(f"the virtual machine in {place.parent} does not answer: {error}") from error
    # the terminal of the monitor repeats what is typed, with its own control sequences
    answer = said.decode(errors="replace").partition("\n")[2].strip()
    if answer.startswith("Error"):
        raise PhoenixError(f"{command.partition(' ')[0]}: {answer}")
    return answer


def _connected(place: Path, seconds: float) -> socket.socket:
    """Connect by way of the folder: a socket's own path may have no more than 108 bytes."""
    folder = os.open(place.parent, os.O_PATH)
    monitor = socket.socket(socket.AF_UNIX)
    try:
        monitor.settimeout(seconds)
        monitor.connect(f"/proc/self/fd/{folder}/{place.name}")
    except OSError:
        monitor.close()
        raise
    finally:
        os.close(folder)
    return monitor


def _until_prompt(monitor: socket.socket, *, ending: bool = False) -> bytes:
    said = b""
    while not said.endswith(PROMPT):
        data = monitor.recv(65536)
        if not data:
            if ending:
                return said
            raise ConnectionResetError("it ended")
        said += data
    return said.removesuffix(PROMPT)
