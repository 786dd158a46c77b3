"""Which path leads where: from the services that the site declares, and from what is said explicitly."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from ..firewall.ports import Network
from ..services import Service
from .settings import Destination

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
MODELS = "/v1/models"
OF_ROLE = {
    "chat": (CHAT, COMPLETIONS, MODELS),
    "embeddings": (EMBEDDINGS,),
    "vector-store": ("/qdrant/",),
    "ollama": ("/ollama/",),
    "images": ("/images/",),
}
"""Role → the paths by which its service is reached; of the others it is the service's own prefix."""
FOLLOW = {COMPLETIONS: (CHAT,), MODELS: (CHAT, EMBEDDINGS)}
"""Paths that go where another one was sent, unless something else is said of them."""
LOOPBACK = "127.0.0.1"


class Backend(NamedTuple):
    """Who answers."""

    who: str
    """`vllm-chat/chat`, or the place in a declared URL."""
    address: str
    port: int
    scheme: str = "http"
    path: str = ""
    """What of a declared URL comes before the path that is asked for."""

    @property
    def place(self) -> str:
        """Address and port as a URL has them."""
        return f"{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"


class Route(NamedTuple):
    """One path, and who answers there."""

    path: str
    backend: Backend
    strip: bool
    open: bool
    """No token is asked for."""
    service: Service | None = None
    max_body: int | None = None
    read_seconds: int | None = None
    check: str | None = None

    @property
    def exact(self) -> bool:
        """Whether it is this path alone."""
        return not self.path.endswith("/")


class Trouble(NamedTuple):
    """What is wrong with what is declared, and where."""

    attribute: tuple[str, ...]
    said: str
    hint: str = ""


class Routing(NamedTuple):
    """All routes, and what stood in the way of others."""

    routes: tuple[Route, ...] = ()
    names: Mapping[str, Route] = {}
    """Further server name → where all of it leads."""
    troubles: tuple[Trouble, ...] = ()


class Known(NamedTuple):
    """What the files say of the site."""

    host: str
    """Where the gateway is."""
    services: Mapping[tuple[str, str], Service]
    """Guest and name → what it serves."""
    network: Network

    def address(self, host: str) -> str | None:
        """Return the address by which the gateway reaches a host; None for one without."""
        if host == self.host:
            return LOOPBACK
        return next(iter(self.network.addresses.get(host, ())), None)


def routing(
    known: Known, declared: Mapping[str, Destination], names: Mapping[str, Destination], *, tokens: bool
) -> Routing:
    """Return the routes of a gateway, the longest paths first."""
    troubles: list[Trouble] = []
    found = {}
    candidates = _candidates(known.services)
    for path in sorted({*candidates, *declared}):
        about = declared.get(path)
        if about is not None and about.off:
            continue
        chosen = about or _chosen(path, candidates[path], declared, known, troubles)
        at = ("routes", path) if path in declared else ("routes",)
        route = _route(path, chosen, known, at, troubles) if chosen else None
        if route is not None:
            found[path] = route if tokens else route._replace(open=True)
    by_name = {}
    for name, destination in names.items():
        route = None if destination.off else _route("/", destination, known, ("names", name), troubles)
        if route is not None:
            by_name[name] = route if tokens else route._replace(open=True)
    ordered = sorted(found.values(), key=lambda route: (-len(route.path), route.path))
    return Routing(tuple(ordered), by_name, tuple(troubles))


def _candidates(services: Mapping[tuple[str, str], Service]) -> dict[str, list[str]]:
    """Path → the services (`GUEST/NAME`) that would answer there."""
    found: dict[str, list[str]] = {}
    for (guest, name), service in services.items():
        own = (_closed(service.prefix),) if service.prefix else ()
        for path in OF_ROLE.get(service.role, own):
            found.setdefault(path, []).append(f"{guest}/{name}")
    if MODELS not in found and EMBEDDINGS in found:
        found[MODELS] = list(found[EMBEDDINGS])
    return found


def _closed(prefix: str) -> str:
    return f"/{prefix.strip('/')}/" if prefix.strip("/") else "/"


def _chosen(
    path: str,
    candidates: list[str],
    declared: Mapping[str, Destination],
    known: Known,
    troubles: list[Trouble],
) -> Destination | None:
    """Return which of several is meant: the only one, or that of the path which this one follows."""
    if len(candidates) == 1:
        return Destination(service=candidates[0])
    leaders = [declared[leader] for leader in FOLLOW.get(path, ()) if leader in declared]
    for led in leaders:
        if led.service is not None and _named(led.service, known, path, []) in candidates:
            return led.model_copy(update={"check": None})
    if leaders or path not in FOLLOW:  # otherwise it is said of the one that it follows
        said = f"`{path}` could lead to {_listed(candidates)}"
        hint = f"say which: `routes: {{{path}: {{service: {candidates[0]}}}}}`, or `{{off: true}}`"
        troubles.append(Trouble(("routes",), said, hint))
    return None


def _named(wanted: str, known: Known, path: str, troubles: list[str]) -> str | None:
    """Return the full name of the service that is meant; notes why there is none."""
    guest, _, name = wanted.partition("/")
    of_guest = [found for found in known.services if found[0] == guest]
    if (guest, name) in known.services:
        return wanted
    if not name and len(of_guest) == 1:
        return "/".join(of_guest[0])
    if not name and of_guest:
        troubles.append(f"`{guest}` serves {_listed(['/'.join(one) for one in of_guest])}")
    else:
        troubles.append(f"`{path}`: nothing called `{wanted}` is served")
    return None


def _listed(names: Iterable[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} or {last}" if first else last


def _route(
    path: str, about: Destination, known: Known, at: tuple[str, ...], troubles: list[Trouble]
) -> Route | None:
    said: list[str] = []
    service, backend = None, None
    if about.service is not None:
        name = _named(about.service, known, path, said)
        if name is not None:
            guest, _, short = name.partition("/")
            service = known.services[guest, short]
            backend = _of_service(name, guest, service, known, said)
        at = (*at, "service") if at[-1] != "routes" else at
    else:
        backend = _of_url(about.url or "", known, said)
        at = (*at, "url")
    if backend is None:
        served = ", ".join("/".join(one) for one in known.services)
        hint = f"served on this site: {served}" if served and about.service is not None else ""
        troubles += [Trouble(at, words, hint) for words in said]
        return None
    strip = path.endswith("/") if about.strip is None else about.strip
    open_ = service is not None and service.role == "web" if about.open is None else about.open
    more = (about.max_body, about.read_seconds, about.check)
    return Route(path, backend, strip and path != "/", open_, service, *more)


def _of_service(name: str, guest: str, service: Service, known: Known, said: list[str]) -> Backend | None:
    address = known.address(guest)
    if address is None:
        said.append(f"`{guest}` has no static address by which a gateway could reach `{name}`")
        return None
    return Backend(name, address, service.port, service.scheme)


def _of_url(url: str, known: Known, said: list[str]) -> Backend | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        said.append(f"`{url}` is no URL")
        return None
    address = known.address(host) or (host if _is_address(host) else None)
    if address is None:
        said.append(
            f"`{host}` has no static address"
            if host in known.network.addresses
            else f"there is no guest or node `{host}`: name one, or its address"
        )
        return None
    return Backend(f"{host}:{port}", address, port, parts.scheme, parts.path.rstrip("/"))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def reached(declared: Iterable[Destination]) -> Iterator[tuple[str, int]]:
    """Yield host and port of declared URLs: whom a gateway connects to beside all services."""
    for destination in declared:
        if destination.url is None:
            continue
        try:
            parts = urlsplit(destination.url)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except ValueError:
            continue
        yield parts.hostname or "", port
