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

    def scope(self, targets: Iterable[str]) -> list[Ref]:
        """Return the refs of the fleet's hosts, or only the targets and what they need."""
        hosts = set(self.fleet.hosts)
        wanted = closure(self.targets(targets), self.site.needs) if targets else set(self.site.resources)
        return [ref for ref in self.site.resources if ref in wanted and ref.host in hosts]

    def targets(self, texts: Iterable[str]) -> set[Ref]:
        """Return the resources that `kind:name` or `host/kind:name` name. Raises UsageError."""
        return {ref for text in texts for ref in named(self.site, text)}


def open_site(given: str | None, *, start: Path | None = None, hosts: Collection[str] = ()) -> OpenSite:
    """Read a site and make its fleet ready, hosts limited to the named ones. Raises PhoenixError."""
    from ..secretstore import open_store

    folder = find_folder(given, start)
    store = open_store(load_settings(folder).secrets, folder)
    site = load(folder, store)
    refuse_unknown_hosts(hosts, site.nodes)
    _require_secrets(site, hosts)
    return OpenSite(site, Fleet(site.inventory, folder, hosts or None))


def secrets_of(resource: Kind) -> Iterable[tuple[str, Secret]]:
    """Yield the fields of a resource that are secrets."""
    for name in type(resource).model_fields:
        value = getattr(resource, name)
        if isinstance(value, Secret):
            yield name, value


def _require_secrets(site: Site, hosts: Collection[str]) -> None:
    """Every secret that will be needed has a value: said before anything is done."""
    problems = []
    for ref, resource in site.resources.items():
        for name, secret in secrets_of(resource) if not hosts or ref.host in hosts else ():
            reason = secret.trouble()
            if reason:
                problems.append(Problem(f"{ref}: {reason.message}", site.place(ref, name), reason.hint))
    if problems:
        raise InputError(problems)
