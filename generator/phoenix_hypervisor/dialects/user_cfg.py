"""/etc/pve/user.cfg: users, API tokens, groups, roles and access lists of Proxmox, a record a line.

Fields end with a colon. Free text is percent-encoded, but not the percent sign itself (encode_text of
PVE::Tools, seen on 8.4): what is read is what Proxmox would read. What is of no use here is left out.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

ADMINISTRATOR = "Administrator"
ROOT = "root@pam"
FILE = "/etc/pve/user.cfg"
QUESTION = f"test -d /etc/pve && {{ test ! -e {FILE} || cat {FILE}; }}"
"""How the file is asked for, once for all that is in it; a node where nobody was ever added has none."""
K = TypeVar("K")
V = TypeVar("V")


class User(NamedTuple):
    """A user of a realm; `expire` is a Unix time, 0 for never."""

    enable: bool
    expire: int
    firstname: str
    lastname: str
    email: str
    comment: str


class Token(NamedTuple):
    """An API token of a user, without its value, which lies elsewhere."""

    expire: int
    privsep: bool
    comment: str


class Access(NamedTuple):
    """Somebody at a path: a user, a `@group` or a token."""

    path: str
    who: str


class Config(NamedTuple):
    """The whole file. Roles are those that Proxmox does not bring itself."""

    users: Mapping[str, User]
    tokens: Mapping[str, Token]
    groups: Mapping[str, frozenset[str]]
    roles: Mapping[str, frozenset[str]]
    access: Mapping[Access, Mapping[str, bool]]
    """Who has which roles where, and whether they hold below."""


@cache
def parse(text: str) -> Config:
    """Read the file's text. Lines that are none of ours are skipped, as Proxmox does."""
    found = Config({}, {}, {}, {}, {})
    for line in text.splitlines():
        sort, *fields = line.strip().split(":")
        if sort in _READERS and fields and fields[0]:
            _READERS[sort](found, [*fields, *[""] * 10])
    _of(found.users).setdefault(ROOT, User(True, 0, "", "", "", ""))  # there is always one
    return found


def _user(found: Config, fields: list[str]) -> None:
    name, enable, expire, first, last, email, comment = fields[:7]
    text = (_decoded(word) for word in (first, last, email, comment))
    _of(found.users)[name] = User(enable == "1", _number(expire), *text)


def _token(found: Config, fields: list[str]) -> None:
    name, expire, privsep, comment = fields[:4]
    _of(found.tokens)[name] = Token(_number(expire), privsep == "1", _decoded(comment))


def _group(found: Config, fields: list[str]) -> None:
    _of(found.groups)[fields[0]] = _words(fields[1])


def _role(found: Config, fields: list[str]) -> None:
    _of(found.roles)[fields[0]] = _words(fields[1])


def _acl(found: Config, fields: list[str]) -> None:
    propagate, path, who, roles = fields[:4]
    for one in _words(who):
        there = _of(found.access).setdefault(Access(path, one), {})
        _of(there).update(dict.fromkeys(_words(roles), propagate == "1"))


_READERS = {"user": _user, "token": _token, "group": _group, "role": _role, "acl": _acl}


def free_text(text: str) -> str:
    """Return a text that Proxmox reads back as it was written. Raises ValueError for one that it does not."""
    if any(ord(sign) < 32 for sign in text):
        raise ValueError("must be one line")
    if _decoded(text) != text:
        raise ValueError(
            "must not hold `%` before two hexadecimal digits: Proxmox reads that as one character"
        )
    return text


def groups_of(config: Config, user: str) -> frozenset[str]:
    """Return the groups a user is in."""
    return frozenset(name for name, members in config.groups.items() if user in members)


def administrators(config: Config) -> frozenset[str]:
    """Return the users who may do everything: enabled, and Administrator of `/`. root@pam always is."""
    named = {who.who for who, roles in config.access.items() if who.path == "/" and ADMINISTRATOR in roles}
    return frozenset(
        name
        for name, user in config.users.items()
        if user.enable
        and ({name, *(f"@{group}" for group in groups_of(config, name))} & named or name == ROOT)
    )


def without_access(config: Config, access: Access) -> Config:
    """Return the configuration as it would be if that access list were gone."""
    return config._replace(access={who: roles for who, roles in config.access.items() if who != access})


def without_user(config: Config, name: str) -> Config:
    """Return the configuration as it would be if that user could not log in."""
    return config._replace(users={user: row for user, row in config.users.items() if user != name})


def owner_of(token: str) -> str:
    """Return whose a token is: `dev@pve` of `dev@pve!ci`."""
    return token.rpartition("!")[0]


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.encode(errors="surrogateescape")).decode(errors="replace")


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in text.replace(";", ",").replace(" ", ",").split(",") if word)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _of(mapping: Mapping[K, V]) -> dict[K, V]:
    """The mapping while it is being filled."""
    assert isinstance(mapping, dict)
    return mapping
