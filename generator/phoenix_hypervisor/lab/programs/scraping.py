"""Asking for metrics as Prometheus does, and what it says when that fails: as Go's HTTP client does."""

import re
import socket
import time
from typing import Any, NamedTuple

CONNECTS = 2.0
"""Seconds to wait for a connection: nobody is far away, and what a firewall drops is not answered."""
WORDS = {111: "connection refused", 113: "no route to host", 101: "network is unreachable"}
SAMPLE = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? +\S+( +-?\d+)?")


class Scraped(NamedTuple):
    """What came of it."""

    error: str
    seconds: float
    body: bytes = b""

    @property
    def health(self) -> str:
        return "down" if self.error else "up"


def scrape(url: str, timeout: float) -> Scraped:
    """Ask one address once."""
    begun = time.monotonic()
    try:
        status, body = get(url, timeout)
    except TimeoutError:
        return Scraped(f'Get "{url}": context deadline exceeded', time.monotonic() - begun)
    except OSError as error:
        place = _place(url)
        said = WORDS.get(error.errno or 0, str(error.strerror or error).lower())
        return Scraped(f'Get "{url}": dial tcp {place}: connect: {said}', time.monotonic() - begun)
    except ValueError as error:
        return Scraped(f'Get "{url}": {error}', time.monotonic() - begun)
    seconds = time.monotonic() - begun
    if status[:3] != "200":
        return Scraped(f"server returned HTTP status {status}", seconds)
    wrong = next((line for line in body.splitlines() if not _is_metric(line)), None)
    if wrong is not None:
        return Scraped(f"expected value after metric, got {wrong[:20].decode(errors='replace')!r}", seconds)
    return Scraped("", seconds, body)


def get(url: str, timeout: float) -> tuple[str, bytes]:
    """Return status (`200 OK`) and body of an address. Raises OSError, and ValueError for no HTTP."""
    if not url.startswith("http://"):
        raise ValueError(f"not simulated: {url}")
    place, _, path = url.removeprefix("http://").partition("/")
    host, _, port = place.rpartition(":")
    end = time.monotonic() + timeout
    with socket.create_connection((host.strip("[]"), int(port)), min(timeout, CONNECTS)) as connection:
        connection.settimeout(timeout)
        head = f"GET /{path} HTTP/1.1\r\nHost: {place}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
            if time.monotonic() > end:
                raise TimeoutError
    first, _, rest = answer.partition(b"\r\n")
    headers, _, body = rest.partition(b"\r\n\r\n")
    words = first.decode("latin-1").split(" ", 1)
    if len(words) != 2 or not words[0].startswith("HTTP/1."):
        raise ValueError("malformed HTTP response")
    if b"transfer-encoding: chunked" in headers.lower():
        body = _whole(body)
    return words[1], body


def _whole(body: bytes) -> bytes:
    """Return a body that came in chunks."""
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        if not length:
            break
        found, body = found + rest[:length], rest[length + 2 :]
    return found


def _is_metric(line: bytes) -> bool:
    return not line.strip() or line.startswith(b"#") or SAMPLE.fullmatch(line) is not None


def _place(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def exposed(rows: Any) -> bytes:
    """Return metrics as they are told: rows of name, sort and samples (labels → number)."""
    lines = []
    for name, sort, samples in rows:
        lines.append(f"# TYPE {name} {sort}")
        for labels, number in samples.items():
            lines.append(f"{name}{{{labels}}} {number}" if labels else f"{name} {number}")
    return ("\n".join(lines) + "\n").encode()


METRICS = "text/plain; version=0.0.4; charset=utf-8"
