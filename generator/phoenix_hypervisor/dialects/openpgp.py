"""OpenPGP public keys in ASCII armour, looked into as far as needed to know whose they are (RFC 9580)."""

import base64
import binascii
import hashlib
import re

_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*?\r?\n(?P<body>[A-Za-z0-9+/=\s]+)"
    r"-----END PGP PUBLIC KEY BLOCK-----"
)
_PUBLIC_KEY = 6
"""The tag of the packet that holds the primary key; it comes first."""


def fingerprint(armoured: str) -> str:
    """Return the primary key's fingerprint in upper-case hex. Raises ValueError for what is no public key."""
    found = _ARMOUR.fullmatch(armoured.strip())
    if not found:
        raise ValueError("is not a PGP public key block")
    # a line that begins with `=` is the checksum of the armour
    lines = [line.strip() for line in found["body"].split("\n") if not line.startswith("=")]
    try:
        packet = _first_packet(base64.b64decode("".join(lines), validate=True))
    except (binascii.Error, IndexError) as error:
        raise ValueError("is not a whole PGP public key block") from error
    if packet[:1] == b"\4":
        framed = b"\x99" + len(packet).to_bytes(2, "big") + packet
        return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()
    if packet[:1] == b"\6":
        framed = b"\x9b" + len(packet).to_bytes(4, "big") + packet
        return hashlib.sha256(framed).hexdigest().upper()
    raise ValueError("is not a key of a version that is known here (4 or 6)")


def _first_packet(data: bytes) -> bytes:
    """Return the body of the first packet, which must be a public key."""
    head = data[0]
    tag = head & 0x3F if head & 0x40 else (head & 0x3C) >> 2
    if not head & 0x80 or tag != _PUBLIC_KEY:
        raise ValueError("does not begin with a public key")
    start, length = _new_length(data) if head & 0x40 else _old_length(data)
    body = data[start : start + length]
    if len(body) < length:
        raise IndexError("cut short")
    return body


def _new_length(data: bytes) -> tuple[int, int]:
    first = data[1]
    if first < 192:
        return 2, first
    if first < 224:
        return 3, ((first - 192) << 8) + data[2] + 192
    return 6, int.from_bytes(data[2:6], "big")


def _old_length(data: bytes) -> tuple[int, int]:
    size = (1, 2, 4)[data[0] & 3]
    return 1 + size, int.from_bytes(data[1 : 1 + size], "big")
