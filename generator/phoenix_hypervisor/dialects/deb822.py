"""APT's sources, as sources.list(5) has them: deb822 stanzas (`*.sources`), one-line entries (`*.list`)."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

Stanza = Mapping[str, str]
"""Field → value; names as they are written most often (`Signed-By`), lines of a value joined by newlines."""

SPELLINGS = {
    name.lower(): name
    for name in ("Types", "URIs", "Suites", "Components", "Architectures", "Signed-By", "Enabled")
}
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})
_ONE_LINE = re.compile(
    r"(?P<type>deb|deb-src)\s+(\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)


class Source(NamedTuple):
    """One suite of one repository, as APT takes it from a line or a stanza."""

    type: str
    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str
    enabled: bool


@cache
def stanzas(text: str) -> tuple[Stanza, ...]:
    """Read deb822 text. Comments are left out; ` .` is an empty line of a value."""
    found: list[dict[str, str]] = [{}]
    field = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            found.append({})
        elif line[0] in " \t" and field in found[-1]:
            words = line.strip()
            found[-1][field] += "\n" + ("" if words == "." else words)
        else:
            name, _, value = line.partition(":")
            field = SPELLINGS.get(name.strip().lower(), name.strip())
            found[-1][field] = value.strip()
    return tuple(stanza for stanza in found if stanza)


def write(fields: Iterable[tuple[str, str]]) -> str:
    """Return a stanza's text; fields without a value are left out."""
    lines = []
    for name, value in fields:
        first, *more = value.split("\n")
        if value:
            lines += [f"{name}: {first}".rstrip(), *(f" {line or '.'}" for line in more)]
    return "".join(f"{line}\n" for line in lines)


@cache
def files(text: str) -> Mapping[str, tuple[Source, ...]]:
    """Read `grep -H '' FILE…` over files of sources into file → what it names; other files are no sources."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, content = line.partition(":")
        lines.setdefault(name, []).append(content)
    readers = {".list": one_line, ".sources": sources}
    return {
        name: reader("\n".join(content))
        for name, content in lines.items()
        for ending, reader in readers.items()
        if name.endswith(ending)
    }


@cache
def sources(text: str) -> tuple[Source, ...]:
    """Read deb822 text into its sources. A stanza without a word for `Enabled` is enabled."""
    return tuple(
        Source(
            kind,
            canonical(uri),
            suite,
            tuple(stanza.get("Components", "").split()),
            stanza.get("Signed-By", ""),
            stanza.get("Enabled", "yes").lower() not in _NO,
        )
        for stanza in stanzas(text)
        for kind in stanza.get("Types", "").split()
        for uri in stanza.get("URIs", "").split()
        for suite in stanza.get("Suites", "").split()
    )


@cache
def one_line(text: str) -> tuple[Source, ...]:
    """Read one-line entries; what is commented out is not there."""
    found = []
    for line in text.splitlines():
        entry = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if entry:
            options = dict(word.partition("=")[::2] for word in (entry["options"] or "").split())
            components = tuple(entry["rest"].split())
            signed_by = options.get("signed-by", "")
            uri = canonical(entry["uri"])
            found.append(Source(entry["type"], uri, entry["suite"], components, signed_by, True))
    return tuple(found)


def canonical(uri: str) -> str:
    """Return a URI as APT compares it: it ends with a slash."""
    return uri.rstrip("/") + "/"
