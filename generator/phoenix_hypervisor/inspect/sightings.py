"""What modules of checks tell besides their checks: what we made on a host, and the actual as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from .. import registry
from ..errors import HostError
from ..resource import Kind, Ref
from .boots import Boot, boot_of
from .classify import why
from .looks import Finding, Verdict
from .preflight import differences
from .speculation import Call, Speculation

if TYPE_CHECKING:
    from testinfra.host import Host

    from ..config import Site
    from .fleet import Fleet

Owned = Callable[["Host"], set[str]]
Seer = Callable[["Host", Kind], Any]


class Sightings:
    """The functions `owned(host)` and `seen(host, <kind>)` of the modules, and what they found."""

    def __init__(self, site: Site, fleet: Fleet, *, orphans: bool) -> None:
        self._site = site
        self._fleet = fleet
        self.orphans = orphans
        self._owners: dict[str, Owned] = {}
        self._seers: dict[str, Seer] = {}
        self.owned: dict[tuple[str, str], set[str]] = {}
        """(host, kind) → names of what we made there, where that could be told."""
        self.seen: dict[Ref, Any] = {}
        self.boots: dict[str, Boot] = {}
        """Nodes' boots, where that could be told."""
        self.machines: dict[str, tuple[str, ...]] = {}
        """Node → what of it is not as its `hardware:` says, where that could be told."""

    def learn(self, kind: str, module: ModuleType) -> None:
        """Take a module's functions."""
        if self.orphans and hasattr(module, "owned"):
            self._owners[kind] = module.owned
        if hasattr(module, "seen"):
            self._seers[kind] = module.seen

    def calls(self, hosts: Collection[str], states: Speculation) -> list[Call]:
        """Return the calls that learn what the owners will ask, and what nodes say of themselves."""
        asked = [
            call
            for host in self._nodes(hosts)
            for call in (
                Call(host, f"boot {host}", partial(boot_of, states.host(host))),
                Call(host, f"machine {host}", partial(self._machine, host, states)),
            )
        ]
        return asked + [
            Call(host, f"owned {kind}", partial(owned, states.host(host)))
            for kind, host, owned in self._owning(hosts)
        ]

    def note_owned(self, hosts: Collection[str], states: Speculation) -> None:
        """Note what is ours on the hosts, how nodes were booted, and what they are."""
        for host in self._nodes(hosts):
            with suppress(Exception):  # what is no Proxmox node has nothing to say
                self.boots[host] = boot_of(states.host(host))
            with suppress(Exception):
                self.machines[host] = self._machine(host, states)
        for kind, host, owned in self._owning(hosts):
            if self._fleet.is_lost(host):
                continue
            try:
                self.owned[host, kind] = set(owned(states.host(host)))
            except Exception:  # noqa: S112  (a tool is missing: then we made nothing with it)
                continue

    def _machine(self, host: str, states: Speculation) -> tuple[str, ...]:
        return differences(states.host(host), self._site.nodes[host].hardware)

    def undeclared(self) -> list[Ref]:
        """Return what we made on the hosts and is declared no longer."""
        declared = {*self._site.resources, *self._inherited()}
        found = [
            Ref(host, kind, host if registry.kind(kind).singleton else name)
            for (host, kind), names in sorted(self.owned.items())
            for name in sorted(names)
        ]
        return [ref for ref in found if ref not in declared]

    def notices(self) -> dict[str, tuple[str, ...]]:
        """Return what is worth knowing of nodes themselves."""
        found = {
            node: (*self.machines.get(node, ()), *(self.boots[node].notices if node in self.boots else ()))
            for node in self._site.nodes
        }
        return {node: said for node, said in found.items() if said}

    def _inherited(self) -> Iterator[Ref]:
        """What guests took over, with its marks, from the layers that they are cloned from."""
        for host in self._site.guests:
            for ref in (ref for layer in self._site.made_from(host) for ref in self._site.of_host(layer)):
                yield Ref(host, ref.kind, host if registry.kind(ref.kind).singleton else ref.name)

    def _owning(self, hosts: Collection[str]) -> Iterator[tuple[str, str, Owned]]:
        """Kinds of which there may be something on a host: in a guest, only those that live in guests."""
        for kind, owned in self._owners.items():
            anywhere = registry.kind(kind).scope == "host"
            yield from ((kind, host, owned) for host in hosts if anywhere or host in self._site.nodes)

    def _nodes(self, hosts: Collection[str]) -> list[str]:
        """The nodes among hosts when all there is to know is asked for."""
        nodes = (host for host in hosts if host in self._site.nodes and not self._fleet.is_lost(host))
        return sorted(nodes) if self.orphans else []

    def see(self, resources: Mapping[Ref, Kind], states: Speculation) -> Iterator[Finding]:
        """Look at the actual of these as a whole; their checks have asked the same. Yields what cannot be."""
        seeing = [(ref, self._seers[ref.kind]) for ref in resources if ref.kind in self._seers]
        calls = [
            Call(ref.host, f"seen {ref}", partial(seer, states.host(ref.host), resources[ref]))
            for ref, seer in seeing
        ]
        states.run(calls)
        for call, (ref, _) in zip(calls, seeing, strict=True):
            try:
                self.seen[ref] = call.function()
            except HostError:
                continue  # its checks say so
            except Exception as error:
                reason = f"its state cannot be read: {why(pytest.ExceptionInfo.from_exception(error))}"
                yield Finding(ref, "seen", Verdict.UNKNOWN, reason)
