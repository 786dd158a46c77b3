"""/etc/pve/storage.cfg: read and rewritten as Proxmox does, with its habits.

`local` is always there and always at /var/lib/vz; `content` and `nodes` are written in random order; options
of no known type are warned about and lost at the next write.
"""

import fcntl
import os
import sys
from contextlib import contextmanager

import model
from hints import Iterator
from storage_rules import CONTENT, SETS, TYPES, options, words

FILE = "/etc/pve/storage.cfg"
Storage = dict[str, str]
"""Options of one storage, with its type as `type`."""


@contextmanager
def locked() -> Iterator[None]:
    """Hold the cluster-wide lock for changes of storage.cfg."""
    with open(os.path.join(model.FOLDER, "storage.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def text() -> str:
    try:
        with open(model.path(FILE), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def digest() -> str:
    import hashlib

    return hashlib.sha1(text().encode(), usedforsecurity=False).hexdigest()


def load() -> dict[str, Storage]:
    """Return all storages in the file's order."""
    found: dict[str, Storage] = {}
    current: Storage | None = None
    for number, line in enumerate(text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            kind, _, name = (part.strip() for part in line.partition(":"))
            current = None
            if kind in TYPES and name:
                current = found[name] = {"type": kind}
            else:
                print(
                    f"file {FILE} line {number} (skip section '{name}'): unsupported type '{kind}'",
                    file=sys.stderr,
                )
        elif current is not None:
            _option(current, line.strip(), number, list(found)[-1])
    local = found.get("local")
    if local is None:
        everything = "backup,images,iso,rootdir,snippets,vztmpl"
        local = {"type": "dir", "content": everything, "prune-backups": "keep-all=1"}
        found = {"local": local, **found}
    local.update(type="dir", path="/var/lib/vz")
    for storage in found.values():
        storage.setdefault("content", ",".join(CONTENT[storage["type"]][1].split()))
    return found


def _option(storage: Storage, line: str, number: int, name: str) -> None:
    key, _, value = line.partition(" ")
    if key in options(storage["type"]):
        storage[key] = value.strip() or "1"
    else:
        problem = f"unable to parse value of '{key}': unexpected property '{key}'"
        print(f"file {FILE} line {number} (section '{name}') - {problem}", file=sys.stderr)


def save(storages: dict[str, Storage]) -> None:
    """Write all storages in one go."""
    final = model.path(FILE)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    with open(final + ".new", "w", encoding="utf-8") as file:
        file.write("".join(_section(name, storage) for name, storage in storages.items()))
    os.replace(final + ".new", final)


def _section(name: str, storage: Storage) -> str:
    known = options(storage["type"])
    lines = [f"{storage['type']}: {name}"]
    if storage.get("disable") == "1":
        lines.append("\tdisable")
    required = [key for key, mark in known.items() if mark in ("!", "*")]
    others = [key for key in known if key not in required and key != "disable"]
    lines += [
        f"\t{key} {_shuffled(storage[key]) if key in SETS else storage[key]}"
        for key in (*required, *others)
        if key in storage
    ]
    return "\n".join(lines) + "\n\n"


def _shuffled(value: str) -> str:
    return ",".join(sorted(dict.fromkeys(words(value)), key=lambda _: os.urandom(4)))


def here(storage: Storage) -> bool:
    """Say whether a storage is meant for this node."""
    nodes = words(storage.get("nodes", ""))
    return not nodes or str(model.read().get("hostname", "localhost")) in nodes


def content(storage: Storage) -> list[str]:
    return words(storage.get("content", ""))
