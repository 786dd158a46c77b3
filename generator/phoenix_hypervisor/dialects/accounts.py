"""Accounts as /etc/passwd, /etc/group and /etc/shadow have them. Of a hash, only its sort is read."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

CUT = "--"
QUESTION = f"""\
set -e
cat /etc/passwd
echo {CUT}
cat /etc/group
echo {CUT}
awk -F: '{{
    sort = "set"
    if ($2 == "") sort = "empty"
    else if ($2 ~ /^[!*]+$/) sort = "none"
    else if ($2 ~ /^!/) sort = "locked"
    print $1 ":" sort ":" $8
}}' /etc/shadow
echo {CUT}
printf '%s\\n' "${{SUDO_USER:-$(id -un)}}" "${{SSH_CONNECTION-}}"
"""
"""One question for all accounts. Of a password leaves only whether there is one, and of us who we are."""


class Account(NamedTuple):
    """One account; `password` is `set`, `none`, `empty` or `locked` (there is one, and it does not count)."""

    uid: int
    group: str
    groups: frozenset[str]
    comment: str
    home: str
    shell: str
    password: str
    expires: str
    """The day after which it is no account any more: `2030-01-31`, or `never`."""


class Accounts(NamedTuple):
    """All accounts of a host, and as whom we came, if by ssh."""

    found: Mapping[str, Account]
    me: str
    """As whom we are logged in by ssh, empty when we came another way."""
    address: str
    """From where, as the host sees it."""


@cache
def parse(text: str) -> Accounts:
    """Read the answer to the question."""
    passwd, group, shadow, us = (_rows(part) for part in f"\n{text}".split(f"\n{CUT}"))
    names = {row[2]: row[0] for row in group if len(row) > 3}
    members = {row[0]: row[3].split(",") for row in group if len(row) > 3}
    secret = {row[0]: row[1:] for row in shadow if len(row) > 2}
    found = {}
    for row in (row for row in passwd if len(row) > 6):
        name, _, uid, gid, comment, home, shell = row[:7]
        sort, days = secret.get(name, ["none", ""])
        more = frozenset(other for other, listed in members.items() if name in listed)
        own = names.get(gid, gid)
        found[name] = Account(int(uid), own, more, comment, home, shell, sort, _day(days))
    lines = [":".join(row) for row in us]
    me, connection = (*lines, "", "")[:2]
    return Accounts(found, me if connection else "", connection.split(" ")[0])


def _rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line]


def _day(days: str) -> str:
    """Shadow counts days since 1970; no number is no end."""
    if not (days.isascii() and days.isdigit()):
        return "never"
    # years that begin in March: their leap day is the last one, and months follow one rule
    era, day = divmod(int(days) + 719468, 146097)
    year_of_era = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year_of_era + year_of_era // 4 - year_of_era // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month += 3 if month < 10 else -9
    return f"{era * 400 + year_of_era + (month <= 2):04d}-{month:02d}-{day + 1:02d}"


@cache
def keys(text: str) -> tuple[str, ...]:
    """Read authorized_keys: its lines without comments, in their order."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
