"""JSON Schema (2020-12) of a site's files: what editors complete and underline.

It is made from the models, plugins' kinds among them, and says of each file alone what can be said of it
alone. Where files are laid over each other nothing is required, and `null` takes back. Tags are not JSON:
`!secret NAME` and `!file NAME` count as text.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .. import registry
from ..config.layers import EVERY
from ..config.model import GuestHead, InventoryEntry, NodeHead, SiteHead
from ..resource import Kind
from .schema_probes import Schema
from .schema_types import HEAD, LAYERED, WHOLE, model, noted, nullable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "configs/.schema"
"""Where a site keeps them: beside what they describe, so that they move with it and every clone has them,
and hidden, because nobody edits them."""


def of_file(what: str) -> Schema:
    """Return the schema of one sort of file, a key of FILES."""
    about, make = FILES[what]
    schema = make()
    empty = {**schema, "type": ["object", "null"]}
    return {"$schema": DIALECT, "title": f"Phoenix Hypervisor: {what}", **empty, "description": about}


@cache
def texts() -> dict[str, str]:
    """Return all schemas as files: name → text."""
    return {f"{what}.json": json.dumps(of_file(what), indent=1, ensure_ascii=False) + "\n" for what in FILES}


def differing(folder: Path) -> list[str]:
    """Return the names of the files of a folder of schemas that are not current."""
    return [
        name
        for name, text in texts().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]


def write(folder: Path) -> None:
    """Write all schemas to a folder; what is current is not touched, nor what is not ours."""
    wanted = texts()
    for name in differing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(wanted[name], encoding="utf-8")


def _sections(scopes: Iterable[str]) -> tuple[Schema, Schema]:
    """Return the properties of a file that are sections, and the definitions they refer to."""
    wanted = {*scopes}
    kinds = [name for name in registry.homes() if registry.kind(name).scope in wanted]
    definitions: Schema = {}
    for name in kinds:
        kind = registry.kind(name)
        settings = model(kind, LAYERED)
        if kind.singleton or kind.scope == "guest":
            definitions[name] = settings
        else:
            definitions |= {f"{name}.settings": settings, name: _named(kind)}
    return {name: {"$ref": f"#/$defs/{name}"} for name in kinds}, definitions


def _named(kind: type[Kind]) -> Schema:
    """A section that maps names to settings; `*` is laid under all of them."""
    settings = nullable({"$ref": f"#/$defs/{kind.kind}.settings"})
    field = kind.model_fields["name"]
    names = noted(field.annotation, field.metadata, WHOLE)
    return {
        "type": "object",
        "description": inspect.cleandoc(kind.__doc__ or "").splitlines()[0],
        "properties": {EVERY: {**settings, "description": "Laid under the settings of every other name."}},
        "additionalProperties": settings,
        **({"propertyNames": {"anyOf": [{"const": EVERY}, names]}} if [*names] != ["type"] else {}),
    }


def _file(properties: Mapping[str, Any], scopes: Iterable[str]) -> Schema:
    sections, definitions = _sections(scopes)
    return {
        "type": "object",
        "properties": {**properties, **sections},
        "additionalProperties": False,
        "$defs": definitions,
    }


def _head(of: type[NodeHead] | type[GuestHead], *without: str) -> Schema:
    found: Schema = model(of, HEAD)["properties"]
    return {name: schema for name, schema in found.items() if name not in without}


def _node() -> Schema:
    return _file(_head(NodeHead), ("node", "host"))


def _guest() -> Schema:
    return _file(_head(GuestHead), ("host", "guest"))


def _profile() -> Schema:
    head = {**_head(GuestHead, "profiles"), **_head(NodeHead, "profiles")}
    return _file(head, ("node", "host", "guest"))


def _site() -> Schema:
    found = dict(model(SiteHead, WHOLE))
    definitions: Schema = {}
    for name, head, scopes in (
        ("defaults", _head(NodeHead, "profiles"), ("node", "host")),
        ("guest_defaults", _head(GuestHead, "profiles"), ("host", "guest")),
    ):
        whole = _file(head, scopes)
        definitions |= whole.pop("$defs")
        about = found["properties"][name]["description"]
        found["properties"] = {**found["properties"], name: {**whole, "description": about}}
    return {**found, "$defs": definitions}


def _entries() -> Schema:
    entry = {"$ref": "#/$defs/entry"}
    return {
        "type": "object",
        "additionalProperties": nullable(entry),
        "$defs": {"entry": model(InventoryEntry, WHOLE)},
    }


FILES: Mapping[str, tuple[str, Callable[[], Schema]]] = {
    "site": ("configs/site.yaml: the site's name, its defaults, what it allows, its secrets.", _site),
    "node": ("configs/nodes/<node>.yaml: what a node should be.", _node),
    "guest": ("configs/guests/<vmid>-<name>.yaml: what a guest should be, and what is inside it.", _guest),
    "profile": ("configs/profiles/<name>.yaml: what several nodes or guests share.", _profile),
    "hosts": ("inventory/hosts.yaml: how the nodes are reached.", _entries),
    "groups": ("inventory/groups.yaml: what several nodes share.", _entries),
    "defaults": (
        "inventory/defaults.yaml: what all nodes share.",
        lambda: dict(model(InventoryEntry, WHOLE)),
    ),
}
"""Every sort of file of a site: what it is, and how its schema is made."""
