"""The stand-in for `lsblk`: the lab's disks, with what their bytes say."""

import json
import sys

import disks
import model
import signatures
import zfs_options
from zfs_sizes import pretty

_DEFAULT = "NAME,MAJ:MIN,RM,SIZE,RO,TYPE,MOUNTPOINTS"
_FS = "NAME,FSTYPE,FSVER,LABEL,UUID,FSAVAIL,FSUSE%,MOUNTPOINTS"
_RIGHT = {"SIZE", "RM", "RO", "ROTA", "FSAVAIL", "FSUSE%"}
_MORE = "KNAME,PKNAME,PATH,MOUNTPOINT,SERIAL,MODEL,PTTYPE,PTUUID,PARTUUID,PARTLABEL,PARTTYPE,ROTA,TRAN,WWN"
_KNOWN = {column for columns in (_DEFAULT, _FS, _MORE) for column in columns.split(",")}
_LONG = {
    "json": "J", "bytes": "b", "output=": "o", "nodeps": "d", "noheadings": "n", "raw": "r", "list": "l",
    "paths": "p", "pairs": "P", "fs": "f",
}  # fmt: skip

Value = str | int | bool | list[str | None] | None
Row = dict[str, Value]


def main(argv: list[str]) -> int:
    options = zfs_options.parse("lsblk", argv, "Jbo:dnrlpPf", _LONG)
    given = {_LONG.get(name, _LONG.get(name + "=", name)) for name, _ in options.pairs}
    words = [value for name, value in options.pairs if name in ("o", "output")]
    default = _FS if "f" in given else _DEFAULT
    columns = (words[-1] if words else default).upper().split(",")
    for column in columns:
        if column not in _KNOWN:
            print(f"lsblk: unknown column: {column}", file=sys.stderr)
            return 1
    state = model.read()
    chosen, missing = [], 0
    for path in options.rest:
        device = disks.find(state, path)
        if device is None:
            print(f"lsblk: {path}: not a block device", file=sys.stderr)
            missing += 1
        else:
            chosen.append(device)
    if not options.rest:
        chosen = disks.every(state)
    trees = [_Node(device, columns, given) for device in chosen]
    if trees and "J" in given:
        _print_json(trees)
    elif trees:
        _print_plain(trees, columns, given)
    return 0 if not missing else 64 if chosen else 32


class _Node:
    """A device's row and those of its partitions."""

    def __init__(self, device: disks.Device, columns: list[str], given: set[str]) -> None:
        facts = _facts(device)
        if "p" in given:
            facts["NAME"] = facts["KNAME"] = facts["PATH"]
        if "b" not in given:
            facts["SIZE"] = pretty_size(int(str(facts["SIZE"])))
        self.row = {column: facts.get(column) for column in columns}
        deeper = not device.part and "d" not in given
        self.children = [_Node(part, columns, given) for part in disks.partitions(device)] if deeper else []


def pretty_size(size: int) -> str:
    """Spell a size as util-linux does: at most one decimal."""
    text = pretty(size)
    unit = text[-1]
    exponent = "BKMGTPE".index(unit)
    number = f"{size / (1 << (10 * exponent)):.1f}".removesuffix(".0")
    return number + unit


def _facts(device: disks.Device) -> Row:
    found = device.probe() if device.size else None
    first = found.first if found else None
    tags = first.tags if first else {}
    mountpoint = device.mountpoint or None
    kind = "part" if device.part else "loop" if device.is_loop else "disk"
    number = sum(ord(letter) for letter in device.disk) % 4096 * 16
    facts: Row = {
        "NAME": device.kname,
        "KNAME": device.kname,
        "PATH": "/dev/" + device.kname,
        "PKNAME": device.disk if device.part else None,
        "TYPE": kind,
        "SIZE": device.size or int(device.row.get("size") or 0),
        "FSTYPE": (first.kind if first else None) or device.row.get("fstype"),
        "FSVER": tags.get("VERSION"),
        "LABEL": tags.get("LABEL"),
        "UUID": tags.get("UUID"),
        "MOUNTPOINT": mountpoint,
        "MOUNTPOINTS": [mountpoint],
        "SERIAL": None if device.part else device.row.get("serial"),
        "MODEL": None if device.part else device.row.get("model"),
        "TRAN": "nvme" if device.disk.startswith("nvme") else None,
        "MAJ:MIN": f"{7 if device.is_loop else 259}:{number + device.part}",
        "RM": False,
        "RO": False,
        "ROTA": False,
    }
    if found is not None and not device.part:
        facts |= {"PTTYPE": found.table.kind or None, "PTUUID": found.table.uuid or None}
    return facts | (_partition_facts(device) if device.part and device.size else {})


def _partition_facts(device: disks.Device) -> Row:
    whole = signatures.table(device.file, device.start + device.size)
    entry = next(entry for entry in whole.entries if entry.number == device.part)
    return {
        "PTTYPE": whole.kind,
        "PTUUID": whole.uuid,
        "PARTUUID": entry.uuid,
        "PARTLABEL": entry.name or None,
        "PARTTYPE": entry.type_id,
    }


def _print_json(trees: list[_Node]) -> None:
    print('{\n   "blockdevices": [\n      ' + ",".join(_json(tree, 6) for tree in trees) + "\n   ]\n}")


def _json(tree: _Node, indent: int) -> str:
    """Write one device with util-linux' own indentation."""
    deep = " " * (indent + 3)
    cells = tree.row.items()
    lines = [f'{deep}"{name.lower()}": {_json_value(value, indent)}' for name, value in cells]
    if tree.children:
        below = ",".join(_json(child, indent + 6) for child in tree.children)
        lines.append(f'{deep}"children": [\n{deep}   {below}\n{deep}]')
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"


def _json_value(value: Value, indent: int) -> str:
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    rows = ",".join(f"\n{' ' * (indent + 7)}{json.dumps(each, ensure_ascii=False)}" for each in value)
    return f"[{rows}\n{' ' * (indent + 3)}]"


def _print_plain(trees: list[_Node], columns: list[str], given: set[str]) -> None:
    flat = bool(given & {"r", "l", "P"})
    rows = [row for tree in trees for row in _lines(tree, columns, flat)]
    if "P" in given:
        for row in rows:
            print(" ".join(f'{name}="{text}"' for name, text in zip(columns, row, strict=True)))
        return
    if "n" not in given:
        rows = [columns, *rows]
    if "r" in given:
        print("\n".join(" ".join(text.replace(" ", "\\x20") for text in row) for row in rows))
        return
    widths = [max(len(row[n]) for row in [columns, *rows]) for n in range(len(columns))]
    if "n" in given:
        widths = [max(len(row[n]) for row in rows) for n in range(len(columns))]
    for row in rows:
        cells = [
            text.rjust(width) if name in _RIGHT else text.ljust(width)
            for name, text, width in zip(columns, row, widths, strict=True)
        ]
        if columns[-1] not in _RIGHT:
            cells[-1] = row[-1]
        print(" ".join(cells))


def _lines(tree: _Node, columns: list[str], flat: bool, lead: str = "") -> list[list[str]]:
    cells = [_text(tree.row[name]) for name in columns]
    if "NAME" in columns and not flat:
        cells[columns.index("NAME")] = lead + cells[columns.index("NAME")]
    rows = [cells]
    for child in tree.children:
        branch = "" if flat else "└─" if child is tree.children[-1] else "├─"
        rows += _lines(child, columns, flat, branch)
    return rows


def _text(value: Value) -> str:
    if isinstance(value, list):
        return " ".join(each for each in value if each)
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)
