"""The hosts of a site as Nornir knows them. Whatever touches hosts goes through `Fleet.run`: in parallel.

Nornir is built directly from the checked inventory. `InitNornir` is not used: it loads every
installed plugin, and its logging writes task arguments to a file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner

from ..errors import GuestError, HostError, UsageError, did_you_mean
from ..transport import Address, Answer, Question, Transport, connect
from ..transport.agent import AgentTransport
from ..transport.direct import DirectTransport
from ..transport.guest import GuestTransport
from ..transport.shells import Shells
from ..transport.ssh import hang_up

if TYPE_CHECKING:
    from ..config import Guest
    from ..config.inventory import Inventory as Declared
    from ..config.model import InventoryEntry

logging.getLogger("nornir").addHandler(logging.NullHandler())
logging.getLogger("nornir").propagate = False  # it logs the arguments of tasks

R = TypeVar("R")


class Fleet:
    """The hosts: nodes with their open shells, guests reached through their node; round trips counted."""

    def __init__(
        self,
        declared: Declared,
        folder: Path,
        nodes: Collection[str] | None = None,
        guests: Iterable[Guest] = (),
    ) -> None:
        self._folder = folder
        self._shells: dict[str, Shells] = {}
        self._lock = Lock()
        self._locked: dict[str, tuple[str, str]] = {}
        self._trips_before: dict[str, int] = {}
        self.lost: dict[str, HostError] = {}
        """Nodes that did not answer, with the reason: nothing more is asked of them in this run."""
        inventory = _inventory(declared)
        named = {guest.name: guest for guest in guests}
        chosen = Hosts(
            {
                name: host
                for name, host in inventory.hosts.items()
                if name not in named and (nodes is None or name in nodes)
            }
        )
        self.nodes = list(chosen)
        self._guests = {name: guest for name, guest in named.items() if guest.node in chosen}
        self._reached = self._guests.keys() & inventory.hosts.keys()
        """Guests that the inventory says how to reach: not through their node."""
        self._direct: dict[str, DirectTransport] = {}
        for guest in self._guests.values():
            own = inventory.hosts.get(guest.name) or Host(name=guest.name, defaults=inventory.defaults)
            own.data |= {"node": guest.node, "vmid": guest.vmid}
            chosen[guest.name] = own
        self._nornir = Nornir(
            inventory=Inventory(hosts=chosen, groups=inventory.groups, defaults=inventory.defaults),
            config=Config(),
        )

    @property
    def hosts(self) -> list[str]:
        """The names of all nodes and their guests."""
        return list(self._nornir.inventory.hosts)

    def node_of(self, host: str) -> str:
        """Return the node a host is or lives on."""
        return self._guests[host].node if host in self._guests else host

    def is_lost(self, host: str) -> HostError | None:
        """Return why nothing can be asked of a host in this run, or None."""
        return self.lost.get(self.node_of(host))

    def run(self, work: Callable[[str], R], hosts: Collection[str], name: str) -> dict[str, R]:
        """Run `work(host)` for each host at once; returns what each gave.

        A host whose connection breaks is left out and noted in `lost`; a guest that cannot be entered is
        only left out. Any other exception is raised after all have ended.
        """
        wanted = [host for host in hosts if not self.is_lost(host)]
        if not wanted:
            return {}

        def task(task: Task) -> Result:
            return Result(host=task.host, result=work(task.host.name))

        chosen = self._nornir.filter(filter_func=lambda host: host.name in wanted)
        # a thread for each: those that wait for others must not keep these from beginning
        runner = ThreadedRunner(num_workers=len(wanted))
        outcome = chosen.with_runner(runner).run(task=task, name=name, on_failed=True)
        found: dict[str, R] = {}
        broken: list[BaseException] = []
        for host, results in outcome.items():
            error = results[0].exception
            if isinstance(error, GuestError):
                continue  # its node is there
            if isinstance(error, HostError):
                self.lost[self.node_of(host)] = error
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
        held = self.run(lambda host: self._shells_on(host).lock(path, owner), hosts, "lock")
        self._locked |= {host: (path, owner) for host, holder in held.items() if holder is None}
        return {host: holder for host, holder in held.items() if holder is not None}

    def _shells_on(self, node: str) -> Shells:
        with self._lock:
            if node in self.lost:
                raise self.lost[node].with_traceback(None)  # else it grows with each check
            shells = self._shells.get(node)
            if shells is None:
                shells = self._shells[node] = Shells(lambda: connect(self.address(node)))
            return shells

    def transport(self, host: str) -> Transport:
        """Return the open way to a node, or to a guest, most often through its node. Raises HostError."""
        node = self.node_of(host)
        shells = self._shells_on(node)
        try:
            shells.open()
        except HostError as error:
            self.lost[node] = error
            raise
        if host in self._reached:
            return self._straight_to(host)
        return self._inside(host, shells) if host in self._guests else shells

    def _straight_to(self, guest: str) -> DirectTransport:
        """Return the way to a guest that the inventory knows; it is kept as long as its node's."""
        shells = self._shells_on(self.node_of(guest))
        with self._lock:
            if guest not in self._direct:
                vmid = self._guests[guest].vmid
                self._direct[guest] = DirectTransport(
                    guest, vmid, shells, lambda: connect(self._alone(guest))
                )
            return self._direct[guest]

    def _alone(self, host: str) -> Address:
        """Return how a host is reached over a connection that shares nothing with others."""
        address = self.address(host)
        alone = ("ControlMaster=no", "ControlPath=none") if address.transport == "ssh" else ()
        return address._replace(options=(*alone, *address.options))

    def _inside(self, guest: str, shells: Shells) -> GuestTransport:
        """Return the way into a guest through its node's shells."""
        way = AgentTransport if self._guests[guest].entered == "agent" else GuestTransport
        return way(guest, self._guests[guest].vmid, shells)

    @contextmanager
    def afresh(self, node: str) -> Iterator[Transport]:
        """Open a way to a node that shares nothing with those that are open. Raises HostError."""
        transport = connect(self._alone(node))
        try:
            transport.open()
            yield transport
        finally:
            transport.close()

    def leave(self, node: str) -> None:
        """Let go of a node that goes down: its shells are gone, or will be."""
        with self._lock:
            shells = self._shells.pop(node, None)
            for guest in [guest for guest in self._direct if self.node_of(guest) == node]:
                self._direct.pop(guest).close()
        address = self.address(node)
        if address.transport == "ssh":
            hang_up(address)
        if shells is not None:
            self._trips_before[node] = self._trips_before.get(node, 0) + shells.trips
            shells.close()

    def come_back(self, node: str) -> str | None:
        """Connect to a node that was left; take its lock again if it was ours; returns who has it now."""
        shells = self._shells_on(node)
        if node not in self._locked:
            shells.open()
            return None
        holder = shells.lock(*self._locked[node])
        if holder is not None:
            del self._locked[node]
        return holder

    def ask(self, asked: Mapping[str, Sequence[Question]]) -> dict[str, list[Answer] | HostError]:
        """Ask nodes and guests at once, each node in one round trip, its guests' questions among its own.

        A guest that cannot be asked has the reason in place of answers; nodes that broke are in `lost`.
        """
        by_node: dict[str, dict[str, Sequence[Question]]] = {}
        for host, questions in asked.items():
            by_node.setdefault(host if host in self._reached else self.node_of(host), {})[host] = questions
        found: dict[str, list[Answer] | HostError] = {}
        for answers in self.run(lambda host: self._ask_host(host, by_node[host]), by_node, "ask").values():
            found.update(answers)
        return found

    def _ask_host(
        self, host: str, asked: Mapping[str, Sequence[Question]]
    ) -> dict[str, list[Answer] | HostError]:
        if host not in self._reached:
            return self._ask_node(host, asked)
        try:
            return {host: self.transport(host).ask(asked[host])}
        except GuestError as error:
            return {host: error}  # its node is there

    def _ask_node(
        self, node: str, asked: Mapping[str, Sequence[Question]]
    ) -> dict[str, list[Answer] | HostError]:
        self.transport(node)
        ways = {host: self._inside(host, self._shells_on(node)) for host in asked if host != node}
        own = list(asked.get(node, ()))
        carried = [way.question(asked[host]) for host, way in ways.items()]
        answers = self._shells_on(node).ask([*own, *carried], costly=len(carried))
        found: dict[str, list[Answer] | HostError] = {node: answers[: len(own)]} if own else {}
        for (host, way), answer in zip(ways.items(), answers[len(own) :], strict=True):
            try:
                found[host] = way.told(answer, asked[host])
            except HostError as error:
                found[host] = error
        return found

    def address(self, name: str) -> Address:
        """Return how a node is reached, groups and defaults resolved by Nornir."""
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
            reboot_seconds=float(host.get("reboot_seconds") or 600),
            options=(str(self._folder / ".phoenix" / "lab" / name),) if kind == "lab" else options,
        )

    def open_all(self, hosts: Collection[str]) -> None:
        """Connect to hosts at once; those that do not answer are in `lost` afterwards."""
        self.run(lambda host: self.transport(host) and None, hosts, "connect")

    def trips(self) -> Mapping[str, int]:
        """Return the round trips made so far, by node."""
        trips = {host: shells.trips for host, shells in self._shells.items()}
        before = self._trips_before
        return {host: trips.get(host, 0) + before.get(host, 0) for host in {**trips, **before}}

    def close(self) -> None:
        """Close every transport."""
        for way in self._direct.values():
            way.close()
        for shells in self._shells.values():
            shells.close()


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
