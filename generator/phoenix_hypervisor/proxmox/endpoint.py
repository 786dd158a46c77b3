"""Where a Proxmox API is, how it is known to be the right one, and the token it is read with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import PhoenixError, UsageError
from ..secrets import Secret

PORT = 8006
_TOKEN = re.compile(r"[^\s@!:/]+@[A-Za-z][A-Za-z0-9._-]*![A-Za-z][A-Za-z0-9._-]+")
_FINGERPRINT = re.compile(r"[0-9A-F]{64}")


class Endpoint(NamedTuple):
    """An API that may be asked."""

    host: str
    port: int
    token_id: str
    """`user@realm!name`."""
    token: Secret
    ca_file: Path | None = None
    """Whose certificates are believed; the system's authorities without this and a fingerprint."""
    fingerprint: str = ""
    """SHA-256 of the one certificate that is believed: 64 hexadecimal digits."""

    @property
    def url(self) -> str:
        """Its address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


def endpoint(
    url: str, token_id: str, token: Secret, ca_file: Path | None = None, fingerprint: str = ""
) -> Endpoint:
    """Return an endpoint from what a person wrote. Raises UsageError, PhoenixError for a missing CA file."""
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        host, port = parts.hostname or "", parts.port or PORT
    except ValueError as error:
        raise UsageError(f"`{url}` is no address of an API: {error}") from error
    if parts.scheme != "https" or not host or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError(f"`{url}` is no address of an API", hint=f"one like https://pve1.example.org:{PORT}")
    if not _TOKEN.fullmatch(token_id):
        raise UsageError(f"`{token_id}` names no API token", hint="one like phoenix@pve!look")
    digits = fingerprint.replace(":", "").upper()
    if fingerprint and not _FINGERPRINT.fullmatch(digits):
        raise UsageError(
            f"`{fingerprint}` is no fingerprint",
            hint="the SHA-256 of the certificate, as `pvenode cert info` prints it: 64 hexadecimal digits",
        )
    if fingerprint and ca_file:
        raise UsageError("a fingerprint and a CA file are two ways to know a server: give one of them")
    if ca_file and not ca_file.is_file():
        raise PhoenixError(f"there is no CA file {ca_file}", hint="of a node: /etc/pve/pve-root-ca.pem")
    return Endpoint(host, port, token_id, token, ca_file, digits)
