"""The stand-in for `blkid`: what the bytes of a disk say, in blkid's words."""

import disks
import model
import signatures
import zfs_options
from disks import Device

# the cache that plain blkid shows does not have these
_LOW_LEVEL = ("VERSION", "USAGE")


def main(argv: list[str]) -> int:
    options = zfs_options.parse("blkid", argv, "po:s:c:", ("probe", "output=", "match-tag="))
    form = options.last("o") or options.last("output") or "full"
    low_level = "p" in options or "probe" in options
    wanted = options.every("s") + options.every("match-tag")
    if form not in ("full", "export", "value", "device") or (low_level and not options.rest):
        model.not_simulated("blkid", argv)
    state = model.read()
    found = 0
    for device, name in _devices(state, options.rest):
        tags = _tags(device, low_level)
        if low_level and wanted == [] and not tags:
            continue
        tags = {key: text for key, text in tags.items() if not wanted or key in wanted}
        if not tags:
            continue
        if found and form == "export":
            print()
        found += 1
        print(_line(name, tags, form))
    return 0 if found else 2


def _devices(state: model.Model, paths: list[str]) -> list[tuple[Device, str]]:
    if paths:
        given = [(disks.find(state, path), path) for path in paths]
        return [(device, path) for device, path in given if device is not None]
    every = [part for disk in disks.every(state) for part in (disk, *disks.partitions(disk))]
    return [(device, "/dev/" + device.kname) for device in every]


def _line(name: str, tags: dict[str, str], form: str) -> str:
    if form == "device":
        return name
    if form == "value":
        return "\n".join(tags.values())
    if form == "export":
        return "\n".join([f"DEVNAME={name}", *(f"{key}={_escaped(text)}" for key, text in tags.items())])
    return f"{name}: " + " ".join(f'{key}="{text}"' for key, text in tags.items())


def _escaped(text: str) -> str:
    return "".join("\\" + letter if letter in " \"'\\$`<>|&;()" else letter for letter in text)


def _tags(device: Device, low_level: bool) -> dict[str, str]:
    """Return the tags in blkid's order."""
    if not device.size:
        return {}
    found = device.probe()
    tags: dict[str, str] = {}
    if found.first is not None:
        tags = {**found.first.tags, "TYPE": found.first.kind, "USAGE": found.first.usage}
    if found.table.kind and found.first is None:
        tags |= {"PTUUID": found.table.uuid, "PTTYPE": found.table.kind}
    if device.part:
        tags |= _partition(device, low_level)
    return {key: text for key, text in tags.items() if low_level or key not in _LOW_LEVEL}


def _partition(device: Device, low_level: bool) -> dict[str, str]:
    table = signatures.table(device.file, device.start + device.size)
    entry = next(entry for entry in table.entries if entry.number == device.part)
    if not low_level:
        return {**({"PARTLABEL": entry.name} if entry.name else {}), "PARTUUID": entry.uuid}
    return {
        "PART_ENTRY_SCHEME": table.kind,
        **({"PART_ENTRY_NAME": entry.name} if entry.name else {}),
        "PART_ENTRY_UUID": entry.uuid,
        "PART_ENTRY_TYPE": entry.type_id,
        "PART_ENTRY_NUMBER": str(entry.number),
        "PART_ENTRY_OFFSET": str(entry.start // 512),
        "PART_ENTRY_SIZE": str(entry.size // 512),
    }
