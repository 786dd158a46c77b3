"""Rules about what names promise: that who is asked for names answers, that a name is said alike everywhere.

They know no kind that serves: they read what resources offer, and what a model is called.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

from ...errors import Problem
from ...firewall.ports import Network
from ...resource import Ref
from ...services import SERVICE
from .. import policies
from . import interfaces
from .view import Container, everybody

if TYPE_CHECKING:
    from ..site import Site

DNS = "53"
DNS_SERVERS = frozenset(
    {"bind9", "coredns", "dnsmasq", "knot-resolver", "nsd", "pdns-recursor", "pdns-server", "unbound"}
)
"""Packages of Debian and Ubuntu that answer for names."""
FAMILIES = frozenset(
    {
        *("bge", "codellama", "codestral", "deepseek", "falcon", "gemma", "glm", "granite", "llama"),
        *("mistral", "mixtral", "nomic", "nemotron", "olmo", "phi", "qwen", "smollm", "starcoder"),
    }
)
"""What models are called by: a name with one of these speaks of a model."""
EMBEDS = frozenset({"embed", "embedder", "embedding", "embeddings"})
_WORD = re.compile(r"[a-z]+")
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)b(?!\w)")


def check(site: Site) -> Iterator[Problem]:
    """Yield what these rules find."""
    network = policies.network(site)
    found = everybody(site)
    yield from _name_servers(site, found, network)
    yield from _hosts(site, found, network)
    yield from _models(site)


def _name_servers(site: Site, found: dict[str, Container], network: Network) -> Iterator[Problem]:
    """Who is asked for names, and is of this site, answers (V-42)."""
    owners = {address: host for host, own in network.addresses.items() for address in own}
    answers: dict[str, bool] = {}
    for one in found.values():
        for path in (("nameserver",), ("cloud_init", "nameserver")):
            for server in one.part(*path) or ():
                owner = owners.get(str(server))
                if owner is not None and owner not in answers:
                    answers[owner] = _answers(site, owner, network)
                if owner is not None and not answers[owner]:
                    said = f"{one.ref}: {server} is `{owner}`, and nothing there answers for names"
                    hint = "mend the address; if it does all the same, say who may ask: `expose: {53/udp: …}`"
                    yield Problem(said, site.place(one.ref, *path), hint, "V-42")


def _answers(site: Site, host: str, network: Network) -> bool:
    """Whether something there serves port 53, or is a name server's package, or a rule speaks of it."""
    guest = site.guests.get(host)
    ports = [served.port.number for served in network.served.get(host, ())]
    file = policies.policy(site, guest.ref("firewall_guest") if guest else Ref(host, "firewall_node", host))
    if file is not None:
        ports += [key.partition("/")[0] for key in getattr(file, "exposed", ())]
        ports += [str(port) for rule in file.rules for port in rule.port]
        ports += [DNS for rule in file.rules if rule.macro == "DNS"]
    packages = {ref.name for there in (host, *site.made_from(host)) for ref in _packages(site, there)}
    return any(DNS in port.split(",") for port in ports) or bool(packages & DNS_SERVERS)


def _packages(site: Site, host: str) -> Iterator[Ref]:
    return (ref for ref in site.of_host(host) if ref.kind == "apt_package" and site.resources[ref].present)


def _hosts(site: Site, found: dict[str, Container], network: Network) -> Iterator[Problem]:
    """A line of /etc/hosts gives a host of the site the address that its own file says (V-38)."""
    declared: dict[str, set[str]] = defaultdict(set)
    called = {name: {name, str(one.part("hostname") or name)} for name, one in found.items()}
    for host, addresses in network.addresses.items():
        for name in called.get(host, {host}):
            declared[name.lower()] |= {*addresses}
    for host, _, address in interfaces.held(site):
        declared[host.lower()].add(address)
    said: dict[tuple[str, str, int], str] = {}
    for ref, resource in site.resources.items():
        for name in getattr(resource, "names", ()) if ref.kind == "hosts_entry" and resource.present else ():
            own = ip_address(ref.name)
            alike = {
                address for address in declared.get(name, ()) if ip_address(address).version == own.version
            }
            if alike and ref.name not in alike and not own.is_loopback:
                text = (
                    f"{ref}: `{name}` is {ref.name} here, and {' and '.join(sorted(alike))} in its own file"
                )
                yield Problem(text, site.place(ref, "names"), "say the same, or leave it out", "V-38")
            first = said.setdefault((ref.host, name, own.version), ref.name)
            if first != ref.name:
                text = f"{ref}: `{name}` is {first} in another line of the same file"
                yield Problem(text, site.place(ref, "names"), "a name has one address there", "V-38")


def _models(site: Site) -> Iterator[Problem]:
    """A name that speaks of a model speaks of the one that is served, and of what it does (V-48)."""
    serving: dict[str, list[tuple[Ref, str, str]]] = defaultdict(list)
    for ref, resource in site.resources.items():
        model = str(getattr(resource, "model", ""))
        for offer in resource.provides() if model and resource.present else ():
            if offer.topic == SERVICE:
                serving[ref.host].append((ref, model, offer.value.role))
    for host, found in serving.items():
        for ref, model, role in found:
            names = {
                "served_name": str(getattr(site.resources[ref], "served_name", None) or ""),
                "": ref.name,
            }
            names |= {} if len(found) > 1 else {"guest": host}
            wrong = ((field, name) for field, name in names.items() if _speaks_of_another(name, model, role))
            for field, name in list(wrong)[:1]:
                said = f"{ref}: it is called `{name}`, and serves {model}"
                place = site.place(ref, field or "model")
                yield Problem(said, place, "name it for what it does", "V-48", warning=True)


def _speaks_of_another(name: str, model: str, role: str) -> bool:
    """Whether a name says a family, a size or a task that is not the model's."""
    words, of_model = ({*_WORD.findall(text.lower())} for text in (name, model))
    families = words & FAMILIES
    sizes, of_that = ({*_SIZE.findall(text.lower())} for text in (name, model))
    tasks = {"embeddings"} if words & EMBEDS else {"chat"} if "chat" in words else set()
    return (
        bool(families and not families & of_model)
        or bool(sizes and of_that and not sizes & of_that)
        or bool(tasks and role in ("chat", "embeddings") and role not in tasks)
    )
