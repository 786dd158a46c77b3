"""curl where the machine has none: HTTP requests to what runs in the lab, with the options that takes."""

import http.client
import json
import re
import socket
import sys
import time
import urllib.parse
from typing import Any

import model

SWITCHES = {
    "s": "silent", "S": "show-error", "f": "fail", "i": "include", "I": "head", "k": "insecure",
    "L": "location", "N": "no-buffer", "g": "globoff", "4": "ipv4", "6": "ipv6", "q": "disable",
}  # fmt: skip
VALUED = {
    "o": "output", "w": "write-out", "X": "request", "H": "header", "d": "data", "m": "max-time",
    "K": "config", "A": "user-agent",
}  # fmt: skip
LONG_SWITCHES = frozenset((*SWITCHES.values(), "fail-with-body", "no-progress-meter"))
LONG_VALUED = frozenset((
    *VALUED.values(), "connect-timeout", "data-binary", "data-raw", "json", "url", "retry", "retry-delay",
))  # fmt: skip
REDIRECTS = (301, 302, 303, 307, 308)
Options = dict[str, list[str]]


class CurlError(Exception):
    """What curl says, and its exit status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def main(argv: list[str]) -> int:
    options = _options(argv)
    urls = options.get("url", [])
    if len(urls) != 1:
        print("curl: (2) no URL specified", file=sys.stderr)
        return 2
    try:
        return _ask(urls[0], options)
    except CurlError as error:
        if "silent" not in options or "show-error" in options:
            print(f"curl: ({error.status}) {error.text}", file=sys.stderr)
        if "write-out" in options:
            _write_out(options["write-out"][-1], 0, 0)
        return error.status


def _options(argv: list[str]) -> Options:
    found: Options = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            _long(word[2:], rest, found, argv)
        elif word.startswith("-") and len(word) > 1:
            _short(word[1:], rest, found, argv)
        else:
            found.setdefault("url", []).append(word)
    for place in found.pop("config", []):
        _configured(place, found)
    return found


def _long(name: str, rest: list[str], found: Options, argv: list[str]) -> None:
    if name in LONG_VALUED and rest:
        found.setdefault(name, []).append(rest.pop(0))
    elif name in LONG_SWITCHES:
        found[name] = []
    else:
        model.not_simulated("curl", argv)


def _short(signs: str, rest: list[str], found: Options, argv: list[str]) -> None:
    for number, sign in enumerate(signs):
        if sign in SWITCHES:
            found[SWITCHES[sign]] = []
        elif sign in VALUED and (signs[number + 1 :] or rest):
            found.setdefault(VALUED[sign], []).append(signs[number + 1 :] or rest.pop(0))
            return
        else:
            model.not_simulated("curl", argv)


def _configured(place: str, found: Options) -> None:
    """Read options from a file, `header = "X: y"` in each line; `-` is stdin."""
    text = sys.stdin.read() if place == "-" else _file(place).decode()
    for line in text.splitlines():
        name, _, value = re.split(r"[\s=:]+", line.strip(), maxsplit=1)[0], "", line.partition("=")[2].strip()
        if not name or name.startswith("#"):
            continue
        if name in LONG_VALUED:
            plain = json.loads(value) if value.startswith('"') else value
            found.setdefault(name, []).append(plain)
        elif name in LONG_SWITCHES:
            found[name] = []
        else:
            model.not_simulated("curl", ["--config", line])


def _file(place: str) -> bytes:
    with open(place, "rb") as file:
        return file.read()


def _body(options: Options) -> bytes | None:
    parts = []
    for name in ("data", "data-binary", "data-raw", "json"):
        for text in options.get(name, []):
            if text.startswith("@") and name != "data-raw":
                content = sys.stdin.buffer.read() if text == "@-" else _file(text[1:])
                parts.append(content.replace(b"\n", b"") if name == "data" else content)
            else:
                parts.append(text.encode())
    return b"&".join(parts) if parts else None


def _headers(options: Options, body: bytes | None) -> dict[str, str]:
    found = {"Accept": "*/*", "User-Agent": "curl/8.14.1"}
    if body is not None:
        found["Content-Type"] = (
            "application/json" if "json" in options else "application/x-www-form-urlencoded"
        )
    for line in options.get("header", []):
        name, _, value = line.partition(":")
        found = {key: kept for key, kept in found.items() if key.lower() != name.lower()}
        if value.strip():
            found[name] = value.strip()
    return found


def _ask(url: str, options: Options) -> int:
    """Send the request and write the answer; the exit status. Raises CurlError."""
    scheme, found, rest = url.partition("://")
    scheme, rest = (scheme, rest) if found else ("http", url)
    if scheme not in ("http", "https"):
        raise CurlError(1, f'Protocol "{scheme}" not supported')
    place, slash, path = rest.partition("/")
    host, _, port = place.rpartition(":") if re.search(r":\d+$", place) else (place, "", "")
    number = int(port or (443 if scheme == "https" else 80))
    body = _body(options)
    method = (options.get("request") or [""])[-1] or (
        "HEAD" if "head" in options else "POST" if body else "GET"
    )
    seconds = float((options.get("max-time") or options.get("connect-timeout") or ["300"])[-1])
    start = time.monotonic()
    connection = _connected(scheme, host.strip("[]"), number, seconds, "insecure" in options)
    try:
        connection.request(method, "/" + path if slash else "/", body, _headers(options, body))
        answer = connection.getresponse()
        if "location" in options and answer.status in REDIRECTS and answer.headers["Location"]:
            return _ask(urllib.parse.urljoin(f"{scheme}://{rest}", answer.headers["Location"]), options)
        return _written(answer, options, start + seconds)
    except TimeoutError:
        late = int(1000 * (time.monotonic() - start))
        raise CurlError(28, f"Operation timed out after {late} milliseconds with 0 bytes received") from None
    except http.client.RemoteDisconnected:
        raise CurlError(52, "Empty reply from server") from None
    except (OSError, http.client.HTTPException) as error:
        raise CurlError(56, f"Recv failure: {getattr(error, 'strerror', None) or error}") from None
    finally:
        connection.close()


def _connected(
    scheme: str, host: str, port: int, seconds: float, careless: bool
) -> http.client.HTTPConnection:
    import ssl

    start = time.monotonic()
    made: http.client.HTTPConnection = http.client.HTTPConnection(host, port, timeout=seconds)
    if scheme == "https":
        context = ssl._create_unverified_context() if careless else ssl.create_default_context()  # noqa: S323
        made = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    try:
        made.connect()
    except socket.gaierror:
        raise CurlError(6, f"Could not resolve host: {host}") from None
    except ssl.SSLError as error:
        raise CurlError(60, f"SSL certificate problem: {getattr(error, 'verify_message', error)}") from None
    except OSError:
        took = int(1000 * (time.monotonic() - start))
        said = f"Failed to connect to {host} port {port} after {took} ms: Couldn't connect to server"
        raise CurlError(7, said) from None
    return made


def _written(answer: http.client.HTTPResponse, options: Options, until: float) -> int:
    failed = answer.status >= 400 and bool({"fail", "fail-with-body"} & options.keys())
    size = 0
    if not failed or "fail-with-body" in options:
        target = (options.get("output") or ["-"])[-1]
        with open(sys.stdout.fileno() if target == "-" else target, "wb", closefd=target != "-") as file:
            size = _poured(answer, file, options, until)
    if "write-out" in options:
        _write_out(options["write-out"][-1], answer.status, size)
    if failed:
        if "silent" not in options or "show-error" in options:
            print(f"curl: (22) The requested URL returned error: {answer.status}", file=sys.stderr)
        return 22
    return 0


def _poured(answer: http.client.HTTPResponse, file: Any, options: Options, until: float) -> int:
    """Write an answer as it comes, and return how long it is."""
    size = 0
    if "include" in options or "head" in options:
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.getheaders())
        file.write(f"{head}\r\n".encode("latin-1"))
    while part := answer.read1(65536):
        size += len(part)
        file.write(part)
        file.flush()
        if time.monotonic() > until:
            raise TimeoutError
    return size


def _write_out(form: str, status: int, size: int) -> None:
    known = {"http_code": f"{status:03d}", "response_code": f"{status:03d}", "size_download": str(size)}
    text = re.sub(r"%\{(\w+)\}", lambda found: known.get(found[1], ""), form)
    sys.stdout.write(text.replace("\\n", "\n").replace("\\t", "\t"))
    sys.stdout.flush()
