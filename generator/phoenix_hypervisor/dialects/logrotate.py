"""Sections of logrotate.conf(5): which logs, and what is done with them."""

import shlex
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

SCRIPTS = ("postrotate", "prerotate", "firstaction", "lastaction", "preremove")
END = "endscript"


class Section(NamedTuple):
    """The logs of a section and its directives: name → value (empty for a switch, a script's lines)."""

    paths: tuple[str, ...]
    directives: Mapping[str, str]


@cache
def parse(text: str) -> tuple[Section, ...]:
    """Read a file's sections; directives outside of any are left out."""
    found: list[Section] = []
    paths: list[str] = []
    directives: dict[str, str] | None = None
    script: list[str] | None = None
    name = ""
    for line in (raw.strip() for raw in text.splitlines()):
        if script is not None and directives is not None:
            if line == END:
                directives[name] = "\n".join(script)
                script = None
            else:
                script.append(line)
        elif not line or line.startswith("#"):
            continue
        elif directives is None and line[0] not in "/\"'{":
            continue  # a directive for all sections
        elif directives is None:
            written, brace, _ = line.partition("{")
            paths += shlex.split(written)
            directives = {} if brace else None
        elif line == "}":
            found.append(Section(tuple(paths), directives))
            paths, directives = [], None
        else:
            name, _, rest = line.partition(" ")
            directives[name] = rest.strip()
            script = [] if name in SCRIPTS else None
    return tuple(found)


@cache
def files(text: str) -> Mapping[str, tuple[Section, ...]]:
    """Read `grep -H '' FILE…` over several files into file → sections."""
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, content = line.partition(":")
        lines.setdefault(name, []).append(content)
    return {name: parse("\n".join(content)) for name, content in lines.items()}
