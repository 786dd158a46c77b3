"""The watcher over HTTP: metrics for Prometheus to scrape, and the report for a browser."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from ..errors import PhoenixError

if TYPE_CHECKING:
    from ..observe.metrics import Metrics
    from .latest import Page

SECONDS = 10
"""How long somebody who connects may take to ask."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}
"""What goes with the report: nothing in it may run or ask anybody, whatever a resource is called."""

Environ = dict[str, Any]
Answer = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, *_words: object) -> None:
        """Say nothing of who connects and does not ask, or goes away before the answer."""


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Asked(WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, *_words: object) -> None:
        """Say nothing of a scrape."""


@contextmanager
def serving(
    metrics: Metrics, address: str, port: int, page: Page | None = None, *, everyone: bool = False
) -> Iterator[int]:
    """Serve metrics while this is open, and yield the port (0: any). Raises PhoenixError.

    `page` is served as well: to this machine alone, unless `everyone` may see it.
    """
    from prometheus_client import CollectorRegistry, make_wsgi_app

    registry = CollectorRegistry()
    registry.register(metrics)
    server_class = _ServerV6 if ":" in address else _Server
    try:
        server = server_class((address, port), _Asked)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no address"
        said = f"cannot serve metrics on {address} port {port}: {why}"
        hint = "another one: `phoenix watch --metrics-port N`, or `metrics_port` in configs/site.yaml"
        raise PhoenixError(said, hint=hint) from error
    with server:
        server.set_app(_answering(make_wsgi_app(registry), page, everyone=everyone))
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _answering(metrics: Answer, page: Page | None, *, everyone: bool) -> Answer:
    def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start)
        status, text, sort = "404 Not Found", "there are /metrics and the report, /\n", "plain"
        if page is not None and environ["PATH_INFO"] in ("/", "/report"):
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                status, text = "405 Method Not Allowed", "the report can be read, and no more\n"
            elif everyone or _from_here(environ):
                status, text, sort = _report(page)
            else:
                status = "403 Forbidden"
                text = "the report is for the machine that watches, unless `report_to: everyone` is set\n"
        body = text.encode()
        headers = {"Content-Type": f"text/{sort}; charset=utf-8", "Content-Length": str(len(body))}
        start(status, [*(headers | HEADERS).items()])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return answer


def _report(page: Page) -> tuple[str, str, str]:
    """Status, text and sort of text of the report as it is now."""
    try:
        text = page.html()
    except PhoenixError as error:
        return "500 Internal Server Error", f"the report cannot be made: {error.message}\n", "plain"
    if not text:
        return "503 Service Unavailable", "no node has been looked at yet: ask again in a moment\n", "plain"
    return "200 OK", text, "html"


def _from_here(environ: Environ) -> bool:
    """Whether a browser of this machine asks, under a name that means this machine.

    The name is looked at because any site may give a name of its own this machine's address, and let a
    browser here read what it finds.
    """
    host = str(environ.get("HTTP_HOST", ""))
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return _loops(str(environ["REMOTE_ADDR"])) and (name == "localhost" or _loops(name.strip("[]")))


def _loops(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
