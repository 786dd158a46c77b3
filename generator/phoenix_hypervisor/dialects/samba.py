"""Samba's own spellings: what `testparm -s` prints, parameter names, and the hash a password is kept as."""

from collections.abc import Mapping
from functools import cache

Sections = Mapping[str, Mapping[str, str]]

DEFAULTS = {
    "read only": "yes",
    "browseable": "yes",
    "guest ok": "no",
    "create mask": "0744",
    "directory mask": "0755",
    "valid users": "",
    "force user": "",
    "force group": "",
    "comment": "",
}
"""What testparm leaves out, because it is the default (smb.conf(5), Samba 4.17)."""
_SYNONYMS = {
    "browsable": "browseable",
    "public": "guest ok",
    "directory": "path",
    "create mode": "create mask",
    "directory mode": "directory mask",
    "group": "force group",
    "users": "valid users",
}
OPPOSITES = frozenset({"writable", "writeable", "write ok"})
"""Names for the opposite of `read only`; testparm never prints them."""


@cache
def sections(text: str) -> Sections:
    """Read smb.conf text or testparm's output into section → parameter → value; names in lower case."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for raw in text.replace("\\\n", "").splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            current = found.setdefault(line[1:].partition("]")[0].strip().lower(), {})
        else:
            key, _, value = line.partition("=")
            name = parameter(key)
            current[name] = canonical(name, value.strip())
    return found


@cache
def files(text: str) -> Mapping[str, Sections]:
    """Read `grep -H '' FILE…` over several files into file → sections."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, content = line.partition(":")
        lines.setdefault(name, []).append(content)
    return {name: sections("\n".join(content)) for name, content in lines.items()}


def parameter(name: str) -> str:
    """Return a parameter's name in its canonical spelling: one blank between words, lower case."""
    words = " ".join(name.split()).lower()
    return _SYNONYMS.get(words, words)


def canonical(name: str, value: str) -> str:
    """Return a value in one spelling: yes/no in lower case, lists with one blank, masks with four digits."""
    if value.lower() in ("yes", "true", "on", "1") and name not in ("comment", "path"):
        return "yes"
    if value.lower() in ("no", "false", "off", "0") and name not in ("comment", "path"):
        return "no"
    if name.endswith("mask"):
        return value.rjust(4, "0")
    if name.endswith(("users", "list")):
        return " ".join(sorted(value.replace(",", " ").split()))
    return value


def share(text: str, name: str) -> Mapping[str, str] | None:
    """Return a share's parameters from testparm's output, defaults filled in; None when it is not there."""
    found = sections(text).get(name.lower())
    return None if found is None else {**DEFAULTS, **found}


def nt_hash(password: bytes) -> str:
    """Return the hash Samba keeps for a password: MD4 of its UTF-16 form, in upper-case hex.

    MD4 is what the protocol has ([MS-NLMP] 3.3.1); Python's own hashlib lost it with OpenSSL 3.
    """
    from Crypto.Hash import MD4

    return (
        MD4.new(  # noqa: S303
            password.decode("utf-8").encode("utf-16-le")
        )
        .hexdigest()
        .upper()
    )
