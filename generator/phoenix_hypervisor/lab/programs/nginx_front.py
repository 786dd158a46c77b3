"""What the lab's nginx does with a request: finds its place, answers, or passes it on and the answer back."""

import json
import os
import re
import socket
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import web
from nginx_files import Row
from nginx_values import Values, holds, size
from web import Reply, Request

OWN_PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HOP = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length")
)


class StatusError(Exception):
    """A status that nginx itself gives."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Tunnel(NamedTuple):
    """A connection that speaks another protocol from now on."""

    head: bytes
    backend: socket.socket


class Place(NamedTuple):
    """Where a request is: the rows around it, the innermost first."""

    levels: tuple[list[Row], ...]

    def all(self, name: str) -> list[Row]:
        """The rows of a directive: those of the innermost level that has any."""
        for level in self.levels:
            found = [row for row in level if row.name == name]
            if found:
                return found
        return []

    def one(self, name: str, default: str = "") -> str:
        found = self.all(name)
        return found[-1].words[0] if found else default


class Front:
    """One configuration."""

    def __init__(self, http: list[Row]) -> None:
        self.http = http
        self.maps = {row.words[1][1:]: row for row in http if row.name == "map"}
        self.upstreams = {row.words[0]: row.block or [] for row in http if row.name == "upstream"}
        self.formats = {row.words[0]: row.words[1:] for row in http if row.name == "log_format"}
        self.servers = [row.block or [] for row in http if row.name == "server"]
        self._asked: dict[str, tuple[float, float]] = {}
        self.total = 0

    def server(self, port: int, host: str) -> list[Row]:
        """Return the server of a port that has a name; otherwise the default one."""
        there = [
            one for one in self.servers if any(port_of(row) == port for row in one if row.name == "listen")
        ]
        name = host.lower().partition(":")[0] if not host.startswith("[") else host.lower()
        for one in there:
            names = {word for row in one if row.name == "server_name" for word in row.words}
            if name in names or f"*.{name.partition('.')[2]}" in names:
                return one
        return next((one for one in there if _is_default(one, port)), there[0])

    def answer(self, request: Request, port: int, scheme: str) -> Reply | Tunnel:
        self.total += 1
        server = self.server(port, request.header("Host"))
        values = Values(request, scheme, self.maps)
        place = Place((_location(server, request.path), server, self.http))
        try:
            reply: Reply | Tunnel = self._do(place, values)
        except StatusError as error:
            reply = self._page(place, server, values, error.status)
        if isinstance(reply, Reply):
            self._log(place, values, reply)
        return reply

    def _page(self, place: Place, server: list[Row], values: Values, status: int) -> Reply:
        """Answer an error as `error_page` says, or with nginx's own page."""
        for row in place.all("error_page"):
            if str(status) in row.words and row.words[-1].startswith("@"):
                named = next(r for r in server if r.name == "location" and r.words == (row.words[-1],))
                return self._finished(Place((named.block or [], server, self.http)), values)
        return Reply(status, OWN_PAGE.format(f"{status} {web.REASONS.get(status, '')}").encode(), "text/html")

    def _finished(self, place: Place, values: Values) -> Reply:
        reply = self._do(place, values, named=True)
        assert isinstance(reply, Reply)
        return reply

    def _do(self, place: Place, values: Values, *, named: bool = False) -> Reply | Tunnel:
        request = values.request
        levels = place.levels[:1] if named else reversed(place.levels[:2])
        for row in [row for level in levels for row in level]:
            done = self._rewritten(row, place, values)
            if done is not None:
                return done
        if len(request.body) > size(place.one("client_max_body_size", "1m")):
            raise StatusError(413)
        self._limited(place, values)
        _allowed(place, request.client)
        inner = place.levels[0]
        if any(row.name == "stub_status" for row in inner):
            total = " ".join([str(self.total)] * 3)
            text = f"Active connections: 1 \nserver accepts handled requests\n {total} \n"
            return Reply(200, (text + "Reading: 0 Writing: 1 Waiting: 0 \n").encode(), "text/plain")
        passed = next((row for row in inner if row.name == "proxy_pass"), None)
        if passed is not None:
            return self._passed_on(passed.words[0], place, values)
        return _file(place, request)

    def _rewritten(self, row: Row, place: Place, values: Values) -> Reply | None:
        if row.name == "set":
            values.own[row.words[0][1:]] = values.text(row.words[1])
        elif row.name == "return":
            return _returned(row, place, values)
        elif row.name == "if" and holds(row.words, values):
            for below in row.block or []:
                done = self._rewritten(below, place, values)
                if done is not None:
                    return done
        return None

    def _limited(self, place: Place, values: Values) -> None:
        """The bucket of `limit_req`: so many a second, and `burst` more at once."""
        for row in place.all("limit_req"):
            told = dict(word.partition("=")[::2] for word in row.words)
            zone = next(
                r for r in self.http if r.name == "limit_req_zone" and f"={told['zone']}:" in r.words[1]
            )
            rate = float(zone.words[2].removeprefix("rate=").partition("r/")[0])
            key, now = values.text(zone.words[0]), time.time()
            excess, last = self._asked.get(key, (0.0, now))
            excess = max(0.0, excess - (now - last) * rate) + (1.0 if key in self._asked else 0.0)
            if excess > float(told.get("burst", "0")):
                raise StatusError(int(place.one("limit_req_status", "503")))
            self._asked[key] = (excess, now)

    def _passed_on(self, target: str, place: Place, values: Values) -> Reply | Tunnel:
        request = values.request
        scheme, _, rest = target.partition("://")
        name, slash, path = rest.partition("/")
        place_of = next((row.words[0] for row in self.upstreams.get(name, []) if row.name == "server"), name)
        location = place.one("\0path")
        uri = request.target
        if slash:
            uri = f"/{path}" + request.target[len(location) :]
        values.own |= {"upstream_addr": place_of, "upstream_status": "502"}
        headers = [(row.words[0], values.text(row.words[1])) for row in place.all("proxy_set_header")]
        said = {key.lower() for key, _ in headers}
        headers += [pair for pair in request.headers if pair[0].lower() not in said | HOP]
        upgrading = any(key.lower() == "upgrade" and value for key, value in headers)
        if request.body or request.header("Content-Length"):
            headers.append(("Content-Length", str(len(request.body))))
        head = "".join(f"{key}: {value}\r\n" for key, value in headers if value)
        connection = _connected(place_of, scheme, place)
        try:
            connection.sendall(
                f"{request.method} {uri} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + request.body
            )
            return self._come_back(connection, place, values, upgrading)
        except TimeoutError:
            raise StatusError(504) from None
        except (OSError, ValueError, web.BadRequestError):
            raise StatusError(502) from None

    def _come_back(
        self, connection: socket.socket, place: Place, values: Values, upgrading: bool
    ) -> Reply | Tunnel:
        stream = connection.makefile("rb", 0 if upgrading else -1)
        status = 100
        while status == 100:
            words = stream.readline(65536).split()
            if len(words) < 2:
                raise ValueError("no answer")
            status, headers = int(words[1]), web.read_headers(stream)
        values.own["upstream_status"] = str(status)
        values.answered = {key.lower(): value for key, value in headers}
        if status == 101:
            head = "".join(f"{key}: {value}\r\n" for key, value in headers)
            return Tunnel(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode("latin-1"), connection)
        hidden = {row.words[0].lower() for row in place.all("proxy_hide_header")} | HOP
        kept = [(key, _redirected(key, value, place)) for key, value in headers if key.lower() not in hidden]
        body: bytes | Iterable[bytes] = b""
        if values.request.method != "HEAD" and status not in (204, 304):
            body = _body(stream, values.answered)
        return Reply(status, body, "", (*kept, *_added(place, values, status)))

    def _log(self, place: Place, values: Values, reply: Reply) -> None:
        length = str(len(reply.body)) if isinstance(reply.body, bytes) else "0"
        values.own |= {"status": str(reply.status), "body_bytes_sent": length}
        for row in place.all("access_log"):
            if row.words[0] == "off":
                continue
            form = self.formats.get(
                row.words[1] if len(row.words) > 1 else "", ('$remote_addr "$uri" $status',)
            )
            text = "".join(word for word in form if not word.startswith("escape="))
            line = _escaped(text, values) if "escape=json" in form else values.text(text)
            try:
                with open(row.words[0], "a", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError:
                pass  # nginx complains in its other log, and goes on


def _escaped(text: str, values: Values) -> str:
    return re.sub(r"\$\w+", lambda found: json.dumps(values.text(found[0]))[1:-1], text)


def port_of(listen: Row) -> int:
    """Return the port of a `listen`."""
    last = listen.words[0].rpartition(":")[2]
    return int(last) if last.isdecimal() else 80


def _is_default(server: list[Row], port: int) -> bool:
    return any(
        row.name == "listen" and port_of(row) == port and "default_server" in row.words for row in server
    )


def _location(server: list[Row], path: str) -> list[Row]:
    """Return the rows of the location that a path is in; the longest prefix, if none is exact."""
    best, longest = [], -1
    for row in server:
        if row.name != "location" or row.words[0].startswith("@"):
            continue
        own, words = row.words[-1], row.words
        below = [*(row.block or []), Row("\0path", (own,), "")]
        if words[0] == "=" and own == path:
            return below
        if words[0] != "=" and path.startswith(own) and len(own) > longest:
            best, longest = below, len(own)
    return best


def _returned(row: Row, place: Place, values: Values) -> Reply:
    status = int(row.words[0])
    if len(row.words) == 1 and status >= 400:
        raise StatusError(status)
    text = values.text(row.words[1]) if len(row.words) > 1 else ""
    headers = _added(place, values, status)
    if 300 <= status < 400:
        page = OWN_PAGE.format(f"{status} {web.REASONS.get(status, '')}").encode()
        return Reply(status, page, "text/html", (("Location", text), *headers))
    return Reply(status, text.encode(), place.one("default_type", "text/plain"), headers)


def _added(place: Place, values: Values, status: int) -> tuple[tuple[str, str], ...]:
    usual = status in (200, 201, 204, 206, 301, 302, 303, 304, 307, 308)
    rows = [row for row in place.all("add_header") if usual or "always" in row.words[2:]]
    found = [(row.words[0], values.text(row.words[1])) for row in rows]
    return tuple(pair for pair in found if pair[1])


def _redirected(key: str, value: str, place: Place) -> str:
    for row in place.all("proxy_redirect") if key.lower() == "location" else ():
        if len(row.words) == 2 and value.startswith(row.words[0]):
            return row.words[1] + value[len(row.words[0]) :]
    return value


def _allowed(place: Place, client: str) -> None:
    import ipaddress

    rows = [row for row in place.levels[0] if row.name in ("allow", "deny")]
    for row in rows:
        fits = row.words[0] == "all" or ipaddress.ip_address(client) in ipaddress.ip_network(
            row.words[0], strict=False
        )
        if fits and row.name == "deny":
            raise StatusError(403)
        if fits:
            return


def _connected(where: str, scheme: str, place: Place) -> socket.socket:
    host, _, port = where.rpartition(":")
    try:
        made = socket.create_connection((host.strip("[]"), int(port)), 5)
    except TimeoutError:
        raise StatusError(504) from None
    except (OSError, ValueError):
        raise StatusError(502) from None
    made.settimeout(float(place.one("proxy_read_timeout", "60s").removesuffix("s")))
    if scheme == "https":
        import ssl

        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(made)
    return made


def _body(stream: Any, headers: dict[str, str]) -> bytes | Iterable[bytes]:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return web.chunks(stream)
    if "content-length" in headers:
        whole: bytes = stream.read(int(headers["content-length"]))
        return whole
    return iter(lambda: stream.read1(65536), b"")


def _file(place: Place, request: Request) -> Reply:
    """Serve a file below `root`, as the distribution's own site does."""
    root = place.one("root")
    names = [word for row in place.all("index") for word in row.words] if request.path.endswith("/") else [""]
    for name in names if root and ".." not in request.path else ():
        path = root + request.path + name
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return Reply(
                    200, file.read(), "text/html" if path.endswith("html") else "application/octet-stream"
                )
    raise StatusError(404)
