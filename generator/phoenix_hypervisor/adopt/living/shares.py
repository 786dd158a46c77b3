"""Exports and shares as they are on a node: those in files of ours; what others wrote is never taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dialects import exports as dialect
from ...dialects import samba
from ...kinds.nfs_export import file_of
from ...kinds.samba_share import FOLDER, SHOWN, SPECIAL
from .found import Found, Left, Thing

_USUAL = frozenset(dialect.canonical(()).split(","))
_SWITCHES = frozenset({"read_only", "browseable", "guest_ok"})


def exports(answers: Mapping[str, str]) -> Found:
    """Yield the directories that are exported."""
    for file, table in dialect.files(answers["exports"]).items():
        for path, clients in table.items():
            settings = {"clients": {client: _words(options) for client, options in clients.items()}}
            if file == file_of(path):
                yield Thing("nfs_export", path, settings)
            else:
                whom = ", ".join(clients)
                why = f"{file} exports it to {whom}: take it out there before it is declared"
                yield Left("nfs_export", path, why)


def _words(options: str) -> list[str]:
    """The options that are not usual, and whether it may be written to."""
    words = options.split(",")
    return [word for word in words if word in ("ro", "rw") or word not in _USUAL]


def shares(answers: Mapping[str, str]) -> Found:
    """Yield the shares of the Samba server."""
    for file, sections in samba.files(answers["shares"]).items():
        own = file.removeprefix(f"{FOLDER}/").removesuffix(".conf") if file.startswith(f"{FOLDER}/") else ""
        for name, parameters in sections.items():
            if name == own.lower() and own:
                yield Thing("samba_share", own, _settings(parameters))
            elif name not in SPECIAL:
                why = f"{file} defines it: take it out there before it is declared"
                yield Left("samba_share", name, why)


def _settings(parameters: Mapping[str, str]) -> dict[str, Any]:
    fields = {parameter: field for field, parameter in SHOWN.items()}
    found: dict[str, Any] = {"path": parameters.get("path", "")}
    options = {}
    for name, value in parameters.items():
        field = fields.get(name)
        if name == "valid users":
            found["valid_users"] = value.split()
        elif field in _SWITCHES:
            found[str(field)] = value == "yes"
        elif field:
            found[field] = value
        elif name != "path":
            options[name] = value
    return found | ({"options": options} if options else {})
