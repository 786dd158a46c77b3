"""A draft as the files of a site, and which lines of them say what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...config import canonical
from ...config.model import Hardware, InventoryEntry
from ...registry import kind as kind_of
from ..legacy.estate import Written
from ..legacy.writing import text
from .found import Draft, Thing

MODELINE = "# yaml-language-server: $schema={}.schema/{}.json\n"


class Files(NamedTuple):
    """Path below the site → text; and path → the lines (from, to, both counted from 1) of each thing."""

    texts: dict[str, str]
    lines: dict[str, list[tuple[int, int, Thing]]]

    def said_at(self, file: str, line: int) -> Thing | None:
        """Return the thing that a line of a file says."""
        return next((one for first, last, one in self.lines.get(file, ()) if first <= line <= last), None)


def files(node: str, draft: Draft, *, whole: bool, memory: bool = False) -> Files:
    """Return the files. `whole`: the node's own among them; otherwise only those of guests."""
    found = Files({}, {})
    if whole:
        _node(found, f"configs/nodes/{node}.yaml", draft, memory=memory)
    for stem in dict.fromkeys(thing.guest for thing in draft.things if thing.guest):
        _guest(found, f"configs/guests/{stem}.yaml", node, [one for one in draft.things if one.guest == stem])
    return found


def _guest(found: Files, path: str, node: str, things: list[Thing]) -> None:
    """What is said of one guest; the first thing, the guest itself, is meant by the file's head, too."""
    body = MODELINE.format("../", "guest") + text({"node": Written(node, "")})
    lines: list[tuple[int, int, Thing]] = []
    for thing in things:
        first = body.count("\n") + 1 if lines else 1
        body += "\n" + text({thing.kind: _section(thing.settings, kind_of(thing.kind))})
        lines.append((first, body.count("\n"), thing))
    found.texts[path] = body
    found.lines[path] = lines


def _node(found: Files, path: str, draft: Draft, *, memory: bool) -> None:
    said = {"memory": draft.memory} if memory and draft.memory else {}
    hardware: dict[str, Any] = {**said, **draft.hardware}
    body = MODELINE.format("../", "node")
    body += text({"hardware": _section(hardware, Hardware)}) if hardware else ""
    lines: list[tuple[int, int, Thing]] = []
    kinds = dict.fromkeys(thing.kind for thing in draft.things if not thing.guest)
    for kind in kinds:
        body += f"\n{kind}:\n"
        for thing in (one for one in draft.things if one.kind == kind):
            section = _section(thing.settings, kind_of(kind))
            part = text(section if kind_of(kind).singleton else {thing.name: section})
            first = body.count("\n") + (0 if kind_of(kind).singleton else 1)  # its own heading says it, too
            body += "".join(f"  {line}\n" for line in part.splitlines() if line)
            lines.append((first, body.count("\n"), thing))
    if not hardware and not kinds:
        body += "{}\n"
    found.texts[path] = body
    found.lines[path] = lines


def _section(settings: Mapping[Any, Any], shape: Any = None) -> dict[str, Any]:
    """Settings in the form of the writer, in the order of `phoenix fmt`; `shape` is what stands there."""
    texts = {str(key): value for key, value in settings.items()}
    found: dict[str, Any] = {}
    for key in canonical.arranged(shape, [*texts]) if shape else texts:
        value = texts[key]
        if isinstance(value, dict) and value:
            found[key] = _section(value, canonical.below(shape, key, [*texts]) if shape else None)
        else:
            found[key] = Written(value, "")
    return found


def head(node: str, draft: Draft, entry: InventoryEntry) -> dict[str, str]:
    """Return the files of a new site around them: its head, and how the node is reached."""
    reach = entry.model_dump(exclude_none=True, exclude_defaults=True)
    overcommit = draft.quota_overcommit
    allow = {"allow": {"quota_overcommit": overcommit}} if overcommit > 1 else {}
    site = {"name": "adopted", **allow, "secrets": {"file": "secrets.age"}}
    return {
        "configs/site.yaml": MODELINE.format("", "site") + text(_section(site)),
        "inventory/hosts.yaml": MODELINE.format("../configs/", "hosts") + text(_section({node: reach})),
        ".gitignore": "/.phoenix/\n/build/\n",
    }
