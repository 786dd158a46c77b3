"""Certificates: whose they are and how long they hold, read from PEM (RFC 5280) without any tool."""

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----")
_NAME_OF_SUBJECT = bytes.fromhex("550403")
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_UTC_TIME = 0x17
_VERSION, _EXTENSIONS, _DNS, _ADDRESS = 0xA0, 0xA3, 0x82, 0x87


class Certificate(NamedTuple):
    """The first certificate of a file, which is the server's own."""

    begins: datetime
    ends: datetime
    names: frozenset[str]
    """Its alternative names, in small letters: host names and addresses; the common name without any."""
    self_signed: bool

    def covers(self, name: str) -> bool:
        """Whether it is good for a host name or address; `*` stands for one label."""
        asked = name.lower()
        return asked in self.names or f"*.{asked.partition('.')[2]}" in self.names


class _Part(NamedTuple):
    tag: int
    content: bytes


def read(text: str) -> Certificate:
    """Read the first certificate of a PEM file. Raises ValueError for what is none."""
    found = _PEM.search(text)
    if found is None:
        raise ValueError("there is no certificate in PEM form")
    try:
        return _certificate(base64.b64decode("".join(found[1].split()), validate=True))
    except (ValueError, IndexError, KeyError):
        raise ValueError("the certificate cannot be read") from None


def _certificate(der: bytes) -> Certificate:
    (outer,) = _parts(der)
    signed, *_ = _parts(outer.content)
    fields = [part for part in _parts(signed.content) if part.tag != _VERSION]
    _serial, _algorithm, issuer, validity, subject, _key, *rest = fields
    begins, ends = (_time(part) for part in _parts(validity.content))
    names = frozenset(name for part in rest if part.tag == _EXTENSIONS for name in _alternative(part))
    return Certificate(begins, ends, names or frozenset(_subject_name(subject)), issuer == subject)


def _parts(der: bytes) -> list[_Part]:
    """The values that follow each other in a piece of DER."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        if at + length > len(der):
            raise ValueError("it ends too early")
        found.append(_Part(tag, der[at : at + length]))
        at += length
    return found


def _time(part: _Part) -> datetime:
    text = part.content.decode("ascii")
    if part.tag == _UTC_TIME:  # two digits: up to 49 they are of this century
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _subject_name(subject: _Part) -> Iterator[str]:
    for group in _parts(subject.content):
        for pair in _parts(group.content):
            kind, value = _parts(pair.content)
            if kind.content == _NAME_OF_SUBJECT:
                yield value.content.decode("utf-8").lower()


def _alternative(extensions: _Part) -> Iterator[str]:
    (sequence,) = _parts(extensions.content)
    for extension in _parts(sequence.content):
        kind, *_, value = _parts(extension.content)
        if kind.content != _ALTERNATIVE_NAMES:
            continue
        (names,) = _parts(value.content)
        for name in _parts(names.content):
            if name.tag == _DNS:
                yield name.content.decode("ascii").lower()
            elif name.tag == _ADDRESS:
                yield str(ip_address(name.content))
