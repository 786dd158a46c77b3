"""The hosts of a site as Nornir knows them. Whatever touches hosts goes through `Fleet.run`: in parallel.

Nornir is built directly from the checked inventory. `InitNornir` is not used: it loads every
installed plugin, and its logging writes task arguments to a file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner

from ..errors import HostError, UsageError, did_you_mean
from ..transport import Address, Answer, Question, Transport, connect

if TYPE_CHECKING:
    from ..config.inventory import Inventory as Declared
    from ..config.model import InventoryEntry

logging.getLogger("nornir").addHandler(logging.NullHandler())
logging.getLogger("nornir").propagate = False  # it logs the arguments of tasks

R = TypeVar("R")
WORKERS = 32
SHELLS = 4
"""How many shells on one host share many questions: below sshd's usual MaxSessions of 10."""
MANY = 20
"""From how many questions for each it is worth another shell."""


class Fleet:
    """The hosts, each with at most one open transport, and the count of round trips."""

    def __init__(self, declared: Declared, folder: Path, hosts: Collection[str] | None = None) -> None:
        self._folder = folder
        self._transports: dict[str, Transport] = {}
        self._shells: dict[str, list[Transport]] = {}
        self._alone: set[str] = set()
        self._lock = Lock()
        self.lost: dict[str, HostError] = {}
        """Hosts that did not answer, with the reason: nothing more is asked of them in this run."""
        inventory = _inventory(declared)
        chosen = Hosts(
            {name: host for name, host in inventory.hosts.items() if hosts is None or name in hosts}
        )
        self._nornir = Nornir(
            inventory=Inventory(hosts=chosen, groups=inventory.groups, defaults=inventory.defaults),
            config=Config(),
            runner=ThreadedRunner(num_workers=WORKERS),
        )

    @property
    def hosts(self) -> list[str]:
        """The names of all hosts."""
        return list(self._nornir.inventory.hosts)

    def run(self, work: Callable[[str], R], hosts: Collection[str], name: str) -> dict[str, R]:
        """Run `work(host)` for each host at once; returns what each gave.

        A host whose connection breaks is left out and noted in `lost`; any other exception is raised
        after all have ended.
        """
        wanted = [host for host in hosts if host not in self.lost]
        if not wanted:
            return {}

        def task(task: Task) -> Result:
            return Result(host=task.host, result=work(task.host.name))

        chosen = self._nornir.filter(filter_func=lambda host: host.name in wanted)
        outcome = chosen.run(task=task, name=name, on_failed=True)
        found: dict[str, R] = {}
        broken: list[BaseException] = []
        for host, results in outcome.items():
            error = results[0].exception
            if isinstance(error, HostError):
                self.lost[host] = error
            elif error is not None:
                broken.append(error)
            else:
                found[host] = results[0].result
        self._nornir.data.reset_failed_hosts()
        if broken:
            raise broken[0]
        return found

    def lock(self, hosts: Collection[str], path: str, owner: str) -> dict[str, str]:
        """Take a lock on hosts, connecting on the way; returns who holds it where it is taken."""
        held = self.run(lambda host: self._transport(host).lock(path, owner), hosts, "lock")
        return {host: holder for host, holder in held.items() if holder is not None}

    def _transport(self, host: str) -> Transport:
        with self._lock:
            if host in self.lost:
                raise self.lost[host].with_traceback(None)  # else it grows with each check
            transport = self._transports.get(host)
            if transport is None:
                transport = self._transports[host] = connect(self.address(host))
            return transport

    def transport(self, host: str) -> Transport:
        """Return the host's open transport, opening it the first time. Raises HostError."""
        transport = self._transport(host)
        try:
            transport.open()
        except HostError as error:
            self.lost[host] = error
            raise
        return transport

    def ask(self, host: str, questions: Sequence[Question]) -> list[Answer]:
        """Ask a host questions; many go through several shells at once. Raises HostError."""
        first = self.transport(host)
        shells = [first, *self._more_shells(host, min(SHELLS, len(questions) // MANY) - 1)]
        if len(shells) == 1:
            return first.ask(questions)
        # dealt out like cards, so that the costly ones, which stand together, are spread
        parts = [questions[n :: len(shells)] for n in range(len(shells))]
        with ThreadPoolExecutor(len(shells)) as pool:
            answered = list(pool.map(_answers, shells, parts))
        if None in answered:  # the host allows no more sessions, or is lost: the first shell will tell
            for shell in self._shells.pop(host):
                shell.close()
            self._alone.add(host)
        dealt = [
            first.ask(part) if found is None else found for found, part in zip(answered, parts, strict=True)
        ]
        return [dealt[n % len(shells)][n // len(shells)] for n in range(len(questions))]

    def _more_shells(self, host: str, wanted: int) -> list[Transport]:
        """Further shells on a host; they open when they are asked."""
        there = self._shells.setdefault(host, [])
        if host not in self._alone:
            there += [connect(self.address(host)) for _ in range(wanted - len(there))]
        return there[: max(wanted, 0)]

    def address(self, name: str) -> Address:
        """Return how a host is reached, groups and defaults resolved by Nornir."""
        host = self._nornir.inventory.hosts[name]
        kind = host.get("transport") or "ssh"
        options = tuple(host.get("ssh_options") or ())
        return Address(
            host=name,
            hostname=host.hostname or name,
            transport=kind,
            port=host.port,
            username=host.username,
            sudo=bool(host.get("sudo")),
            connect_seconds=float(host.get("connect_seconds") or 10),
            command_seconds=float(host.get("command_seconds") or 300),
            options=(str(self._folder / ".phoenix" / "lab" / name),) if kind == "lab" else options,
        )

    def open_all(self, hosts: Collection[str]) -> None:
        """Connect to hosts at once; those that do not answer are in `lost` afterwards."""
        self.run(lambda host: self.transport(host) and None, hosts, "connect")

    def trips(self) -> Mapping[str, int]:
        """Return the round trips made so far, by host."""
        return {host: transport.trips for host, transport in self._transports.items()}

    def close(self) -> None:
        """Close every transport."""
        for transport in [
            *self._transports.values(),
            *(s for shells in self._shells.values() for s in shells),
        ]:
            transport.close()


def _inventory(declared: Declared) -> Inventory:
    """Our checked entries as Nornir's own classes, so that Nornir's inheritance applies."""
    defaults = Defaults(**_fields(declared.defaults))
    groups = Groups()
    for name, entry in declared.groups.items():
        groups[name] = Group(name=name, defaults=defaults, **_fields(entry))
    for name, entry in declared.groups.items():
        groups[name].groups = ParentGroups(groups[parent] for parent in entry.groups)
    hosts = Hosts()
    for name, entry in declared.hosts.items():
        parents = ParentGroups(groups[parent] for parent in entry.groups)
        hosts[name] = Host(name=name, groups=parents, defaults=defaults, **_fields(entry))
    return Inventory(hosts=hosts, groups=groups, defaults=defaults)


def _fields(entry: InventoryEntry) -> dict[str, Any]:
    data = {key: value for key, value in entry.data.model_dump().items() if value is not None}
    return {"hostname": entry.hostname, "port": entry.port, "username": entry.username, "data": data}


def refuse_unknown_hosts(names: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError for a host that the site does not have."""
    for name in names:
        if name not in known:
            raise UsageError(
                f"no host `{name}`", hint=did_you_mean(name, known) or f"known: {', '.join(known)}"
            )


def _answers(shell: Transport, questions: Sequence[Question]) -> list[Answer] | None:
    """What a shell answers, or None when it cannot be opened or breaks."""
    try:
        return shell.ask(questions)
    except HostError:
        return None
