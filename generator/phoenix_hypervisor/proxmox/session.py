"""HTTPS for proxmoxer: one connection to a server that has proven who it is, and GET alone.

proxmoxer's own backend takes certificates as they come unless told otherwise, follows redirects and reads
the environment; this one does none of that. The token goes out after the server's certificate has been
checked, and to nobody else.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlencode, urlsplit

from ..errors import HostError
from ..secrets import Text
from .endpoint import Endpoint

SECONDS = 30.0
MOST_BYTES = 64 * 2**20


class Response(NamedTuple):
    """What proxmoxer wants to know of an answer."""

    status_code: int
    reason: str
    content: bytes

    @property
    def text(self) -> str:
        """The answer as text."""
        return self.content.decode(errors="replace")


class Serializer:
    """What proxmoxer reads answers with. The API sends UTF-8."""

    def loads(self, response: Response) -> Any:
        """Return the data of an answer. Raises ValueError when it has none."""
        try:
            return json.loads(response.content)["data"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError("it does not answer as Proxmox's API does") from error

    def loads_errors(self, response: Response) -> Any:
        """Return what is wrong with which parameter, where the answer says so."""
        try:
            return json.loads(response.content).get("errors")
        except (ValueError, AttributeError, RecursionError):
            return None


class Session:
    """A connection that is opened with the first question, and again when the server has closed it."""

    def __init__(self, to: Endpoint) -> None:
        self._to = to
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, method: str, url: str, data: Any = None, params: Any = None) -> Response:
        """Ask. Raises HostError when the server cannot be reached, or is not the one that is meant."""
        if method != "GET" or data:
            raise AssertionError(f"{method} {url}: the API is only read")
        parts = urlsplit(url)
        target = f"{parts.path}?{urlencode(params)}" if params else parts.path
        for again in (True, False):
            connection, fresh = self._connection, False
            if connection is None:
                connection, fresh = self._open(), True
            try:
                connection.request("GET", target, headers=self._headers())
                answer = connection.getresponse()
                content = answer.read(MOST_BYTES + 1)
            except (http.client.HTTPException, OSError) as error:
                self.close()
                if again and not fresh and not isinstance(error, TimeoutError):
                    continue  # the server closes connections on which nothing happens
                raise HostError(f"{self._to.url}: {_said(error)}") from error
            if len(content) > MOST_BYTES:
                self.close()
                raise HostError(f"{self._to.url}: the answer to {target} is too large")
            return Response(answer.status, answer.reason, content)
        raise AssertionError("the second try ends the loop")

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _headers(self) -> dict[str, str]:
        words = Text("PVEAPIToken=", self._to.token_id, "=", self._to.token)
        value = words.reveal().decode("ascii", errors="replace").strip()
        if "\ufffd" in value or not value.isprintable():
            raise HostError(f"the value of the token {self._to.token_id} is none: it has strange characters")
        return {"Authorization": value, "Accept": "application/json"}

    def _open(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._to.host, self._to.port, timeout=SECONDS, context=_context(self._to)
        )
        try:
            connection.connect()
            self._check_fingerprint(connection)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            self._say_unknown(error)
        except OSError as error:
            connection.close()
            raise HostError(f"{self._to.url}: {_said(error)}") from error
        except HostError:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _check_fingerprint(self, connection: http.client.HTTPSConnection) -> None:
        if not self._to.fingerprint:
            return
        assert isinstance(connection.sock, ssl.SSLSocket)
        there = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b"").hexdigest().upper()
        if not hmac.compare_digest(there, self._to.fingerprint):
            raise HostError(
                f"{self._to.url}: its certificate has another fingerprint: {_with_colons(there)}",
                hint="compare it with what `pvenode cert info` says on the node; it may have been renewed",
            )

    def _say_unknown(self, error: ssl.SSLCertVerificationError) -> NoReturn:
        """Say that the certificate is none of those we know, and what would make it one."""
        raise HostError(
            f"{self._to.url}: its certificate is not trusted: {error.verify_message}",
            hint="give the node's /etc/pve/pve-root-ca.pem as CA file (--ca-file, `ca_file`), or the SHA-256 "
            "fingerprint that `pvenode cert info` prints on it (--fingerprint, `fingerprint`)",
        ) from error


def _context(to: Endpoint) -> ssl.SSLContext:
    if not to.fingerprint:
        try:
            context = ssl.create_default_context(cafile=str(to.ca_file) if to.ca_file else None)
        except (ssl.SSLError, OSError) as error:
            raise HostError(f"{to.ca_file} cannot be read as certificates: {_said(error)}") from error
        # Python 3.13 began to want extensions that certificates of a node's own CA need not have
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # one certificate is believed, whoever has signed it: it is compared before anything is sent
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _with_colons(digits: str) -> str:
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {SECONDS:g} s"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return str(error) or type(error).__name__
