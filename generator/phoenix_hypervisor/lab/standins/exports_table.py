"""The node's export table: /etc/exports and /etc/exports.d as exportfs reads them, etab as it writes it."""

import os
import sys

import model
from exports_options import Options, Refused
from hints import Iterable, Iterator

ETAB = "/var/lib/nfs/etab"
FQDN, SUBNET, WILDCARD, NETGROUP, ANYONE = range(5)


class Log:
    """Messages as exportfs prints them; it ends with 1 if any of them was an error."""

    def __init__(self) -> None:
        self.failed = False

    def warning(self, text: str) -> None:
        sys.stderr.write(f"exportfs: {text}\n")

    def error(self, text: str) -> None:
        self.failed = True
        self.warning(text)


class Export:
    """One path offered to one client."""

    def __init__(self, path: str, client: str, options: Options) -> None:
        self.path = path
        self.client = client
        self.options = options
        self.kind = kind_of(client)

    def line(self) -> str:
        return f"{quoted(self.path)}\t{self.client}({self.options.full()})\n"


def kind_of(client: str) -> int:
    if client in ("", "*"):
        return ANYONE
    if client.startswith("@"):
        return NETGROUP
    if "/" in client and not client.startswith("gss/"):
        return SUBNET
    # `[` opens a character class to exportfs, so a bracketed address is a wildcard for it too.
    return WILDCARD if any(sign in client for sign in "*?[") else FQDN


def quoted(path: str, signs: str = ' \t\n"\\#') -> str:
    """Spell a path as etab does: odd characters as three octal digits."""
    return "".join(c if c not in signs else f"\\{ord(c):03o}" for c in path)


def resolved(path: str) -> str:
    """Return the path without links and doubled slashes if it exists, else as typed."""
    real = model.path(path)
    if not path.startswith("/") or not os.path.exists(real):
        return path
    root = os.path.realpath(model.ROOT) if model.ROOT else ""
    found = os.path.realpath(real)
    return found[len(root) :] or "/" if found.startswith(root) else found


class Lines:
    """The logical lines of an exports file, as words.

    Knows quotes, `\\040`, comments, and a backslash at a line's end.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.number = 1

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while self.at < len(self.text):
            words: list[str] = []
            while (word := self._word()) is not None:
                words.append(word)
            if words:
                yield self.number, words
            self._next()

    def _next(self) -> str:
        sign = self.text[self.at] if self.at < len(self.text) else ""
        self.at += 1
        self.number += sign == "\n"
        return sign

    def _skip(self) -> bool:
        """Move to the next word of this line; say whether there is one."""
        while self.at < len(self.text):
            if self.text.startswith("\\\n", self.at):
                self._next()
                self._next()
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in " \t\r":
                self.at += 1
            else:
                return self.text[self.at] != "\n"
        return False

    def _word(self) -> str | None:
        if not self._skip():
            return None
        word, inside = "", False
        while self.at < len(self.text):
            sign = self.text[self.at]
            digits = self.text[self.at + 1 : self.at + 4]
            if sign == '"':
                inside = not inside
            elif sign == "\\" and len(digits) == 3 and not set(digits) - set("01234567"):
                word += chr(int(digits, 8))
                self.at += 3
            elif (sign in " \t\n" and not inside) or self.text.startswith("\\\n", self.at):
                break
            else:
                word += sign
            self._next()
        return word


def parse(text: str, name: str, said: Log) -> Iterator[Export]:
    """Yield the exports of one file up to its first mistake: what stands before that is used."""
    try:
        for number, words in Lines(text):
            yield from _line(words, (name, number), said)
    except Refused as refused:
        said.error(str(refused))


def _line(words: list[str], where: tuple[str, int], said: Log) -> Iterator[Export]:
    path, clients = resolved(words[0]), words[1:]
    base, defaults = Options(), False
    if clients and clients[0].startswith("-"):
        base.parse(clients.pop(0)[1:], where)
        defaults = True
    for client in clients or [""]:
        yield _client(path, client, base.copy(), defaults, where, said)


def _client(
    path: str, word: str, options: Options, defaults: bool, where: tuple[str, int], said: Log
) -> Export:
    name, bracket, rest = word.partition("(")
    if bracket:
        if not name:
            said.warning(f"No host name given with {path} {word}, suggest *{word} to avoid warning")
            name = "*"
        if not rest.endswith(")") or ")" in rest[:-1]:
            raise Refused(f"{where[0]}:{where[1]}: syntax error: bad option list")
        options.parse(rest[:-1], where)
    elif not defaults:
        said.warning(f"No options for {path} {word}: suggest {word}(sync) to avoid warning")
    if not options.subtree_said:
        said.warning(
            f"{where[0]} [{where[1]}]: Neither 'subtree_check' or 'no_subtree_check' specified for export "
            f"\"{name}:{path}\".\n  Assuming default behaviour ('no_subtree_check').\n"
            "  NOTE: this default has changed since nfs-utils version 1.0.x\n"
        )
    return Export(path, name, options)


def arrange(exports: Iterable[Export], said: Log) -> list[Export]:
    """Order exports as exportfs' own table does, which is what etab and `-s` show.

    By sort of client; within that the last path comes first, but a path's clients keep their order.
    """
    chains: list[dict[str, list[Export]]] = [{} for _ in range(5)]
    for export in exports:
        chain = chains[export.kind].setdefault(export.path, [])
        twin = next((old for old in chain if old.client == export.client), None)
        if twin is None:
            chain.append(export)
        else:
            _doubled(twin, export, said)
    return [export for kind in chains for chain in reversed(kind.values()) for export in chain]


def _doubled(kept: Export, ignored: Export, said: Log) -> None:
    name = f"{kept.client}:{kept.path}"
    old, new = kept.options.flags, ignored.options.flags
    if old == new:
        said.error(f"duplicated export entries:\nexportfs: \t{name}\nexportfs: \t{name}")
    else:
        said.error(f"incompatible duplicated export entries:\nexportfs: \t{name} (0x{new:x}) [IGNORED]")
        said.error(f"\t{name} (0x{old:x})")


def configured(said: Log) -> list[Export]:
    """Read /etc/exports and /etc/exports.d/*.exports, in that order."""
    found: list[Export] = []
    for name in ("/etc/exports", *_drop_ins()):
        try:
            with open(model.path(name), encoding="utf-8", errors="surrogateescape") as file:
                found += parse(file.read(), name, said)
        except OSError:
            said.error(f"can't open {name} for reading")
    return arrange((export for export in found if _known(export, said)), said)


def _drop_ins() -> list[str]:
    try:
        names = sorted(os.listdir(model.path("/etc/exports.d")))
    except OSError:
        return []
    return [f"/etc/exports.d/{n}" for n in names if n.endswith(".exports") and not n.startswith(".")]


def _known(export: Export, said: Log) -> bool:
    """Say whether exportfs could look the client up: an unknown host is a warning, a bad network an error."""
    if export.kind == SUBNET:
        prefix = export.client.rpartition("/")[2]
        widest = 128 if ":" in export.client else 32
        if "." not in prefix and (not prefix.isdigit() or int(prefix) > widest):
            # Said twice, as exportfs does: it looks each client up twice.
            for _ in range(2):
                said.error(f"Invalid prefix `{prefix}' for {export.client}")
            return False
    elif export.kind == FQDN and not address_of(export.client):
        for _ in range(2):
            said.warning(f"Failed to resolve {export.client}")
        return False
    return True


def address_of(host: str) -> str | None:
    """Return the address of a host as the lab's /etc/hosts knows it; addresses are their own."""
    parts = host.split(".")
    if (len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)) or ":" in host:
        return host
    if host.startswith("gss/") or host == "localhost":
        return "127.0.0.1"
    try:
        with open(model.path("/etc/hosts"), encoding="utf-8") as file:
            for line in file:
                words = line.partition("#")[0].split()
                if host in words[1:]:
                    return words[0]
    except FileNotFoundError:
        pass
    return None


def exported(said: Log) -> list[Export]:
    """Return what etab says is exported now."""
    try:
        with open(model.path(ETAB), encoding="utf-8", errors="surrogateescape") as file:
            return arrange(parse(file.read(), ETAB, said), said)
    except FileNotFoundError:
        return []


def save(exports: list[Export]) -> None:
    """Write etab in one go."""
    final = model.path(ETAB)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    fresh = f"{final}.{os.getpid()}.tmp"
    with open(fresh, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(export.line() for export in exports)
    os.replace(fresh, final)


def export_all(said: Log, keep: bool = False) -> list[Export]:
    """Do what `exportfs -r` does (with `keep`, `exportfs -a`): etab becomes what the files say."""
    exports = configured(said)
    if keep:
        named = {(export.path, export.client) for export in exports}
        others = [old for old in exported(said) if (old.path, old.client) not in named]
        exports = arrange([*exports, *others], said)
    for export in exports:
        _check(export, said)
    save(exports)
    return exports


def _check(export: Export, said: Log) -> None:
    where = model.path(export.path)
    if not os.path.exists(where):
        said.error(f"Failed to stat {export.path}: No such file or directory")
    elif not os.path.isdir(where):
        said.error(f"{export.path} is not a directory. Remote access will fail")
