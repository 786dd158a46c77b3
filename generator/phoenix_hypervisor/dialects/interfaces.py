"""interfaces(5), as ifupdown2 and Proxmox read it: which stanzas there are, in which file and lines.

What they mean is in interface_definitions.py.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAIN = "/etc/network/interfaces"
FOLDER = "/etc/network/interfaces.d"
KEYWORDS = ("iface", "auto", "mapping", "source", "source-directory", "rename", "vlan", "no-auto-down")


class Lines(NamedTuple):
    """A place in a file: its first and last line, counted from 1."""

    file: str
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.file}:{self.first}"


class Stanza(NamedTuple):
    """One `iface` with its options, names spelt with `-`."""

    name: str
    family: str
    method: str
    options: tuple[tuple[str, str], ...]
    at: Lines


class Mark(NamedTuple):
    """A line `auto` or `allow-…`, and whom it names."""

    word: str
    names: tuple[str, ...]
    at: Lines


class Parsed(NamedTuple):
    """All that files say, in the order in which they are read."""

    stanzas: tuple[Stanza, ...] = ()
    marks: tuple[Mark, ...] = ()
    sources: tuple[str, ...] = ()
    """Patterns of `source`, absolute."""

    def of(self, name: str) -> tuple[Stanza, ...]:
        """Return an interface's stanzas."""
        return tuple(stanza for stanza in self.stanzas if stanza.name == name)

    def without(self, file: str) -> "Parsed":
        """Return the same as if that file were empty."""
        return self._replace(
            stanzas=tuple(one for one in self.stanzas if one.at.file != file),
            marks=tuple(one for one in self.marks if one.at.file != file),
        )


def parse(text: str, file: str = MAIN) -> Parsed:
    """Read one file; what it sources is only named."""
    stanzas: list[Stanza] = []
    marks: list[Mark] = []
    sources: list[str] = []
    options: list[tuple[str, str]] | None = None
    for line, first, last in _logical(text):
        words = line.split()
        keyword = words[0] in KEYWORDS or words[0].startswith("allow-")
        if words[0] == "iface" and len(words) > 1:
            options = []
            family, method = (*words[2:4], "", "")[:2]
            stanzas.append(Stanza(words[1].partition(":")[0], family, method, (), Lines(file, first, last)))
        elif keyword:
            options = None
            if words[0] == "auto" or words[0].startswith("allow-"):
                marks.append(Mark(words[0], tuple(words[1:]), Lines(file, first, last)))
            elif words[0].startswith("source") and len(words) > 1:
                sources.append(_absolute(words[0], words[1], file))
        elif options is not None:
            options.append((words[0].replace("_", "-"), line.strip()[len(words[0]) :].strip()))
            now = stanzas[-1]
            stanzas[-1] = now._replace(options=tuple(options), at=now.at._replace(last=last))
    return Parsed(tuple(stanzas), tuple(marks), tuple(sources))


def read(files: Mapping[str, str], main: str = MAIN) -> Parsed:
    """Read the main file and what it sources, each file once, in the order of their names."""
    seen: dict[str, Parsed] = {}

    def add(file: str) -> None:
        if file in seen or file not in files:
            return
        seen[file] = found = parse(files[file], file)
        for pattern in found.sources:
            for name in sorted(files):
                if matches(pattern, name):
                    add(name)

    add(main)
    return Parsed(
        tuple(stanza for found in seen.values() for stanza in found.stanzas),
        tuple(mark for found in seen.values() for mark in found.marks),
        tuple(source for found in seen.values() for source in found.sources),
    )


def matches(pattern: str, path: str) -> bool:
    """Tell whether a pattern of `source` names a file: no `*` reaches over a `/`, or a leading dot."""
    parts, names = pattern.split("/"), path.split("/")
    return len(parts) == len(names) and all(map(_part_matches, parts, names))


def _part_matches(pattern: str, name: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    found = re.sub(r"\\\[(?:\\?!|\\\^)?(.+?)\\\]", r"[\1]", re.escape(pattern))
    return re.fullmatch(found.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"), name) is not None


def removed(text: str, name: str, file: str = MAIN) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield what makes a file say nothing of an interface: whole lines, and what replaces them.

    From its end to its beginning, so that each is still where it was when those before it are done.
    """
    found = parse(text, file)
    lines = text.splitlines()
    edits: list[tuple[Lines, tuple[str, ...]]] = [(stanza.at, ()) for stanza in found.of(name)]
    for mark in found.marks:
        if name in mark.names:
            rest = [one for one in mark.names if one != name]
            edits.append((mark.at, (" ".join([mark.word, *rest]),) if rest else ()))
    for at, instead in sorted(edits, reverse=True):
        yield tuple(lines[at.first - 1 : at.last]), instead


def _logical(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield lines that say something, continued ones as one, with their first and last number."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        whole = begun + line
        if whole.strip() and not whole.lstrip().startswith("#"):
            yield whole, first, number
        begun, first = "", 0
    if begun.strip() and not begun.lstrip().startswith("#"):
        yield begun, first, text.count("\n") + (not text.endswith("\n"))


def _absolute(word: str, pattern: str, file: str) -> str:
    path = pattern if pattern.startswith("/") else f"{file.rpartition('/')[0]}/{pattern}"
    return path if word == "source" else f"{path.rstrip('/')}/*"
