"""A site opened for work: its files read, its secrets' store open, its hosts at hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..config import Site, find_folder, load, load_settings, named
from ..errors import InputError, Problem
from ..graph import closure
from ..resource import Kind, Ref
from ..secrets import Secret
from .fleet import Fleet, refuse_unknown_hosts


@dataclass(frozen=True)
class OpenSite:
    """What the verbs that talk to hosts need."""

    site: Site
    fleet: Fleet
    only: frozenset[str] = frozenset()
    """Guests that were named instead of whole nodes."""

    def chosen(self, targets: Iterable[str]) -> set[Ref] | None:
        """Return the resources that may be changed; None when nothing narrows them down. Raises UsageError.

        A target is `kind:name`, `host/kind:name` or the name of a guest.
        """
        wanted = [*targets] or sorted(self.only)
        if not wanted:
            return None
        return {ref for text in wanted for ref in self._named(text)}

    def _named(self, text: str) -> Iterable[Ref]:
        guest = self.site.guests.get(text)
        return self.site.of_guest(guest.name) if guest else named(self.site, text)

    def scope(self, targets: Iterable[str]) -> list[Ref]:
        """Return the refs to look at: the fleet's hosts', or only those chosen and what they need."""
        chosen = self.chosen(targets)
        wanted = set(self.site.resources) if chosen is None else closure(chosen, self.site.needs)
        hosts = set(self.fleet.hosts)
        return [ref for ref in self.site.resources if ref in wanted and ref.host in hosts]


def open_site(given: str | None, *, start: Path | None = None, hosts: Collection[str] = ()) -> OpenSite:
    """Read a site and make its fleet ready, limited to the named nodes and guests. Raises PhoenixError."""
    from ..secretstore import open_store

    folder = find_folder(given, start)
    store = open_store(load_settings(folder).secrets, folder)
    site = load(folder, store)
    refuse_unknown_hosts(hosts, site.hosts)
    nodes = {site.node_of(host) for host in hosts}
    only = frozenset(host for host in hosts if host in site.guests and site.node_of(host) not in hosts)
    opened = OpenSite(site, Fleet(site.inventory, folder, nodes or None, site.guests.values()), only)
    _require_secrets(site, opened.scope(()))
    return opened


def secrets_of(resource: Kind) -> Iterable[tuple[str, Secret]]:
    """Yield the fields of a resource that are secrets."""
    for name in type(resource).model_fields:
        value = getattr(resource, name)
        if isinstance(value, Secret):
            yield name, value


def _require_secrets(site: Site, refs: Iterable[Ref]) -> None:
    """Every secret that will be needed has a value: said before anything is done."""
    problems = []
    for ref in refs:
        for name, secret in secrets_of(site.resources[ref]):
            new = name in type(site.resources[ref]).keeps and not secret.known()
            reason = secret.closed() if new else secret.trouble()
            if reason:
                problems.append(Problem(f"{ref}: {reason.message}", site.place(ref, name), reason.hint))
    if problems:
        raise InputError(problems)
