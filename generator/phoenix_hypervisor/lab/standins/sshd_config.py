"""sshd's configuration, with all that it includes: of a keyword the first value counts (sshd_config(5))."""

import fnmatch
import glob
import re
import shlex

import model

LISTS = ("allowusers", "denyusers", "allowgroups", "denygroups")
SWITCHES = {
    "passwordauthentication": "yes", "kbdinteractiveauthentication": "yes", "pubkeyauthentication": "yes",
    "permitemptypasswords": "no", "x11forwarding": "no", "allowagentforwarding": "yes", "usepam": "no",
    "printmotd": "yes", "strictmodes": "yes", "usedns": "no", "exposeauthinfo": "no", "permittty": "yes",
}  # fmt: skip
NUMBERS = {
    "maxauthtries": "6", "maxsessions": "10", "logingracetime": "120", "clientaliveinterval": "0",
    "clientalivecountmax": "3", "port": "22",
}  # fmt: skip
WORDS = {
    "permitrootlogin": ("without-password", ("yes", "no", "without-password", "forced-commands-only")),
    "allowtcpforwarding": ("yes", ("yes", "no", "local", "remote", "all")),
    "loglevel": (
        "INFO",
        ("QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3"),
    ),
}
TEXTS = {
    "authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2",
    "banner": "none",
    "authenticationmethods": "any",
}
FREE = (
    "acceptenv",
    "subsystem",
    "hostkey",
    "listenaddress",
    "ciphers",
    "macs",
    "kexalgorithms",
    "addressfamily",
)
SAME = {
    "prohibit-password": "without-password",
    "challengeresponseauthentication": "kbdinteractiveauthentication",
}
KNOWN = {*LISTS, *SWITCHES, *NUMBERS, *WORDS, *TEXTS, *FREE, "include", "match"}


class Bad(Exception):  # noqa: N818
    """What sshd says of a file that it cannot read."""


class Config:
    """What was read so far."""

    def __init__(self, connection: dict[str, str]) -> None:
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {name: [] for name in LISTS}
        self._connection = connection
        self._faults: list[str] = []

    def read(self, path: str, *, active: bool = True) -> None:
        """Read one file. Raises Bad for what sshd would refuse."""
        try:
            with open(model.path(path), encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError as error:
            raise Bad(f"{path}: {error.strerror}") from None
        bad = 0
        for number, line in enumerate(lines, 1):
            words = shlex.split(re.sub(r"^\s*([A-Za-z0-9]+)\s*=\s*", r"\1 ", line), comments=True)
            if not words:
                continue
            name = SAME.get(words[0].lower(), words[0].lower())
            if name not in KNOWN:
                print_bad = f"{path}: line {number}: Bad configuration option: {words[0]}"
                self._faults.append(print_bad)
                bad += 1
            elif len(words) < 2:
                raise Bad(f'{path} line {number}: no argument after keyword "{words[0]}"')
            elif name == "match":
                active = self._matches(words[1:])
            elif name == "include":
                for pattern in words[1:]:
                    place = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
                    for found in sorted(glob.glob(model.path(place))):
                        self.read(found[len(model.ROOT) :], active=active)
            elif active:
                self._take(name, words[1:], f"{path} line {number}")
            else:
                _checked(name, words[1:], f"{path} line {number}")
        if bad:
            raise Bad("\n".join([*self._faults, f"{path}: terminating, {bad} bad configuration options"]))

    def _take(self, name: str, words: list[str], where: str) -> None:
        value = _checked(name, words, where)
        if name in LISTS:
            self.lists[name] += words
        elif name not in FREE:
            self.values.setdefault(name, value)

    def _matches(self, words: list[str]) -> bool:
        """A block of other settings for some; without a connection that is asked about, for nobody."""
        pairs = list(zip(words[::2], words[1::2], strict=False))
        return bool(self._connection) and all(
            any(
                fnmatch.fnmatchcase(self._connection.get(name.lower(), ""), one) for one in pattern.split(",")
            )
            for name, pattern in pairs
        )

    def text(self) -> str:
        """What `sshd -T` prints."""
        defaults = {**SWITCHES, **NUMBERS, **{name: row[0] for name, row in WORDS.items()}, **TEXTS}
        lines = [f"{name} {self.values.get(name, default)}" for name, default in defaults.items()]
        return "\n".join([*lines, *(f"{name} {one}" for name in LISTS for one in self.lists[name])])


def _checked(name: str, words: list[str], where: str) -> str:
    value = " ".join(words)
    if name in SWITCHES and value.lower() not in ("yes", "no"):
        raise Bad(f'{where}: unsupported option "{value}".')
    if name in NUMBERS and not re.fullmatch(r"[0-9]+[smhd]?", value):
        sort = "time value" if name in ("logingracetime", "clientaliveinterval") else "integer value"
        raise Bad(f"{where}: invalid {sort}.")
    if name in WORDS:
        value = SAME.get(value, value)
        if value not in WORDS[name][1]:
            raise Bad(f'{where}: unsupported option "{value}".')
    return value.lower() if name in SWITCHES else value
