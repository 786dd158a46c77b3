"""What nginx is told: one file in its `http` block, whole, with nothing secret in it.

Everything it defines there is called `phoenix_gateway…`, so that it can stand beside sites of others.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from ..dialects.nginx_conf import Directive, d, literal, write
from .replies import BUSY, REFUSED, Reply, answered
from .routes import LOOPBACK, Backend, Route, Routing
from .settings import HEALTH, RateLimit

FOLDER = "/etc/nginx/phoenix-gateway"
"""Where the set of files is that nginx reads: a link, so that a whole set changes at once."""
TOKENS = f"{FOLDER}/tokens.map"
HEAD = "# Written by phoenix: nginx_gateway. Changed by hand, it is written again.\n"
ANSWERS_AS = "X-Gateway-Config"
"""The header of the gateway's own health, which tells the configuration that really runs."""
ID = "$phoenix_gateway_id"
TRACE = "$phoenix_gateway_traceparent"
CLIENT = "$phoenix_gateway_client"
CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
"""Header → what it says where the backend does not say it itself."""
IDLE = "4s"
"""How long a connection to a backend is kept without use: less than the five seconds of uvicorn, as it
may close one in the very moment in which a request is sent."""


class Encryption(NamedTuple):
    """TLS: where the certificate is, and how it is used."""

    port: int
    certificate: str
    key: str
    min_version: str = "1.2"
    redirect: bool = True
    hsts_seconds: int | None = None


class Numbers(NamedTuple):
    """Where nginx tells its own numbers, and to whom beside itself."""

    port: int
    clients: tuple[str, ...] = ()


class Front(NamedTuple):
    """All that a gateway is."""

    routing: Routing
    server_names: tuple[str, ...] = ()
    default: bool = False
    """Whether it answers for all names that nobody else has."""
    port: int | None = 80
    tls: Encryption | None = None
    tokens: bool = False
    max_body: int = 64 * 2**20
    read_seconds: int = 3600
    rate_limit: RateLimit | None = None
    status: Numbers | None = None
    log: str = "/var/log/nginx/phoenix-gateway.log"


def text(front: Front) -> str:
    """Return the file."""
    body = write([*_maps(front), *_upstreams(front.routing), *_servers(front, "@CONFIG@")])
    return HEAD + body.replace("@CONFIG@", mark(front))


def mark(front: Front) -> str:
    """Return what the running configuration calls itself: a digest of the file."""
    body = write([*_maps(front), *_upstreams(front.routing), *_servers(front, "")])
    return sha256(body.encode()).hexdigest()[:12]


def _maps(front: Front) -> Iterator[Directive]:
    # somebody's own request id is passed on, if it is one; otherwise nginx draws one
    yield _map("$http_x_request_id", ID, {"~^[A-Za-z0-9._-]{8,64}$": "$http_x_request_id"}, "$request_id")
    yield from _trace()
    yield _map("$request_uri", "$phoenix_gateway_path", {"~^([^?]*)": "$1"})  # what is asked may be private
    # nobody gets a backend to speak anything else than HTTP or WebSocket
    yield _map("$http_upgrade", "$phoenix_gateway_upgrade", {"~*^websocket$": "websocket"})
    yield _map("$phoenix_gateway_upgrade", "$phoenix_gateway_connection", {"websocket": "upgrade"})
    for name, value in SECURITY.items():
        said = f"$upstream_http_{name.lower().replace('-', '_')}"
        yield _map(said, _own(name), {"": value}, "")
    if front.tokens:
        yield d("map", "$http_authorization", CLIENT, block=[d("default", ""), d("include", TOKENS)])
    else:
        yield _map("$http_authorization", CLIENT, {})
    if front.rate_limit is not None:
        rate = f"rate={front.rate_limit.per_second}r/s"
        yield d("limit_req_zone", "$binary_remote_addr", "zone=phoenix_gateway:10m", rate)
    fields = ", ".join(f'"{name}": "{value}"' for name, value in LOGGED.items())
    yield d("log_format", "phoenix_gateway", "escape=json", f"{{{fields}}}")


def _trace() -> Iterator[Directive]:
    """The trace of a request (https://www.w3.org/TR/trace-context/): a caller's, if it is one, or a new one.

    nginx's own id of a request has the form of a trace's id; half of it serves as that of its span.
    """
    valid = "~^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$"
    yield _map("$request_id", "$phoenix_gateway_span", {"~^(.{16})": "$1"})
    drawn = "00-$request_id-$phoenix_gateway_span-01"
    yield _map("$http_traceparent", TRACE, {valid: "$http_traceparent"}, drawn)
    yield _map("$http_traceparent", "$phoenix_gateway_tracestate", {valid: "$http_tracestate"})
    yield _map(TRACE, "$phoenix_gateway_trace", {"~^00-(.{32})": "$1"})


LOGGED = {
    "time": "$time_iso8601",
    "request_id": ID,
    "trace_id": "$phoenix_gateway_trace",
    "address": "$remote_addr",
    "client": CLIENT,
    "host": "$host",
    "method": "$request_method",
    "path": "$phoenix_gateway_path",
    "protocol": "$server_protocol",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "seconds": "$request_time",
    "route": "$phoenix_gateway_route",
    "backend": "$phoenix_gateway_backend",
    "backend_address": "$upstream_addr",
    "backend_status": "$upstream_status",
    "backend_seconds": "$upstream_response_time",
    "agent": "$http_user_agent",
}
"""Fields of the access log. All are texts: nginx writes `-` for a number that there is not."""


def _own(header: str) -> str:
    return f"$phoenix_gateway_{header.lower().replace('-', '_')}"


def _map(source: str, variable: str, values: dict[str, str], default: str = "") -> Directive:
    rows = [d("default", default), *(d(key, value) for key, value in values.items())]
    return d("map", source, variable, block=rows)


def upstream(backend: Backend) -> str:
    """Return what a backend is called in the file."""
    where = f"{backend.address}_{backend.port}".replace(":", "-")
    return f"phoenix_gateway_{where}"


def _upstreams(routing: Routing) -> Iterator[Directive]:
    backends = {upstream(route.backend): route.backend for route in every_route(routing)}
    for name, backend in sorted(backends.items()):
        kept = [d("keepalive", 32), d("keepalive_timeout", IDLE)]
        yield d("upstream", name, block=[d("server", literal(backend.place)), *kept])


def every_route(routing: Routing) -> Sequence[Route]:
    """Return all routes, those of whole names too."""
    return [*routing.routes, *routing.names.values()]


def _servers(front: Front, config: str) -> Iterator[Directive]:
    paths, names = front.routing.routes, front.routing.names
    all_names = (*front.server_names, *names)
    if front.tls is not None and front.tls.redirect and front.port is not None:
        yield _server(front, all_names, [*_health(config), _redirect(front.tls)], plain_only=True)
        front = front._replace(port=None)
    yield _server(front, front.server_names, _content(front, paths, config))
    for name, route in names.items():
        yield _server(front._replace(default=False), (name,), _content(front, [route], config))
    if front.status is not None:
        yield _status(front.status)


def _server(
    front: Front, names: Sequence[str], content: Sequence[Directive], *, plain_only: bool = False
) -> Directive:
    default = ["default_server"] if front.default else []
    rows = [d("listen", front.port, *default)] if front.port is not None else []
    tls = None if plain_only else front.tls
    if tls is not None:
        rows.append(d("listen", tls.port, "ssl", *default))
    rows.append(d("server_name", *(map(literal, names) if names else ["_"])))
    if tls is not None:
        versions = ["TLSv1.2", "TLSv1.3"][0 if tls.min_version == "1.2" else 1 :]
        rows += [
            d("ssl_certificate", literal(tls.certificate)),
            d("ssl_certificate_key", literal(tls.key)),
            d("ssl_protocols", *versions),
            d("ssl_ciphers", CIPHERS),
            d("ssl_session_cache", "shared:phoenix_gateway_tls:1m"),
            d("ssl_session_tickets", "off"),
        ]
    rows += [
        d("server_tokens", "off"),
        d("absolute_redirect", "off"),
        d("access_log", literal(front.log), "phoenix_gateway"),
        d("set", "$phoenix_gateway_route", ""),
        d("set", "$phoenix_gateway_backend", ""),
        d("set", "$phoenix_gateway_prefix", ""),
        *_headers(None if plain_only else front.tls),
    ]
    return d("server", block=[*rows, *content])


def _headers(tls: Encryption | None) -> Iterator[Directive]:
    """Headers of what a backend answers; those that it says itself are its own matter."""
    yield d("add_header", "X-Request-Id", ID, "always")
    for name in SECURITY:
        yield d("add_header", name, _own(name), "always")
    yield from _hsts(tls)


def _hsts(tls: Encryption | None) -> Iterator[Directive]:
    if tls is not None and tls.hsts_seconds is not None:
        yield d("add_header", "Strict-Transport-Security", f"max-age={tls.hsts_seconds}", "always")


def _health(config: str) -> Iterator[Directive]:
    body = '{"status": "ok"}\n'
    rows = [d("access_log", "off"), d("types", block=[]), d("default_type", "application/json")]
    rows += [d("add_header", ANSWERS_AS, config, "always"), d("return", 200, body)]
    yield d("location", "=", HEALTH, block=rows)


def _redirect(tls: Encryption) -> Directive:
    port = "" if tls.port == 443 else f":{tls.port}"
    return d("location", "/", block=[d("return", 308, f"https://$host{port}$request_uri")])


def _content(front: Front, routes: Sequence[Route], config: str) -> list[Directive]:
    """What a server does with what is asked: the same for all routes first."""
    rows = [
        d("client_max_body_size", front.max_body),
        d("proxy_http_version", "1.1"),
        d("proxy_set_header", "Host", "$http_host"),
        d("proxy_set_header", "X-Real-IP", "$remote_addr"),
        # who comes next is told by us alone: what a client claims to have come through is no fact
        d("proxy_set_header", "X-Forwarded-For", "$remote_addr"),
        d("proxy_set_header", "X-Forwarded-Proto", "$scheme"),
        d("proxy_set_header", "X-Forwarded-Host", "$http_host"),
        d("proxy_set_header", "X-Forwarded-Prefix", "$phoenix_gateway_prefix"),
        d("proxy_set_header", "X-Request-Id", ID),
        d("proxy_set_header", "traceparent", TRACE),
        d("proxy_set_header", "tracestate", "$phoenix_gateway_tracestate"),
        d("proxy_set_header", "Upgrade", "$phoenix_gateway_upgrade"),
        d("proxy_set_header", "Connection", "$phoenix_gateway_connection"),
        d("proxy_hide_header", "X-Request-Id"),
        d("proxy_connect_timeout", "5s"),
        d("proxy_read_timeout", f"{front.read_seconds}s"),
        d("proxy_send_timeout", f"{front.read_seconds}s"),
        d("proxy_buffering", "off"),  # an answer goes on its way as it comes, word by word
        d("proxy_buffer_size", "16k"),
        d("proxy_buffers", 8, "16k"),
        d("proxy_socket_keepalive", "on"),
        d("gzip", "off"),
    ]
    if front.rate_limit is not None:
        rows.append(d("limit_req_status", BUSY))
    rows += [d("error_page", *reply.statuses, "=", f"@{reply.name}") for reply in answered(front.tokens)]
    rows += _health(config)
    rows += [_location(front, route) for route in routes]
    if not any(route.path == "/" for route in routes):
        rows.append(d("location", "/", block=[d("return", 404)]))
    rows += [_reply(reply, front.tls) for reply in answered(front.tokens)]
    return rows


def _location(front: Front, route: Route) -> Directive:
    backend = route.backend
    rows = [
        d("set", "$phoenix_gateway_route", literal(route.path)),
        d("set", "$phoenix_gateway_backend", literal(backend.who)),
    ]
    if front.tokens and not route.open:
        rows.append(d("if", f"({CLIENT}", "=", "", ")", block=[d("return", REFUSED)]))
    if front.rate_limit is not None:
        rows.append(d("limit_req", "zone=phoenix_gateway", f"burst={front.rate_limit.burst}", "nodelay"))
    if route.max_body is not None:
        rows.append(d("client_max_body_size", route.max_body))
    if route.read_seconds is not None:
        rows.append(d("proxy_read_timeout", f"{route.read_seconds}s"))
        rows.append(d("proxy_send_timeout", f"{route.read_seconds}s"))
    target = f"{backend.scheme}://{upstream(backend)}{literal(backend.path)}"
    if route.strip:
        rows.append(d("set", "$phoenix_gateway_prefix", literal(route.path.rstrip("/"))))
        rows.append(d("proxy_redirect", f"{backend.path}/", literal(route.path)))
        target += "/"
    elif backend.path:
        target += literal(route.path)
    if backend.scheme == "https":
        rows += [d("proxy_ssl_server_name", "on")]
    rows.append(d("proxy_pass", target))
    return d("location", *(["="] if route.exact else []), literal(route.path), block=rows)


def _reply(reply: Reply, tls: Encryption | None) -> Directive:
    headers = {"X-Request-Id": ID, "X-Content-Type-Options": "nosniff", **reply.headers}
    rows = [d("types", block=[]), d("default_type", "application/json"), *_hsts(tls)]
    rows += [d("add_header", name, value, "always") for name, value in headers.items()]
    return d("location", f"@{reply.name}", block=[*rows, d("return", reply.status, reply.body)])


def _status(numbers: Numbers) -> Directive:
    rows = [d("listen", numbers.port if numbers.clients else f"{LOOPBACK}:{numbers.port}")]
    rows += [d("server_name", "_"), d("server_tokens", "off"), d("access_log", "off")]
    allowed = [d("allow", LOOPBACK), *(d("allow", one) for one in numbers.clients), d("deny", "all")]
    if "all" in numbers.clients:
        allowed = []
    status = [*allowed, d("stub_status")]
    return d("server", block=[*rows, d("location", "=", "/stub_status", block=status)])
