"""The gateway: nginx in front of all services."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from ..containers.samples import around_a_guest
from ..dialects.nginx_conf import literal, word
from ..fields import AbsolutePath, Size
from ..firewall.ports import FACT, NOTHING, PORT, REACHES, Network, Port, Reach
from ..gateway import certificate, conf, probing, samples
from ..gateway.routes import LOOPBACK, Known, Route, Routing, Trouble, reached, routing
from ..gateway.settings import (
    HEALTH,
    Client,
    Destination,
    PortNumber,
    RateLimit,
    RoutePath,
    ServerName,
    Status,
    Tls,
)
from ..resource import (
    EVERY,
    PENDING_FOLDER,
    Artifact,
    Change,
    Effect,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    made,
    reload,
    script,
)
from ..secrets import Encoded, Secret, Text
from ..services import NGINX_NUMBERS, SERVICE

LINK = "/etc/nginx/conf.d/phoenix-gateway.conf"
"""Our file, as nginx finds it: a link to the file in the set that holds."""
SETS = "/etc/nginx/phoenix-gateway.sets"
OWN_CERTIFICATE = "/etc/nginx/phoenix-gateway.tls/self-signed.pem"
"""Certificate and key in one file, so that they change at once."""
WAITING = f"{PENDING_FOLDER}/nginx"
"""Our note that nginx has not yet been told of a change."""
DEFAULT_SITE = "/etc/nginx/sites-enabled/default"
TAKEN_AWAY = made("nginx_gateway", "default-site")
"""Our note that it was us who switched the distribution's own site off."""
END = "-- the set ends here --\n"
"""Sent behind the files: a connection that breaks must not leave half a set."""
CONTENT, TOKENS, CERTIFICATE, KEY = "gateway.conf", "tokens.map", "tls.crt", "tls.key"
SAID_ONLY = frozenset({"parses", "certificate"})
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class NginxGateway(Kind):
    """nginx as the way in to all services of the site, in files of our own beside those of others.

    Routes follow from the services that are declared anywhere on the site: chat and completions, embeddings,
    `/v1/models`, `/qdrant/`, `/ollama/`, web applications at their own prefix. Where several would answer at
    a path, `routes` says which; it also adds, changes and takes away routes. `names` gives a whole server
    name to one backend. Whatever else is asked gets 404, and all errors of the gateway's own are JSON.

    nginx must take the new files together with all others before they take their place, all at once; it is
    reloaded, not restarted. Tokens and keys lie in a folder that only root may enter, and travel on stdin.
    Sites of others are left alone; the distribution's own is switched off with `replace_default_site` only,
    and comes back when the gateway goes. The package is for `apt_package` to declare.
    """

    singleton: ClassVar[bool] = True
    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"probe_seconds", "notice_days", "clients"})

    server_names: tuple[ServerName, ...] = ()
    """Names for which it answers; without any, those that no other site has."""
    replace_default_site: StrictBool = False
    """Answer for every name, in the place of the distribution's own site."""
    port: PortNumber | None = 80
    """Without TLS; null: not at all."""
    tls_port: PortNumber = 443
    tls: Tls | None = None
    routes: dict[RoutePath, Destination] = Field(default_factory=dict)
    names: dict[ServerName, Destination] = Field(default_factory=dict)
    tokens: dict[Word, Secret] = Field(default_factory=dict)
    """Who may come in → their token, `Authorization: Bearer …`; without any, whoever reaches it."""
    clients: tuple[Client, ...] | None = None
    """Whom the firewall lets in; without it, `expose` says so."""
    max_body: Size = 64 * 2**20
    read_seconds: Annotated[StrictInt, Field(ge=1, le=86400)] = 3600
    """How long a backend may be silent."""
    rate_limit: RateLimit | None = None
    status: Status | None = Field(default_factory=Status)
    log: AbsolutePath = "/var/log/nginx/phoenix-gateway.log"
    """The access log, a JSON document a line."""
    notice_days: Annotated[StrictInt, Field(ge=1, le=365)] = 21
    """A certificate with fewer days left is told of."""
    probe_seconds: Annotated[StrictInt, Field(ge=1, le=240)] = 60
    """How long a route may take to answer when it is tried."""

    @model_validator(mode="after")
    def _is_reached(self) -> "NginxGateway":
        if self.present and not (self.server_names or self.names or self.replace_default_site):
            raise ValueError("needs `server_names`, or `replace_default_site: true` to answer for every name")
        if self.port is None and self.tls is None:
            raise ValueError("without `port` it needs `tls`: there is nothing else to listen on")
        ports = [self.port, self.tls_port if self.tls else None, self.status.port if self.status else None]
        used = [port for port in ports if port is not None]
        if len(set(used)) < len(used):
            raise ValueError("`port`, `tls_port` and `status` need a port each")
        literal(self.log)
        return self

    # What it is made of

    @property
    def network(self) -> Network:
        """What the files say of all hosts."""
        return next((given.value for given in self.given(FACT[0])), NOTHING)

    @property
    def routing(self) -> Routing:
        """Its routes, from what is declared here and on the whole site."""
        layers = {given.value.name for given in self.given("guest") if given.value.layer}
        services = {
            (given.ref.host, given.ref.name): given.value
            for given in self.given(SERVICE)
            if given.ref is not None and given.ref.host not in layers
        }
        known = Known(self.name, dict(sorted(services.items())), self.network)
        found = routing(known, self.routes, self.names, tokens=bool(self.tokens))
        unknown = [one for one in self.status.clients if not self._of(one)] if self.status else []
        troubles = [
            Trouble(("status", "clients"), f"`{one}` has no address that nginx could know", "name it by one")
            for one in unknown
        ]
        return found._replace(troubles=(*found.troubles, *troubles))

    def _of(self, client: str) -> tuple[str, ...]:
        if client == "any":
            return ("all",)
        plain = (client,) if set(client) <= set("0123456789abcdef.:/") else ()
        return self.network.addresses.get(client, plain)

    @property
    def front(self) -> conf.Front:
        """All that its configuration says."""
        return conf.Front(
            self.routing,
            self.server_names,
            default=self.replace_default_site,
            port=self.port,
            tls=self._encryption,
            tokens=bool(self.tokens),
            max_body=self.max_body,
            read_seconds=self.read_seconds,
            rate_limit=self.rate_limit,
            status=self._numbers,
            log=self.log,
        )

    @property
    def _numbers(self) -> conf.Numbers | None:
        if self.status is None:
            return None
        return conf.Numbers(self.status.port, tuple(a for one in self.status.clients for a in self._of(one)))

    @property
    def _encryption(self) -> conf.Encryption | None:
        tls = self.tls
        if tls is None:
            return None
        places = (f"{conf.FOLDER}/{CERTIFICATE}", f"{conf.FOLDER}/{KEY}")
        if tls.self_signed_days is not None:
            places = (OWN_CERTIFICATE, OWN_CERTIFICATE)
        elif tls.certificate_file is not None and tls.key_file is not None:
            places = (tls.certificate_file, tls.key_file)
        return conf.Encryption(self.tls_port, *places, tls.min_version, tls.redirect, tls.hsts_seconds)

    @property
    def certificate_path(self) -> str:
        """Where its certificate is; empty without TLS."""
        return self._encryption.certificate if self._encryption else ""

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What the certificate must be good for."""
        return (*self.server_names, *self.names) or (self.name,)

    @property
    def subject_names(self) -> str:
        """The same, as openssl takes it."""
        return certificate.subject_names(self.certificate_names)

    @property
    def files(self) -> dict[str, Text]:
        """The set of files: name → content, in which secrets stay names until they are sent."""
        found = {CONTENT: Text(conf.text(self.front))}
        if self.tokens:
            parts = [part for name, token in self.tokens.items() for part in _row(name, token)]
            found[TOKENS] = Text(conf.HEAD, *parts)
        if self.tls is not None and self.tls.certificate is not None and self.tls.key is not None:
            found[CERTIFICATE] = Text(self.tls.certificate, "\n")
            found[KEY] = Text(self.tls.key, "\n")
        return found

    # What the scripts are told

    link: ClassVar[str] = LINK
    folder: ClassVar[str] = conf.FOLDER
    sets: ClassVar[str] = SETS
    own_certificate: ClassVar[str] = OWN_CERTIFICATE
    taken_away: ClassVar[str] = TAKEN_AWAY
    waiting: ClassVar[str] = WAITING

    @property
    def own_days(self) -> int:
        """How long a certificate of our own holds; 0 where there is to be none."""
        return (self.tls.self_signed_days if self.tls else None) or 0

    # What it has to do with others

    def provides(self) -> Iterable[Offer]:
        for port in filter(None, [self.port, self.tls_port if self.tls else None]):
            yield Offer(PORT, f"{port}/tcp", Port(str(port), "tcp", self.clients))
        if self.status is not None:
            number = str(self.status.port)
            if self.status.clients:
                yield Offer(PORT, f"{number}/tcp", Port(number, "tcp", self.status.clients))
            yield Offer(NGINX_NUMBERS, "url", f"http://{LOOPBACK}:{number}/stub_status")
        yield Offer(REACHES, EVERY, Reach(EVERY))
        for host, port_there in reached([*self.routes.values(), *self.names.values()]):
            yield Offer(REACHES, host, Reach(str(port_there)))

    def consumes(self) -> Iterable[Want]:
        yield Want("package", "nginx", "server_names", "", exact=True, required=False)
        yield Want(*FACT, "routes", "", exact=True, required=False)
        yield Want("guest", EVERY, "routes", "", required=False)
        yield Want(SERVICE, EVERY, "routes", "", required=False, where="site", soft=True)
        if self.tls is not None and self.tls.certificate_file is not None:
            for attribute in ("certificate_file", "key_file"):
                path = getattr(self.tls, attribute)
                yield Want("file", path, f"tls.{attribute}", "", exact=True, required=False)

    # What is done

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(LINK, "gateway.conf.j2", 0o600)
        if self.tokens:
            yield Artifact(f"{conf.FOLDER}/{TOKENS}", "tokens.map.j2", 0o600)
        yield from (PUT, REMOVE)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        own = self.tls is not None and self.tls.self_signed_days is not None
        if "certificate" in change and not own and not change.creates:
            said = f"the certificate in {self.certificate_path}: {change['certificate'].actual}"
            yield Refusal("certificate", f"{said}; bring another one")
        changed = set(change.attributes) - {"loaded", "active", "enabled", *SAID_ONLY}
        if changed or ("certificate" in change and own):
            yield self._put("renew" if "certificate" in change else "keep")
        elif "parses" in change:
            said = f"nginx cannot read its files: {change['parses'].actual}"
            yield Refusal("parses", f"{said}; it goes on with what it has read, and would not start again")
        elif change.attributes.keys() & {"loaded", "active", "enabled"}:
            yield reload("nginx")

    def _put(self, renew: str) -> Step:
        secrets = [
            str(part) for text in self.files.values() for part in text.parts if isinstance(part, Secret)
        ]
        with_ = f" (with {', '.join(secrets)})" if secrets else ""
        parts: list[str | Secret | Encoded] = []
        for name, text in self.files.items():
            parts += [f"file {name}\n", Encoded(text)]
        return Step(
            f"write {LINK}{with_}, once nginx takes it; systemctl reload nginx",
            execute=PUT,
            arguments=("put", renew),
            stdin=Text(*parts, END),
            effect=Effect.RELOAD,
        )

    def heal(self, probe: str) -> Iterator[Step]:
        if probe == "test_serves":  # a backend that does not answer is for its own kind to heal
            yield reload("nginx")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one on a host)
        yield Step(
            f"rm {LINK} and its files; systemctl reload nginx",
            execute=REMOVE,
            effect=Effect.RELOAD,
        )

    # How it is tried

    @property
    def own_urls(self) -> dict[str, str]:
        """Where it listens: port → its own URL there."""
        found = {str(self.port): f"http://{LOOPBACK}:{self.port}"} if self.port is not None else {}
        return found | ({str(self.tls_port): f"https://{LOOPBACK}:{self.tls_port}"} if self.tls else {})

    @property
    def own_name(self) -> str:
        """A name for which it answers."""
        return self.certificate_names[0].replace("*", "any")

    @property
    def health_url(self) -> str:
        """Where it says how it is."""
        return f"{next(iter(self.own_urls.values()))}{HEALTH}"

    @property
    def requests(self) -> list[tuple[Route, probing.Request]]:
        """Each route, with a request that uses it."""
        url = list(self.own_urls.values())[-1]
        asked = [(route, self.own_name, route.path) for route in self.routing.routes]
        asked += [(route, name, name) for name, route in self.routing.names.items() if "*" not in name]
        token = bool(self.tokens)
        return [
            (route, probing.request(route, url, token=token, host=host, label=label))
            for route, host, label in asked
        ]

    @property
    def mark(self) -> str:
        """What the running nginx says of itself when it has read our file."""
        return conf.mark(self.front)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        guest = "129-gateway"
        around: Mapping[str, Any] = around_a_guest(guest, {"apt_package": {"nginx": {}}})
        yield Samples(cls.kind, samples.FIRST, samples.SECOND, around, inside=guest)


PUT = script("nginx_gateway", "put", "put.sh.j2")
REMOVE = script("nginx_gateway", "remove", "remove.sh.j2")


def _row(name: str, token: Secret) -> tuple[str | Secret, ...]:
    """Return the row of nginx's map that knows a token; between \\Q and \\E no sign means anything else."""
    return ('"~^(?i:Bearer) +\\Q', token, f'\\E$" {word(name)};\n')
