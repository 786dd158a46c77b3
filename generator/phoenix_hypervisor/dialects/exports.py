"""NFS exports: the files exports(5) describes, and what `exportfs -s` prints. Both in one canonical form.

A client's options are written out in full and sorted, because the same export may be written in
many ways: `rw` alone means `hide,no_all_squash,no_subtree_check,root_squash,rw,sec=sys,secure,sync,wdelay`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

Table = Mapping[str, Mapping[str, str]]
"""path → client → options, canonical."""

_CHOICES = (
    ("ro", "rw"),
    ("sync", "async"),
    ("wdelay", "no_wdelay"),
    ("hide", "nohide"),
    ("no_subtree_check", "subtree_check"),
    ("secure", "insecure"),
    ("root_squash", "no_root_squash"),
    ("no_all_squash", "all_squash"),
)
"""Pairs of opposite options, the default first."""
_EXTRA = re.compile(
    r"crossmnt|nocrossmnt|no_acl|acl|mountpoint|mp|pnfs|no_pnfs|security_label|insecure_locks|secure_locks"
    r"|nordirplus|(fsid|anonuid|anongid|mountpoint|mp|refer|reexport|replicas|sec|xprtsec)=[^\s(),\"#\\]+"
)
_SYNONYMS = {"no_auth_nlm": "insecure_locks", "auth_nlm": "secure_locks"}
_QUIET = frozenset({"nocrossmnt", "acl", "no_pnfs", "secure_locks", "anonuid=65534", "anongid=65534"})
_FIELD = re.compile(r'"(?P<quoted>[^"]*)"(?P<tail>\S*)|(?P<plain>\S+)')


def options(words: Iterable[str]) -> str:
    """Return a client's options in canonical form. Raises ValueError for a word exports(5) does not know."""
    known = {word for pair in _CHOICES for word in pair} | _SYNONYMS.keys()
    written = list(words)
    for word in written:
        if word not in known and not _EXTRA.fullmatch(word):
            raise ValueError(f"`{word}` is not an option of exports(5)")
    return canonical(written)


def canonical(words: Iterable[str]) -> str:
    """Return options as others may have written them in canonical form; unknown words are kept."""
    chosen: dict[tuple[str, str] | str, str] = {pair: pair[0] for pair in _CHOICES}
    chosen["sec"] = "sec=sys"
    for written in words:
        word = _SYNONYMS.get(written, written)
        pair = next((pair for pair in _CHOICES if word in pair), None)
        if pair:
            chosen[pair] = word
        elif word not in _QUIET:
            chosen[word.partition("=")[0]] = word
    return ",".join(sorted(chosen.values()))


@cache
def parse(text: str) -> Table:
    """Read exports(5) text, or the output of `exportfs -s`. A client without options gets the defaults."""
    table: dict[str, dict[str, str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        fields = [found["quoted"] + found["tail"] if found["quoted"] is not None else found["plain"]
                  for found in _FIELD.finditer(line.partition("#")[0])]  # fmt: skip
        if not fields:
            continue
        clients = table.setdefault(_unescape(fields[0]), {})
        for client, words in _clients(fields[1:]):
            clients[client] = canonical(words)
    return table


def _clients(fields: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
    default: list[str] = []
    for field in fields:
        if field.startswith("-"):
            default = field[1:].split(",")
            continue
        client, _, words = field.partition("(")
        yield client or "*", [*default, *(word for word in words.rstrip(")").split(",") if word)]


@cache
def files(text: str) -> Mapping[str, Table]:
    """Read `grep -H '' FILE…` over several exports files into file → table."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, content = line.partition(":")
        lines.setdefault(name, []).append(content)
    return {name: parse("\n".join(content)) for name, content in lines.items()}


def quoted(path: str) -> str:
    """Return a path as exports(5) wants it: blanks, quotes and backslashes as octal."""
    return "".join(char if char.isprintable() and char not in ' "#\\' else _octal(char) for char in path)


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in char.encode())


def _unescape(path: str) -> str:
    written = path.encode(errors="surrogateescape")
    raw = re.sub(rb"\\([0-3][0-7]{2})", lambda found: bytes([int(found[1], 8)]), written)
    return raw.decode(errors="surrogateescape")


def slug(path: str) -> str:
    """Return a file name for a path, different for different paths: `/a/b-c` is `a.b-c`."""
    from urllib.parse import quote

    return ".".join(quote(part, safe="").replace(".", "%2E") for part in path.strip("/").split("/"))


def covers(clients: Iterable[str], address: str) -> bool:
    """Tell whether an IPv4 or IPv6 address is among clients given as `*`, addresses or networks."""
    import ipaddress

    for client in clients:
        if client == "*":
            return True
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(client, strict=False):
                return True
        except ValueError:
            continue  # a host name or a netgroup: the server resolves those
    return False
