"""Ports for servers that tests start."""

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, and which the kernel gives to nobody who does not ask for one.

    A port below those that clients get stays free until its server is there: the tests that run beside
    this one are clients all the time.
    """
    first = int(RANGE.read_text().split()[0])
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(first // 2, first)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def free_port() -> int:
    return free_ports(1)[0]
