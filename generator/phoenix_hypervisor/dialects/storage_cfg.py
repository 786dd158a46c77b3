"""/etc/pve/storage.cfg: sections `type: id` with indented `key value` lines.

Proxmox writes `content` in random order, leaves defaults out, and knows a storage `local` that the
file need not hold (pve-storage, seen on 8.4).
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

SETS = frozenset({"content", "nodes"})
BOOLEANS = frozenset({"shared", "sparse", "disable", "is_mountpoint"})


class Storage(NamedTuple):
    """One storage: its type, and its options in canonical spelling."""

    type: str
    options: Mapping[str, str]


@cache
def parse(text: str) -> Mapping[str, Storage]:
    """Read the file's text into id → Storage."""
    found: dict[str, Storage] = {}
    options: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0] in " \t":
            key, _, value = line.strip().partition(" ")
            options[key] = canonical(key, value.strip())
        else:
            kind, _, name = line.partition(":")
            options = {}
            found[name.strip()] = Storage(kind.strip(), options)
    return found


@cache
def states(text: str) -> Mapping[str, str]:
    """Read `pvesm status` into id → `active`, `inactive` or `disabled`."""
    rows = (line.split() for line in text.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def template_folder(storages: Mapping[str, Storage], name: str) -> str:
    """Return the folder in which a storage keeps appliance templates; empty when it is not known here."""
    return _folder(storages, name, "vztmpl", "template/cache")


def backup_folder(storages: Mapping[str, Storage], name: str) -> str:
    """Return the folder in which a storage keeps backups; empty when it is not known here."""
    return _folder(storages, name, "backup", "dump")


def _folder(storages: Mapping[str, Storage], name: str, content: str, usual: str) -> str:
    found = storages.get(name)
    if found is None:
        return f"/var/lib/vz/{usual}" if name == "local" else ""
    folders = dict(part.split("=", 1) for part in found.options.get("content-dirs", "").split(",") if part)
    base = found.options.get("path", f"/mnt/pve/{name}")
    return f"{base}/{folders.get(content, usual).strip('/')}"


def canonical(key: str, value: str) -> str:
    """Return an option's value in one spelling: sets sorted, switches as 0 or 1."""
    if key in SETS:
        return ",".join(sorted(part for part in value.replace(" ", ",").split(",") if part))
    if key in BOOLEANS and not value.startswith("/"):
        return "1" if value.lower() in ("1", "yes", "true", "on", "") else "0"
    return value
