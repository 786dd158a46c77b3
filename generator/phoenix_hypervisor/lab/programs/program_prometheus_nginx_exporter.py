"""prometheus-nginx-exporter: what nginx says of itself at its stub_status, as metrics."""

import re
import sys

import flags
import scraping
import web
from web import Reply, Request

NAME = "prometheus-nginx-exporter"
VALUED = ("web.listen-address", "web.telemetry-path", "nginx.scrape-uri", "nginx.timeout", "nginx.retries",
          "nginx.retry-interval", "prometheus.const-labels")  # fmt: skip
SWITCHES = ("nginx.plus", "nginx.ssl-verify")
STATUS = re.compile(
    rb"Active connections: (\d+) \nserver accepts handled requests\n (\d+) (\d+) (\d+) \n"
    rb"Reading: (\d+) Writing: (\d+) Waiting: (\d+) ?\n"
)
NUMBERS = (
    ("nginx_connections_active", "gauge"), ("nginx_connections_accepted", "counter"),
    ("nginx_connections_handled", "counter"), ("nginx_http_requests_total", "counter"),
    ("nginx_connections_reading", "gauge"), ("nginx_connections_writing", "gauge"),
    ("nginx_connections_waiting", "gauge"),
)  # fmt: skip
TIMEOUT = 5.0


def main(argv: list[str]) -> int:
    try:
        told = flags.parse(argv, VALUED, SWITCHES)
        taken = web.listen(*flags.address(told.get("web.listen-address", ":9113")))
    except flags.WrongError as error:
        flags.refuse(NAME, error, ", try --help")
        return 1
    except OSError as error:
        print(f"listen tcp: bind: {str(error.strerror).lower()}", file=sys.stderr)
        return 1
    source = told.get("nginx.scrape-uri", "http://127.0.0.1:8080/stub_status")
    path = told.get("web.telemetry-path", "/metrics")

    def answer(request: Request) -> Reply:
        if request.path != path:
            return Reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
        return Reply(200, scraping.exposed(_rows(source)), scraping.METRICS)

    web.ready()
    web.serve(taken, answer)
    return 0


def _rows(source: str) -> list[tuple[str, str, dict[str, float]]]:
    """What nginx says now; that it says nothing is a number of its own."""
    try:
        status, body = scraping.get(source, TIMEOUT)
    except (OSError, ValueError) as error:
        print(f"Error getting stats: failed to get {source}: {error}", file=sys.stderr, flush=True)
        return [("nginx_up", "gauge", {"": 0})]
    found = STATUS.fullmatch(body) if status.startswith("200") else None
    if found is None:
        print(f"Error getting stats: expected 200 response, got {status[:3]}", file=sys.stderr, flush=True)
        return [("nginx_up", "gauge", {"": 0})]
    rows = [
        (name, sort, {"": float(value)}) for (name, sort), value in zip(NUMBERS, found.groups(), strict=True)
    ]
    return [*rows, ("nginx_up", "gauge", {"": 1})]
