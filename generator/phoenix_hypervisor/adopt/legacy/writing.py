"""The new site as text: YAML in which every value says where it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...secrets import Secret
from .estate import Estate, Section, Written
from .profiles import factored

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./+-]*|\d+(\.\d+)?[KMGT]|\d+(\.\d+){3}(/\d+)?")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_MODELINE = "# yaml-language-server: $schema={}.schema/{}.json\n"


def site(estate: Estate, node: Section, guests: Mapping[str, Section]) -> dict[str, str]:
    """Return the files of the new site: path → text."""
    containers = {stem: sections for stem, sections in guests.items() if "lxc" in sections}
    parts = factored(containers)
    head: Section = {
        "name": Written("imported", ""),
        "secrets": {"file": Written("secrets.age", "")},
    }
    if parts.everywhere:
        head["guest_defaults"] = {"lxc": parts.everywhere}
    reach: Section = {"data": {"transport": Written("ssh", "")}}
    if estate.address:
        reach = {"hostname": Written(estate.address, "network.interfaces.address"), **reach}
    files = {
        "configs/site.yaml": _MODELINE.format("", "site") + text(head),
        f"configs/nodes/{estate.node}.yaml": _MODELINE.format("../", "node") + text(node),
        "inventory/hosts.yaml": _MODELINE.format("../configs/", "hosts") + text({estate.node: reach}),
        ".gitignore": "/.phoenix/\n/build/\n",
    }
    for profile in parts.profiles:
        of = f"# What {len(profile.guests)} guests share: {', '.join(profile.guests)}\n"
        files[f"configs/profiles/{profile.name}.yaml"] = of + text(profile.sections)
    for stem, sections in {**guests, **parts.guests}.items():
        files[f"configs/guests/{stem}.yaml"] = _MODELINE.format("../", "guest") + text(sections)
    return files


def text(section: Section) -> str:
    """Return a section as YAML."""
    lines: list[str] = []
    for key, value in section.items():
        lines += (
            ["", *_lines(key, value, "")] if lines and isinstance(value, dict) else _lines(key, value, "")
        )
    return "\n".join(lines) + "\n" if lines else ""


def _lines(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Written):
        comment = f" # {_one_line(value.origin)}" if value.origin else ""
        if isinstance(value.value, list) and any(isinstance(one, dict) for one in value.value):
            yield f"{indent}{_text(key)}:{comment}"
            yield from (f"{indent}  - {flow(one)}" for one in value.value)
        else:
            yield f"{indent}{_text(key)}: {flow(value.value)}{comment}"
    elif not value:
        yield f"{indent}{_text(key)}: {{}}"
    else:
        yield f"{indent}{_text(key)}:"
        for below, part in value.items():
            yield from _lines(below, part, indent + "  ")


def flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    if isinstance(value, Secret):
        return f"!secret {value.name}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_text(key)}: {flow(one)}" for key, one in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(str(value))


def _text(text: str) -> str:
    """Return a text as YAML has it: as it is where nothing else can be meant, otherwise in quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
