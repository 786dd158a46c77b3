"""sshd's configuration: how we write a file of it, and what `sshd -T` says sshd makes of all of them.

Of a keyword that is given twice sshd takes the first value, except of lists, which grow.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

Values = Mapping[str, str | frozenset[str]]
LISTS = frozenset({"allowusers", "denyusers", "allowgroups", "denygroups"})
SAME = {"without-password": "prohibit-password"}
"""Old words for a value, which sshd prints."""
EFFECTIVE = "[ -d /run/sshd ] || mkdir -m 0755 /run/sshd && sshd -T"
"""How sshd is asked. A socket-activated one has no folder yet, and refuses to say anything without."""


@cache
def effective(text: str) -> Values:
    """Read `sshd -T`: keyword in small letters → value, lists as sets."""
    found: dict[str, str | frozenset[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword in LISTS:
            before = found.get(keyword, frozenset())
            assert isinstance(before, frozenset)
            found[keyword] = before | frozenset(value.split())
        elif keyword:
            found.setdefault(keyword, SAME.get(value, value))
    return found


class Lockout(NamedTuple):
    """Why somebody would not get in, and the keyword that does it."""

    keyword: str
    why: str


def lockout(after: Values, user: str, groups: Iterable[str]) -> Lockout | None:
    """Return why sshd would not let this user in by a key; None when it would.

    Addresses behind an `@` count as fitting: the new connection that is waited for will show.
    """
    root, own = after.get("permitrootlogin"), frozenset(groups)
    no_root = user == "root" and root in ("no", "forced-commands-only")
    closed = after.get("pubkeyauthentication") == "no"
    stranger = bool(after.get("allowusers")) and not _fits(after, "allowusers", {user})
    outsider = bool(after.get("allowgroups")) and not _fits(after, "allowgroups", own)
    reasons = (
        (closed, Lockout("pubkeyauthentication", "nobody would get in by a key any more")),
        (no_root, Lockout("permitrootlogin", f"root would not get in any more (PermitRootLogin {root})")),
        (_fits(after, "denyusers", {user}), Lockout("denyusers", f"{user} is among DenyUsers")),
        (_fits(after, "denygroups", own), Lockout("denygroups", f"a group of {user} is among DenyGroups")),
        (stranger, Lockout("allowusers", f"{user} is not among AllowUsers")),
        (outsider, Lockout("allowgroups", f"no group of {user} is among AllowGroups")),
    )
    return next((lockout for holds, lockout in reasons if holds), None)


def _fits(after: Values, keyword: str, names: Iterable[str]) -> bool:
    patterns = [pattern.partition("@")[0] for pattern in after.get(keyword, frozenset())]
    return any(_pattern(pattern).fullmatch(name) for name in names for pattern in patterns)


def _pattern(text: str) -> re.Pattern[str]:
    """Of sshd's patterns (ssh_config(5)): `*` is any text, `?` any sign."""
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in text))
