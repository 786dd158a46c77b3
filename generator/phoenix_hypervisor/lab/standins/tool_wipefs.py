"""The stand-in for `wipefs -n`: lists signatures, erases nothing."""

import json
import os
import sys

import disks
import model
import zfs_options
from zfs_show import table

_LONG = {"no-act": "n", "json": "J", "noheadings": "i", "output=": "O"}
_COLUMNS = "DEVICE,OFFSET,TYPE,UUID,LABEL"


def main(argv: list[str]) -> int:
    options = zfs_options.parse("wipefs", argv, "nJiO:", _LONG)
    given = {_LONG.get(name, _LONG.get(name + "=", name)): value for name, value in options.pairs}
    columns = given.get("O", _COLUMNS).lower().split(",")
    if not set(columns) <= set(_COLUMNS.lower().split(",")):
        model.not_simulated("wipefs", argv)
    if not options.rest:
        model.not_simulated("wipefs", argv)
    state = model.read()
    rows: list[dict[str, str | None]] = []
    for path in options.rest:
        device = disks.find(state, path)
        if device is None:
            what = "Not a block device" if os.path.exists(model.path(path)) else "No such file or directory"
            print(f"wipefs: error: {path}: probing initialization failed: {what}", file=sys.stderr)
            return 1
        rows += [{key: row[key] for key in columns} for row in _signatures(device)]
    if "J" in given:
        print(_json(rows))
    elif rows:
        cells = [[row[key] or "" for key in columns] for row in rows]
        heading = [] if "i" in given else [[key.upper() for key in columns]]
        print("\n".join(table([*heading, *cells], [False] * len(columns), gap=" ")))
    return 0


def _signatures(device: disks.Device) -> list[dict[str, str | None]]:
    if not device.size:
        return []
    found = device.probe()
    rows = [
        _row(
            device, signature.kind, signature.offset, signature.tags.get("UUID"), signature.tags.get("LABEL")
        )
        for signature in found.content
    ]
    return rows + [_row(device, kind, offset, None, None) for kind, offset in found.table.offsets]


def _row(
    device: disks.Device, kind: str, offset: int, uuid: str | None, label: str | None
) -> dict[str, str | None]:
    return {"device": device.kname, "offset": f"0x{offset:x}", "type": kind, "uuid": uuid, "label": label}


def _json(rows: list[dict[str, str | None]]) -> str:
    if not rows:
        return '{\n   "signatures": [\n\n   ]\n}'
    texts = []
    for row in rows:
        lines = [f'         "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in row.items()]
        texts.append("{\n" + ",\n".join(lines) + "\n      }")
    return '{\n   "signatures": [\n      ' + ",".join(texts) + "\n   ]\n}"
