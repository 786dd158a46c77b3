"""The watcher's metrics over HTTP, for Prometheus to scrape."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from ..errors import PhoenixError

if TYPE_CHECKING:
    from ..observe.metrics import Metrics

SECONDS = 10
"""How long somebody who connects may take to ask."""


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
def serving(metrics: Metrics, address: str, port: int) -> Iterator[int]:
    """Serve metrics while this is open, and yield the port (0: any). Raises PhoenixError."""
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
        server.set_app(make_wsgi_app(registry))
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
