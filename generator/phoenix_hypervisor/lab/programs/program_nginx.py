"""nginx where the machine has none: tries its files as nginx does, and serves what they say on real sockets.

Known are the directives of nginx_files.py. SIGHUP takes in a new configuration; requests go on meanwhile.
"""

import _thread
import contextlib
import os
import signal
import socket
import ssl
import sys
from typing import Any

import web
from nginx_files import EmergError, NotSimulatedError, Row, load
from nginx_front import Front, Tunnel, port_of

VERSION = "nginx/1.26.3"
MAIN = "/etc/nginx/nginx.conf"
EVERYWHERE = "0.0.0.0"  # noqa: S104
FLAGS = frozenset("tTqvV")
VALUED = frozenset("cgsp")


def main(argv: list[str]) -> int:
    flags, told = _options(argv)
    if flags is None:
        return 1
    if flags & {"v", "V"}:
        print(f"nginx version: {VERSION}", file=sys.stderr)
        return 0
    path = told.get("c", MAIN)
    try:
        front, contexts = configuration(path)
    except NotSimulatedError as error:
        print(f"nginx: not simulated: {error}", file=sys.stderr)
        return 70
    except EmergError as error:
        print(f"nginx: [emerg] {error}", file=sys.stderr)
        if flags & {"t", "T"}:
            print(f"nginx: configuration file {path} test failed", file=sys.stderr)
        return 1
    if flags & {"t", "T"}:
        if "q" not in flags:
            print(f"nginx: the configuration file {path} syntax is ok", file=sys.stderr)
            print(f"nginx: configuration file {path} test is successful", file=sys.stderr)
        return 0
    if "s" in told or "daemon off" not in told.get("g", ""):
        print(f"nginx: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    return _serve(path, front, contexts)


def configuration(path: str) -> tuple[Front, dict[int, ssl.SSLContext | None]]:
    """Read a main file and what it names. Raises EmergError, NotSimulatedError."""
    rows = load(path)
    front = Front([row for one in rows if one.name == "http" for row in one.block or []])
    return front, _checked(front)


def _options(argv: list[str]) -> tuple[set[str] | None, dict[str, str]]:
    flags: set[str] = set()
    told: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        sign = word[1:2]
        if word.startswith("-") and sign in FLAGS and len(word) == 2:
            flags.add(sign)
        elif word.startswith("-") and sign in VALUED and (word[2:] or rest):
            told[sign] = word[2:] or rest.pop(0)
        else:
            print(f'nginx: invalid option: "{word.lstrip("-")}"', file=sys.stderr)
            return None, {}
    return flags, told


def _checked(front: Front) -> dict[int, ssl.SSLContext | None]:
    """Look at what files name: certificates, names of one port. Returns port → how it is encrypted."""
    found: dict[int, ssl.SSLContext | None] = {}
    defaults: set[int] = set()
    for server in front.servers:
        place = {row.name: row for row in server}
        for listen in [row for row in server if row.name == "listen"]:
            port = port_of(listen)
            if "default_server" in listen.words and not listen.words[0].startswith("["):
                if port in defaults:
                    raise EmergError(f"a duplicate default server for 0.0.0.0:{port}{listen.at}")
                defaults.add(port)
            if "ssl" in listen.words:
                found[port] = found.get(port) or _context(place)
            else:
                found.setdefault(port, None)
    return found


def _context(place: dict[str, Row]) -> ssl.SSLContext:
    if "ssl_certificate" not in place:
        raise EmergError('no "ssl_certificate" is defined for the "listen ... ssl" directive')
    certificate, key = (place[name].words[0] for name in ("ssl_certificate", "ssl_certificate_key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if "TLSv1.2" not in place["ssl_protocols"].words:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    for what, path in (("certificate", certificate), ("certificate key", key)):
        if not os.path.exists(path):
            raise EmergError(
                f'cannot load {what} "{path}": BIO_new_file() failed (No such file or directory)'
            )
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise EmergError(f'SSL_CTX_use_PrivateKey("{key}") failed: {error}') from None
    return context


class Server:
    """What listens, by the configuration that holds now."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.front = Front([])
        self.contexts: dict[int, ssl.SSLContext | None] = {}
        self.taken: dict[tuple[str, int], socket.socket] = {}

    def take(self, front: Front, contexts: dict[int, ssl.SSLContext | None]) -> None:
        """Work by this configuration from now on. Raises OSError if an address is somebody else's."""
        wanted = addresses(front)
        new: dict[tuple[str, int], socket.socket] = {}
        try:
            for place in wanted - self.taken.keys():
                new[place] = web.listen(*place)
        except OSError:
            for one in new.values():
                one.close()
            raise
        self.front, self.contexts = front, contexts
        for place in self.taken.keys() - wanted:
            self.taken.pop(place).close()
        self.taken |= new
        for (_, port), one in new.items():
            _thread.start_new_thread(self._accept, (one, port))

    def read_anew(self) -> None:
        """Do what SIGHUP says; with files that are no good, or a port that is taken, all stays as it is."""
        try:
            self.take(*configuration(self.path))
            return
        except (EmergError, NotSimulatedError) as error:
            said = str(error)
        except OSError as error:
            said = f"bind() failed ({error.errno}: {error.strerror})"
        print(f"nginx: [emerg] {said}", file=sys.stderr, flush=True)

    def _accept(self, taken: socket.socket, port: int) -> None:
        while True:
            try:
                connection, address = taken.accept()
            except OSError:
                return  # it is no longer listened here
            _thread.start_new_thread(self._converse, (connection, str(address[0]), port))

    def _converse(self, plain: socket.socket, client: str, port: int) -> None:
        try:
            context = self.contexts.get(port)
            connection = context.wrap_socket(plain, server_side=True) if context else plain
            stream = connection.makefile("rb")
            while (request := _read(stream, connection)) is not None:
                scheme = "https" if context else "http"
                answer = self.front.answer(request._replace(client=client), port, scheme)
                if isinstance(answer, Tunnel):
                    connection.sendall(answer.head)
                    _join(connection, answer.backend)
                    return
                last = request.header("Connection").lower() == "close"
                web.send(connection, request.method, answer, last=last)
                if last:
                    return
        except OSError:
            return  # whoever asked has gone
        finally:
            plain.close()


def addresses(front: Front) -> set[tuple[str, int]]:
    """Return where a configuration listens: host and port. What has a port everywhere has it nowhere else."""
    found: dict[int, set[str]] = {}
    for row in (row for server in front.servers for row in server if row.name == "listen"):
        host = row.words[0].rpartition(":")[0]
        if not host.startswith("["):
            found.setdefault(port_of(row), set()).add(host if host and host != "*" else EVERYWHERE)
    return {
        (host, port)
        for port, hosts in found.items()
        for host in ({EVERYWHERE} if EVERYWHERE in hosts else hosts)
    }


def _serve(path: str, front: Front, contexts: dict[int, ssl.SSLContext | None]) -> int:
    server = Server(path)
    signals = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        server.take(front, contexts)
    except OSError as error:
        print(f"nginx: [emerg] bind() failed ({error.errno}: {error.strerror})", file=sys.stderr)
        return 1
    web.ready()
    while signal.sigwait(signals) == signal.SIGHUP:
        server.read_anew()
    return 0


def _read(stream: Any, connection: socket.socket) -> web.Request | None:
    try:
        return web.read_request(stream, connection)
    except web.BadRequestError as error:
        web.send(connection, "GET", web.said(error.status, {"error": str(error)}), last=True)
        return None


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either says, until one of them ends."""

    def pour(source: socket.socket, into: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                into.sendall(part)
        for end in (source, into):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    _thread.start_new_thread(pour, (one, other))
    pour(other, one)
