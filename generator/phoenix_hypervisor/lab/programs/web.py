"""A small HTTP server for the programs of the lab: threads, answers that stream, nothing else.

It imports as little as it can (http.server alone would cost 40 ms), because each connection starts
the programs of all guests anew.
"""

import _thread
import json
import os
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import packets

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently",
    302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 411: "Length Required",
    413: "Request Entity Too Large", 415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Time-out",
}  # fmt: skip
HEAD = 64 << 10
BODY = 64 << 20
READY = "PHOENIX_LAB_READY"
Headers = list[tuple[str, str]]


class Request(NamedTuple):
    """What somebody asked."""

    method: str
    target: str
    headers: Headers
    body: bytes
    client: str = ""

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark."""
        pairs = (part.partition("=") for part in self.target.partition("?")[2].split("&") if part)
        return {key: value for key, _, value in pairs}

    def header(self, name: str) -> str:
        """The first header of that name; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body or b"null")


class Reply(NamedTuple):
    """What is answered; a body in parts is sent part by part."""

    status: int
    body: bytes | Iterable[bytes] = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class BadRequestError(Exception):
    """What came is no request; the status to refuse it with."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or REASONS[status])
        self.status = status


Answer = Callable[[Request], Reply]


def said(status: int, told: Any) -> Reply:
    """Answer with JSON."""
    return Reply(status, compact(told))


def compact(told: Any) -> bytes:
    """Return JSON as servers write it: without spaces."""
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def listen(host: str, port: int, *, later: bool = False) -> socket.socket:
    """Take an address; LATER: without answering there yet. Raises OSError, as for one that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        packets.guard(taken)
        if not later:
            taken.listen(128)
    except OSError:
        taken.close()
        raise
    return taken


def serve(taken: socket.socket, answer: Answer, *, log: Callable[[Request, int], None] | None = None) -> None:
    """Answer for ever."""
    taken.listen(128)
    while True:
        connection, address = taken.accept()
        _thread.start_new_thread(_converse, (connection, str(address[0]), answer, log))


def ready() -> None:
    """Tell who started us that arguments are good and addresses are ours."""
    number = os.environ.pop(READY, "")
    if number.isdecimal():
        os.write(int(number), b"r")
        os.close(int(number))


def _converse(connection: socket.socket, client: str, answer: Answer, log: Any) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        while True:
            try:
                request = read_request(stream, connection)
            except BadRequestError as error:
                send(connection, "GET", said(error.status, {"detail": str(error)}), last=True)
                return
            if request is None:
                return
            request = request._replace(client=client)
            try:
                reply = answer(request)
            except Exception as error:  # a server does not end because of one request
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                reply = said(500, {"detail": "Internal Server Error"})
            last = request.header("Connection").lower() == "close"
            if log:
                log(request, reply.status)
            send(connection, request.method, reply, last=last)
            if last:
                return
    except OSError:
        return  # whoever asked has gone
    finally:
        connection.close()


def read_request(stream: Any, connection: socket.socket | None = None) -> Request | None:
    """Read one request; None at the end. Raises BadRequestError."""
    line = stream.readline(HEAD)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400)
    headers = read_headers(stream)
    request = Request(words[0], words[1], headers, b"")
    if connection and request.header("Expect").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return request._replace(body=read_body(stream, request))


def read_headers(stream: Any) -> Headers:
    """Read header lines up to the empty one. Raises BadRequestError."""
    headers: Headers = []
    size = 0
    while (line := stream.readline(HEAD)).strip():
        size += len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if size > HEAD:
            raise BadRequestError(431)
        if not colon or not name.strip():
            raise BadRequestError(400)
        headers.append((name.strip(), value.strip()))
    return headers


def read_body(stream: Any, request: Request) -> bytes:
    """Read what comes behind the headers. Raises BadRequestError."""
    if "chunked" in request.header("Transfer-Encoding").lower():
        return b"".join(chunks(stream))
    length = request.header("Content-Length") or "0"
    if not length.isdecimal():
        raise BadRequestError(400)
    if int(length) > BODY:
        raise BadRequestError(413)
    body: bytes = stream.read(int(length))
    return body


def chunks(stream: Any) -> Iterable[bytes]:
    """Yield the parts of a body that comes in chunks."""
    while size := int(stream.readline(100).partition(b";")[0] or b"0", 16):
        yield stream.read(size)
        stream.readline(10)
    while stream.readline(HEAD).strip():
        pass


def send(connection: socket.socket, method: str, reply: Reply, *, last: bool = False) -> None:
    """Send an answer; the parts of one that streams each as soon as they are there."""
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    whole = reply.body if isinstance(reply.body, bytes) else None
    if reply.kind:
        lines.append(f"Content-Type: {reply.kind}")
    if whole is not None:
        lines += [] if reply.status in (204, 304) else [f"Content-Length: {len(whole)}"]
    else:
        lines.append("Transfer-Encoding: chunked")
    lines += ["Connection: close"] if last else []
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    connection.sendall(head + (whole if whole and method != "HEAD" else b""))
    if whole is None and method != "HEAD":
        for part in reply.body:
            if part:
                assert isinstance(part, bytes)
                connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        connection.sendall(b"0\r\n\r\n")


def event(told: Any) -> bytes:
    """Return one event of a stream of events."""
    return b"data: " + (told.encode() if isinstance(told, str) else compact(told)) + b"\n\n"


def unquoted(text: str) -> str:
    """Return a part of a path with %41 and its like resolved."""
    parts = text.encode().split(b"%")
    return b"".join([parts[0], *(bytes.fromhex(p[:2].decode()) + p[2:] for p in parts[1:])]).decode()
