"""A real nginx of a test's own, with our files in a folder instead of /etc, and small backends."""

import base64
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from phoenix_hypervisor import registry
from phoenix_hypervisor.firewall.ports import FACT, Network
from phoenix_hypervisor.gateway import conf
from phoenix_hypervisor.render import Renderer
from phoenix_hypervisor.resource import CREATE, Given, Kind, Ref
from phoenix_hypervisor.secrets import Secret
from phoenix_hypervisor.services import SERVICE, Service

LONGEST = 60.0
"""Seconds after which what is waited for will not come."""
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAIN = """\
{user}worker_processes 2;
pid {here}/nginx.pid;
error_log {here}/log/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {here}/temp-body;
    proxy_temp_path {here}/temp-proxy;
    fastcgi_temp_path {here}/temp-fastcgi;
    uwsgi_temp_path {here}/temp-uwsgi;
    scgi_temp_path {here}/temp-scgi;
    include {here}/nginx/conf.d/*.conf;
    include {here}/nginx/sites-enabled/*;
}}
"""
NGINX = """\
#!/bin/sh
case " $* " in *" -c "*) exec {real} "$@" ;; esac
exec {real} -c {here}/nginx/nginx.conf "$@"
"""
SYSTEMCTL = """\
#!/bin/sh
for word; do
    case $word in
    enable) exit 0 ;;
    *reload-or-restart) if [ -s {here}/nginx.pid ]; then exec nginx -s reload; else exec nginx; fi ;;
    esac
done
"""


def binary() -> str:
    """Return where nginx is; skips a test, or fails it in CI, where there is none."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there must be an nginx here: it is Debian's package nginx", pytrace=False)
        pytest.skip("no nginx here: it is Debian's package nginx")
    return found


class Values:
    """A store of secrets."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def value(self, name: str) -> bytes:
        return self._values[name].encode()


def gateway(settings: Mapping[str, Any], services: Mapping[str, Service]) -> Kind:
    """Return a gateway before services that are all on this machine: `GUEST/NAME` → what it serves."""
    made = registry.kind("nginx_gateway").model_validate({"name": "gateway", **settings})
    places = {name.partition("/")[0]: ("127.0.0.1",) for name in services}
    offers = []
    for name, service in services.items():
        guest, _, short = name.partition("/")
        offers.append(Given(SERVICE, short, service, Ref(guest, "sample", short)))
    made.bind([Given(*FACT, Network(places), None), *offers])
    return made


class Nginx:
    """It, with its files in a folder."""

    def __init__(self, here: Path) -> None:
        self.here = here
        self.files = here / "nginx"
        for name in ("nginx/conf.d", "nginx/sites-enabled", "nginx/sites-available", "bin", "log"):
            (here / name).mkdir(parents=True)
        told = {"here": here, "real": binary(), "user": "user root;\n" if os.getuid() == 0 else ""}
        (self.files / "nginx.conf").write_text(MAIN.format(**told))
        for name, text in (("nginx", NGINX), ("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\n")):
            (here / "bin" / name).write_text(text.format(**told))
            (here / "bin" / name).chmod(0o755)

    def _here(self, text: str) -> str:
        """A text of ours with this folder in the place of the host's."""
        for theirs, ours in (
            ("/etc/nginx", "nginx"),
            ("/var/lib/phoenix", "phoenix"),
            ("/var/log/nginx", "log"),
        ):
            text = text.replace(theirs, str(self.here / ours))
        return text

    def put(self, made: Kind, verb: str = "keep") -> subprocess.CompletedProcess[str]:
        """Run the script of the step that writes the gateway's files, with what the step gives it."""
        step = next(iter(made.converge(CREATE)))
        script = self.here / "put.sh"
        script.write_text(self._here(Renderer().text("nginx_gateway", step.execute, made)))
        sent = "".join(
            f"file {name}\n{base64.encodebytes(self._here(text.reveal().decode()).encode()).decode()}"
            for name, text in made.files.items()
        )
        return self.run(["sh", str(script), "put", verb], sent + "-- the set ends here --\n")

    def run(self, argv: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        path = f"{self.here}/bin:{os.environ['PATH']}"
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PATH": path},
        )  # fmt: skip

    def runs(self, made: Kind) -> None:
        """Put the files, and wait until it is they that nginx works by."""
        ended = self.put(made)
        assert ended.returncode == 0, ended.stdout + ended.stderr + self.errors()
        port, tls = (made.port, False) if made.port else (made.tls_port, True)
        name = made.certificate_names[0]
        deadline = time.monotonic() + LONGEST
        while True:
            try:
                answer = ask(port, "/healthz", tls=tls, headers={"Host": name})
                if answer.getheader(conf.ANSWERS_AS) == made.mark:
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, self.errors()
            time.sleep(0.01)

    def errors(self) -> str:
        file = self.here / "log/error.log"
        return file.read_text() if file.exists() else ""

    def logged(self, request: str = "") -> list[dict[str, str]]:
        """Return the lines of the access log; waits for that of a request, which comes after its answer."""
        file = self.here / "log/phoenix-gateway.log"
        deadline = time.monotonic() + LONGEST
        while True:
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            if not request or request in {line["request_id"] for line in lines}:
                return lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.01)

    def stop(self) -> None:
        try:
            pid = int((self.here / "nginx.pid").read_text())
        except (OSError, ValueError):
            return
        os.kill(pid, 15)
        deadline = time.monotonic() + LONGEST
        while (self.here / "nginx.pid").exists() and time.monotonic() < deadline:
            time.sleep(0.01)


@contextmanager
def nginx(folder: Path) -> Iterator[Nginx]:
    """Yield an nginx in a folder; it ends with the block."""
    made = Nginx(folder)
    try:
        yield made
    finally:
        made.stop()


class Answer:
    """What came back, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.getheader = response.getheader
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def connect(
    port: int, *, tls: bool = False, context: ssl.SSLContext | None = None
) -> http.client.HTTPConnection:
    """Return a connection to this machine."""
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST)
    if context is None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=LONGEST, context=context)


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    tls: bool = False,
) -> Answer:
    """Ask once, on a connection of its own."""
    connection = connect(port, tls=tls)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


Act = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One connection of a backend."""

    protocol_version = "HTTP/1.1"
    server: "Backend"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), self.body))
        self.server.act(self)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def say(self, status: int, content: Any, **headers: str) -> None:
        """Answer with JSON."""
        text = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text)),
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, text: str) -> None:
        part = text.encode()
        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.flush()

    def upgrade(self) -> None:
        """Agree to speak WebSocket."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Backend(ThreadingHTTPServer):
    """A server that does with each request what the test says."""

    daemon_threads = True

    def __init__(self, act: Act) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.act = act
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        """Method, path, header and body of each request."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def backend(act: Act | None = None) -> Iterator[Backend]:
    """Yield a server that runs; without `act` it tells what it was asked."""
    made = Backend(act or (lambda asked: asked.say(200, {"path": asked.path})))
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def secret(name: str, value: str) -> Secret:
    """Return a secret that has a value."""
    return Secret(name, Values(**{name: value}))  # type: ignore[arg-type]
