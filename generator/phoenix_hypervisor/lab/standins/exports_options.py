"""The options of one export: how `rw,no_subtree_check,sec=krb5` is read and the two ways it is written."""

READONLY, INSECURE, ROOT_SQUASH, ALL_SQUASH = 0x1, 0x2, 0x4, 0x8
ASYNC, WDELAY, NOHIDE, NO_SUBTREE, NO_LOCKS = 0x10, 0x20, 0x200, 0x400, 0x800
FSID, CROSSMNT, NO_ACL, SECURITY_LABEL, PNFS = 0x2000, 0x4000, 0x8000, 0x80, 0x20000

DEFAULT = READONLY | ROOT_SQUASH | WDELAY | NO_SUBTREE
"""What an export without options is: ro, root_squash, wdelay, no_subtree_check (and sync, hide, secure)."""

PER_FLAVOUR = READONLY | INSECURE | ROOT_SQUASH | ALL_SQUASH
"""Flags that each `sec=` may set for itself."""

_SET = {
    "ro": READONLY, "insecure": INSECURE, "root_squash": ROOT_SQUASH, "all_squash": ALL_SQUASH,
    "async": ASYNC,
    "wdelay": WDELAY, "nohide": NOHIDE, "crossmnt": CROSSMNT, "no_subtree_check": NO_SUBTREE,
    "no_auth_nlm": NO_LOCKS, "insecure_locks": NO_LOCKS, "no_acl": NO_ACL, "security_label": SECURITY_LABEL,
    "pnfs": PNFS,
}  # fmt: skip
_CLEAR = {
    "rw": READONLY, "secure": INSECURE, "no_root_squash": ROOT_SQUASH, "no_all_squash": ALL_SQUASH,
    "sync": ASYNC,
    "no_wdelay": WDELAY, "hide": NOHIDE, "nocrossmnt": CROSSMNT, "subtree_check": NO_SUBTREE,
    "auth_nlm": NO_LOCKS, "secure_locks": NO_LOCKS, "acl": NO_ACL, "no_pnfs": PNFS,
}  # fmt: skip
_FLAVOURS = frozenset(
    ("sys", "unix", "none", "null", "krb5", "krb5i", "krb5p", "lkey", "lkeyi", "lkeyp", "spkm", "spkmi")
)


class Refused(Exception):  # noqa: N818
    """An option that exportfs does not take; the text is all of its message after the program's name."""


class Options:
    """The options of one export. `where` is `(file, line)` for messages."""

    def __init__(self) -> None:
        self.flags = DEFAULT
        self.anonuid = "65534"
        self.anongid = "65534"
        self.fsid: str | None = None
        self.mountpoint: str | None = None
        self.refer: str | None = None
        self.security: list[tuple[list[str], int]] = []
        self.subtree_said = False

    def copy(self) -> "Options":
        other = Options()
        other.__dict__.update(self.__dict__)
        other.security = [(list(names), flags) for names, flags in self.security]
        return other

    def parse(self, text: str, where: tuple[str, int]) -> None:
        """Apply a comma-separated list on top of what is there."""
        for word in text.split(",") if text else ():
            name, _, value = word.partition("=")
            if word in _SET:
                self._flag(_SET[word], True)
            elif word in _CLEAR:
                self._flag(_CLEAR[word], False)
            elif not self._valued(word, name, value, where):
                raise Refused(f'{where[0]}:{where[1]}: unknown keyword "{word}"\n')
            self.subtree_said = self.subtree_said or word in ("subtree_check", "no_subtree_check")

    def _flag(self, bit: int, on: bool) -> None:
        self.flags = self.flags | bit if on else self.flags & ~bit
        if self.security and bit & PER_FLAVOUR:
            # Said after `sec=`: also for the flavours of that `sec=`, not for those before it.
            names, flags = self.security[-1]
            self.security[-1] = (names, flags | bit if on else flags & ~bit)

    def _valued(self, word: str, name: str, value: str, where: tuple[str, int]) -> bool:
        if name in ("anonuid", "anongid") and "=" in word:
            if not value.lstrip("-").isdigit():
                raise Refused(f'{where[0]}: {where[1]}: bad {name} "{word}"\n')
            # exportfs prints ids as signed 32 bit numbers, in etab too.
            setattr(self, name, str((int(value) + 2**31) % 2**32 - 2**31))
        elif name == "fsid" and "=" in word:
            self._fsid(word, value, where)
        elif name in ("mp", "mountpoint"):
            self.mountpoint = value
        elif name in ("refer", "replicas") and value:
            self.refer = word
        elif name == "sec" and "=" in word:
            self._sec(value)
        else:
            return False
        return True

    def _fsid(self, word: str, value: str, where: tuple[str, int]) -> None:
        uuid = len(value.replace("-", "")) == 32 and not set(value.lower()) - set("0123456789abcdef-")
        if value != "root" and not value.isdigit() and not uuid:
            raise Refused(f'{where[0]}: {where[1]}: bad fsid "{word}"\n')
        self.fsid = "0" if value == "root" else value
        self.flags |= 0 if uuid else FSID

    def _sec(self, value: str) -> None:
        names = value.split(":")
        for name in names:
            if name not in _FLAVOURS:
                raise Refused(f"unknown flavor {name}\n")
        self.security.append((names, self.flags & PER_FLAVOUR))

    def secured(self) -> list[tuple[list[str], int]]:
        """Return flavours and their flags; neighbours with the same flags are one group."""
        groups: list[tuple[list[str], int]] = []
        for names, flags in self.security or [(["sys"], self.flags & PER_FLAVOUR)]:
            if groups and groups[-1][1] == flags:
                groups[-1][0].extend(names)
            else:
                groups.append((list(names), flags))
        return groups

    def _security(self) -> list[str]:
        words = []
        for names, flags in self.secured():
            words += ["sec=" + ":".join(names), *_shared(flags)]
        return words

    def _place(self) -> list[str]:
        words = []
        if self.mountpoint is not None:
            words.append("mountpoint" + ("=" + self.mountpoint if self.mountpoint else ""))
        return words

    def full(self) -> str:
        """Every option, as in /var/lib/nfs/etab."""
        bits = self.flags
        shared = _shared(bits)
        words = [
            shared[0],
            "async" if bits & ASYNC else "sync",
            "wdelay" if bits & WDELAY else "no_wdelay",
            "nohide" if bits & NOHIDE else "hide",
            "crossmnt" if bits & CROSSMNT else "nocrossmnt",
            *shared[1:],
            "no_subtree_check" if bits & NO_SUBTREE else "subtree_check",
            "insecure_locks" if bits & NO_LOCKS else "secure_locks",
            "no_acl" if bits & NO_ACL else "acl",
            *(["security_label"] if bits & SECURITY_LABEL else []),
            "pnfs" if bits & PNFS else "no_pnfs",
            *([f"fsid={self.fsid}"] if self.fsid is not None else []),
            *self._place(),
            *([self.refer] if self.refer else []),
            f"anonuid={self.anonuid}",
            f"anongid={self.anongid}",
        ]
        return ",".join(words + self._security())

    def brief(self) -> str:
        """What `exportfs -s` and `-v` show."""
        bits = self.flags
        words = ["async" if bits & ASYNC else "sync", "wdelay" if bits & WDELAY else "no_wdelay"]
        words.append("nohide" if bits & NOHIDE else "hide")
        for bit, word in (
            (CROSSMNT, "crossmnt"), (NO_SUBTREE, "no_subtree_check"), (NO_LOCKS, "insecure_locks"),
            (SECURITY_LABEL, "security_label"), (NO_ACL, "no_acl"), (PNFS, "pnfs"),
        ):  # fmt: skip
            words += [word] if bits & bit else []
        words += [f"fsid={self.fsid}"] if self.fsid is not None else []
        words += self._place()
        for name, number in (("anonuid", self.anonuid), ("anongid", self.anongid)):
            words += [f"{name}={number}"] if number != "65534" else []
        words += [self.refer] if self.refer else []
        return ",".join(words + self._security())


def _shared(flags: int) -> list[str]:
    return [
        "ro" if flags & READONLY else "rw",
        "insecure" if flags & INSECURE else "secure",
        "root_squash" if flags & ROOT_SQUASH else "no_root_squash",
        "all_squash" if flags & ALL_SQUASH else "no_all_squash",
    ]
