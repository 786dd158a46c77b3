"""Programs of the node's own units: those few that guests ask over the network run as well, as guests' do.

They live as long as the keeper, on the node's own network; what they say is nobody's to read.
"""

import os
import select
import signal
from typing import Any

import model
import netlink
import runtime_units
import unit_words

UNITS = (
    "prometheus-node-exporter.service",
    "systemd-journal-remote.service",
    "systemd-journal-upload.service",
)
PATIENCE = 20.0
"""Seconds within which a program must say that it runs."""


def wanted() -> dict[str, list[str]]:
    """Return the units whose programs are to be running now, and their command lines."""
    found = {}
    rows = model.section(model.read(), "units")
    for name in UNITS:
        unit = rows.get(name, {})
        if unit.get("active") == "active" and runtime_units.runs(name, unit):
            service = runtime_units.service_of(name, unit)
            environment = unit_words.environment(name, service)
            found[name] = unit_words.command(service["ExecStart"][0], name, environment)[1]
    return found


class Own:
    """What runs of it."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, list[str]]] = {}

    def agree(self) -> None:
        """Let those run that are to run, as they are declared now, and no others. Raises OSError."""
        asked = wanted()
        for name, (pid, words) in list(self._running.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:  # it ended by itself, and is started again
                del self._running[name]
            elif asked.get(name) != words:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                del self._running[name]
        for name, words in asked.items():
            if name not in self._running:
                netlink.Kernel().up("lo")
                self._running[name] = (_started(words), words)


def _started(words: list[str]) -> int:
    """Start a program, and wait until it says that it runs (or ends)."""
    ready, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(words, telling)
    os.close(telling)
    waiting = select.poll()
    waiting.register(ready, select.POLLIN)
    waiting.poll(PATIENCE * 1000)
    os.close(ready)
    return pid


def _become(words: list[str], telling: int) -> Any:
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        os.set_inheritable(telling, True)
        environment = {"PATH": unit_words.PATH, "PHOENIX_LAB_READY": str(telling)}
        os.execve(words[0], words, environment)  # noqa: S606  (that is what it is for)
    finally:
        os._exit(203)
