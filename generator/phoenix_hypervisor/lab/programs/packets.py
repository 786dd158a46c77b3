"""A packet filter on a listening socket: who may connect is what the node's firewall has loaded.

A classic BPF program on the socket itself, which any program may set: a first packet that it drops is never
answered, as when a firewall drops it. What is connected already stays so.
"""

import _thread
import json
import os
import socket
import struct
import time
from typing import Any

FILE = "/var/lib/phoenix-lab/firewall.json"
"""As lab/standins/firewall_ports.py writes it."""
LOOKS = 0.05
"""Seconds between two looks at the file."""
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
NETWORK_HEADER = 0xFFF00000
LOAD_WORD, LOAD_BYTE, AND, EQUAL, RETURN = 0x20, 0x30, 0x54, 0x15, 0x06
VERSION_4, SOURCE = 0x40, 12
ALL = 0xFFFFFFFF


def guard(taken: socket.socket) -> None:
    """Let in whom the rules let in, now and whenever they change."""
    seen = _look(taken, None)
    _thread.start_new_thread(_watch, (taken, seen))


def _watch(taken: socket.socket, seen: Any) -> None:
    while taken.fileno() >= 0:
        time.sleep(LOOKS)
        seen = _look(taken, seen)


def _look(taken: socket.socket, seen: Any) -> Any:
    """Read the file when it is another one; returns by what it is known again."""
    try:
        found = os.stat(FILE)
        now: Any = (found.st_ino, found.st_mtime_ns)
    except OSError:
        now = None
    if now != seen:
        try:
            _set(taken, _admitted(taken.getsockname()[1]) if now else None)
        except (OSError, ValueError):
            return seen
    return now


def _admitted(port: int) -> list[str]:
    with open(FILE, encoding="utf-8") as file:
        told = json.load(file)
    admitted: list[str] = told["ports"].get(str(port), told["else"])
    return ["127.0.0.1", *told["own"], *admitted]


def _set(taken: socket.socket, admitted: list[str] | None) -> None:
    if admitted is None:
        try:
            taken.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        except FileNotFoundError:
            return  # there was none
        return
    code = program(admitted)
    import ctypes

    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    told = struct.pack("HP", len(code), ctypes.addressof(text))
    taken.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)


def program(admitted: list[str]) -> list[tuple[int, int, int, int]]:
    """Return the filter's instructions: packets of IPv4 from these addresses, and all that are not IPv4."""
    code = [
        (LOAD_BYTE, 0, 0, NETWORK_HEADER),
        (AND, 0, 0, 0xF0),
        (EQUAL, 1, 0, VERSION_4),
        (RETURN, 0, 0, ALL),
        (LOAD_WORD, 0, 0, NETWORK_HEADER + SOURCE),
    ]
    for address in dict.fromkeys(admitted):
        (number,) = struct.unpack("!I", socket.inet_aton(address))
        code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALL)]
    return [*code, (RETURN, 0, 0, 0)]
