"""Datasets and snapshots in the model: their names, their order, the values of their properties.

Section "datasets": name → {type, guid, createtxg, objsetid, created, props (set here, canonical), mounted
(where, or empty), seq (order of mounting), origin, snapshots: {name → {guid, created, holds, used, …}}}.
"""

import os
import time

import model
import zfs_props
import zfs_real
from hints import Any
from zfs_options import RefusedError

Row = dict[str, Any]
_RESERVED = ("mirror", "raidz", "draid", "spare")


def every(state: model.Model) -> dict[str, Row]:
    if zfs_real.there():
        return zfs_real.datasets(state)
    return model.section(state, "datasets")


def pool_of(name: str) -> str:
    return name.partition("/")[0].partition("@")[0]


def parent_of(name: str) -> str:
    """Return the dataset above; empty for a pool's own."""
    return name.partition("@")[0] if "@" in name else name.rpartition("/")[0]


def below(state: model.Model, name: str) -> list[str]:
    """Return all descendants that are datasets, parents before children."""
    return sorted(other for other in every(state) if other.startswith(name + "/"))


def new_guid() -> str:
    return str(int.from_bytes(os.urandom(8), "little") | 1 << 63)


def next_txg(state: model.Model, pool: str) -> int:
    """Advance and return the pool's transaction number."""
    row = model.section(state, "pools")[pool]
    row["txg"] = int(row.get("txg", 4)) + 1
    return int(row["txg"])


def new(state: model.Model, name: str, kind: str, props: dict[str, str]) -> Row:
    """Add a dataset, not mounted."""
    txg = next_txg(state, pool_of(name))
    row: Row = {
        "type": kind,
        "guid": new_guid(),
        "createtxg": txg,
        "objsetid": txg * 2,
        "created": int(time.time()),
        "props": dict(props),
        "mounted": "",
        "snapshots": {},
    }
    every(state)[name] = row
    return row


def kind_of(state: model.Model, name: str) -> str:
    """Return filesystem, volume or snapshot; empty if it does not exist."""
    if "@" in name:
        fs, _, snap = name.partition("@")
        return "snapshot" if snap in every(state).get(fs, {}).get("snapshots", {}) else ""
    return str(every(state).get(name, {}).get("type", ""))


def existing(state: model.Model, name: str) -> Row:
    """Return the row of a dataset or snapshot, or refuse as all subcommands do."""
    if not kind_of(state, name):
        raise RefusedError(f"cannot open '{name}': {missing(name)}")
    return row_of(state, name)


def missing(name: str) -> str:
    return name_fault(name, snapshot="@" in name) or "dataset does not exist"


def row_of(state: model.Model, name: str) -> Row:
    if "@" in name:
        fs, _, snap = name.partition("@")
        row: Row = every(state)[fs]["snapshots"][snap]
        return row
    found: Row = every(state)[name]
    return found


def name_fault(name: str, snapshot: bool = False) -> str:
    """Say what is wrong with a name, in the tools' words; empty if nothing."""
    stem, _, snap = name.partition("@")
    if "@" in name and not snapshot:
        return "snapshot delimiter '@' is not expected here"
    if snapshot and not snap:
        return "empty component or misplaced '@' or '#' delimiter in name"
    if len(name) >= 256:
        return "name is too long"
    if name.startswith("/"):
        return "leading slash in name"
    if name.endswith("/"):
        return "trailing slash in name"
    for part in [*stem.split("/"), *([snap] if snapshot else [])]:
        if not part:
            return "empty component or misplaced '@' or '#' delimiter in name"
        if part in (".", ".."):
            return f"{'self' if part == '.' else 'parent'} reference, '{part}' is found in name"
        for letter in part:
            if not (letter.isascii() and letter.isalnum()) and letter not in "-_.: ":
                return f"invalid character '{letter}' in name"
    return "" if stem[0].isalpha() else "name must begin with a letter"


def pool_name_fault(name: str) -> str:
    """Say what is wrong with the name of a pool to be made."""
    if name.startswith(_RESERVED) or name == "log":
        return "name is reserved"
    if not name[:1].isalpha():
        return "name must begin with a letter"
    fault = name_fault(name)
    return fault.replace("in name", "in pool name")


def order(state: model.Model, name: str) -> tuple[str, int, str]:
    """Sort by name; snapshots after their dataset, oldest first."""
    fs, at, snap = name.partition("@")
    return fs, int(row_of(state, name)["createtxg"]) if at else 0, snap


def local(state: model.Model, name: str, prop: str) -> str | None:
    """Return what was set on exactly this one."""
    value = row_of(state, name)["props"].get(prop)
    return None if value is None else str(value)


def value(state: model.Model, name: str, prop: str) -> tuple[str, str]:
    """Return a settable property's canonical value and its source, as `zfs get` names it."""
    user = ":" in prop
    spec = None if user else zfs_props.TABLE[prop]
    if spec is not None and (not spec.applies(kind_of(state, name)) or not spec.at_creation):
        return "-", "-"
    own = local(state, name, prop)
    if own is not None:
        return own, "-" if spec is not None and spec.form == "fixed" else "local"
    if user or (spec is not None and spec.inherits):
        above = parent_of(name)
        while above:
            found = local(state, above, prop)
            if found is not None:
                if prop == "mountpoint" and found.startswith("/"):
                    found = found.rstrip("/") + name[len(above) :]
                return found, f"inherited from {above}"
            above = parent_of(above)
    if spec is None:
        return "-", "-"
    if prop == "mountpoint":
        return "/" + name, "default"
    return spec.default, "-" if spec.form == "fixed" else "default"
