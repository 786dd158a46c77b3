"""What is declared of a machine as its conf file, and what differs between two conf files, by attribute.

Both sides go through the same reader: the conf as it would be written for the declaration, and the conf
that is there. An attribute is named as in the files, or as Proxmox does: `memory`, `disks.scsi1.size`.
"""

from collections.abc import Iterable, Mapping

from ..containers.conf import KEPT, VOLUME
from ..containers.parts import MIB, switch
from ..dialects import property_string, qemu_conf, qemu_properties
from . import seen
from .parts import Disk, number
from .settings import BOOT_DISK, DRIVE, MARK, Settings

_OURS = {
    "net": {"model", "bridge", "tag", "mtu", "rate", "firewall", "link_down", "trunks", "queues"},
    "disk": {"ssd", "discard", "iothread", "cache", "backup", "replicate", "ro", "serial"},
    "efi": {"efitype", "pre-enrolled-keys"},
    "tpm": {"version"},
}
"""The properties that can be declared. Others are kept and not looked at."""
_FIXED = {"net": {"macaddr"}, "disk": {"file", "size"}}
PLAIN = (
    "cores", "sockets", "cpu", "cpuunits", "machine", "bios", "scsihw", "ostype", "vga", "hookscript",
)  # fmt: skip
SWITCHES = ("numa", "tablet", "onboot", "protection")
Attributes = dict[str, object]


def plain(vm: Settings) -> dict[str, str]:
    """Return the declared settings that stand alone, as Proxmox writes them; empty for one that should go."""
    found: dict[str, str | None] = {
        "name": vm.own_hostname,
        "memory": str(vm.memory // MIB) if vm.memory is not None else None,
        "balloon": str(vm.balloon // MIB) if vm.balloon is not None else None,
        "cpulimit": number(vm.cpulimit) if vm.cpulimit is not None else None,
        "startup": written("startup", vm.startup.properties) if vm.startup else None,
        "agent": written("agent", vm.agent.properties),
        "boot": f"order={';'.join(vm.boot)}" if vm.boot is not None else None,
        "hotplug": (",".join(vm.hotplug) or "0") if vm.hotplug is not None else None,
        "serial0": ("socket" if vm.serial else "") if vm.serial is not None else None,
        "cicustom": vm.cicustom if vm.cloud_init else None,
    }
    for key in PLAIN:
        value = getattr(vm, key)
        found[key] = str(value) if value is not None else None
    for key in SWITCHES:
        value = getattr(vm, key)
        found[key] = switch(value) if value is not None else None
    for key in ("nameserver", "searchdomain"):
        words = getattr(vm.cloud_init, key, None)
        found[key] = " ".join(words) if words is not None else None
    return {key: value for key, value in found.items() if value is not None}


def written(key: str, values: Mapping[str, str]) -> str:
    """Return a property string as Proxmox writes it."""
    return qemu_properties.write(key, values) if values else ""


def rendered(vm: Settings) -> str:
    """Return the conf that Proxmox would write for what is declared, placeholders for what it chooses."""
    keys = {key: value for key, value in plain(vm).items() if value}
    keys["tags"] = ";".join(sorted({MARK, *(vm.tags or ())}))
    for key, card in vm.net.items():
        keys[key] = written(key, card.card(KEPT))
        if vm.cloud_init and card.addresses:
            keys[f"ipconfig{key.removeprefix('net')}"] = written("ipconfig0", card.addresses)
    for key, disk in vm.disks.items():
        size = {"size": property_string.spelled_size(disk.size)} if disk.size else {}
        keys[key] = written(key, {"file": f"{disk.storage or '<storage>'}:{VOLUME}", **disk.options, **size})
    if vm.efi:
        keys["efidisk0"] = written("efidisk0", {"file": f"{vm.efi.storage}:{VOLUME}", **vm.efi.options})
    if vm.tpm:
        keys["tpmstate0"] = written("tpmstate0", {"file": f"{vm.tpm.storage}:{VOLUME}", **vm.tpm.options})
    if vm.cloud_init:
        file = f"{vm.cloud_init.storage}:vm-{vm.vmid}-cloudinit"
        keys[DRIVE] = written(DRIVE, {"file": file, "media": "cdrom"})
    for key, pci in vm.pci.items():
        keys[key] = written(key, pci.properties(vm.hosts_pci[key]))
    active = qemu_conf.Section(vm.description or "", keys)
    return qemu_conf.write(qemu_conf.Conf(active, qemu_conf.Section(), {}))


def upcoming(conf: qemu_conf.Conf) -> Mapping[str, str]:
    """Return the settings as they will be after the next start."""
    if not conf.waiting:
        return conf.keys
    found: dict[str, str | None] = {**conf.keys, **conf.waiting}
    return {key: value for key, value in found.items() if value is not None}


def attributes(
    vm: Settings, keys: Mapping[str, str], description: str, noted: frozenset[str] = frozenset()
) -> Attributes:
    """Return what settings say of everything that is declared, or noted as made by us, by attribute."""
    found: Attributes = {key: value_of(key, keys.get(key)) for key in plain(vm)}
    if vm.description is not None:
        found["description"] = description
    names = {*(vm.tags or ()), *_noted(noted, "tags")}
    if names:
        found["tags"] = sorted(names.intersection(seen.tags(keys)))
    for key in _all(vm.net, noted, "net"):
        also = {"macaddr"} if key in vm.net and vm.net[key].mac else set()
        found[f"net.{key}"] = _part(keys, key, _OURS["net"] | also)
        if vm.cloud_init:
            found[f"addresses.{key}"] = value_of("ipconfig0", keys.get(f"ipconfig{key.removeprefix('net')}"))
    for key in _all(vm.disks, noted, "disks"):
        found |= _disk(vm.disks.get(key), keys, key)
    for key in _all(vm.pci, noted, "pci"):
        found[f"pci.{key}"] = spelled(qemu_properties.meaning(key, keys[key])) if key in keys else None
    if vm.efi or "efi" in noted:
        found["efi"] = _state(keys, "efidisk0", _OURS["efi"])
    if vm.tpm or "tpm" in noted:
        found["tpm"] = _state(keys, "tpmstate0", _OURS["tpm"])
    if vm.cloud_init:
        found["cloud_init.storage"] = _storage(keys, DRIVE)
    return found


def desired(vm: Settings, noted: frozenset[str]) -> Attributes:
    """Return the attributes as they should be."""
    conf = qemu_conf.parse(rendered(vm))
    return attributes(vm, conf.keys, conf.description, noted)


def actual(vm: Settings, conf: qemu_conf.Conf, noted: frozenset[str]) -> Attributes:
    """Return the attributes as they will be after the next start: what waits is told by `waiting`."""
    return attributes(vm, upcoming(conf), conf.description, noted)


def active(vm: Settings, now: seen.Seen) -> Attributes:
    """Return the attributes as a running machine has them."""
    return attributes(vm, now.conf.keys, now.conf.description, now.note.parts)


def waiting(vm: Settings, now: seen.Seen) -> list[str]:
    """Return the attributes that are as declared in the conf, and not yet in the running machine."""
    if not now.running:
        return []
    conf, noted = now.conf, now.note.parts
    wanted, after, before = desired(vm, noted), actual(vm, conf, noted), active(vm, now)
    found = [name for name in after if before.get(name) != after[name] == wanted.get(name)]
    for key in sorted(qemu_conf.unlike_drive(now.text)):
        name = key.replace("ipconfig", "addresses.net")
        if name in after and after[name] == wanted.get(name) and key != "cicustom" and name not in found:
            found.append(name)
    return found


def value_of(key: str, text: str | None) -> str:
    """Return a setting's value in its one spelling; what is not there means its default."""
    if text is None:
        text = qemu_properties.DEFAULTS.get(key, "")
    if qemu_properties.form_of(key):
        return spelled(qemu_properties.meaning(key, text))
    if key in ("nameserver", "searchdomain"):
        return " ".join(qemu_conf.deletions(text))
    if key == "cicustom":
        return ",".join(sorted(text.split(",")))
    return qemu_properties.plain(key, text)


def _part(keys: Mapping[str, str], key: str, wanted: set[str]) -> str | None:
    if key not in keys:
        return None
    found = qemu_properties.meaning(key, keys[key])
    return spelled({name: value for name, value in found.items() if name in wanted})


def _disk(declared: Disk | None, keys: Mapping[str, str], key: str) -> Attributes:
    name = f"disks.{key}"
    found: Attributes = {name: _part(keys, key, _OURS["disk"])}
    if declared is None or key not in keys:
        return found
    meaning = qemu_properties.meaning(key, keys[key])
    if declared.storage:
        found[f"{name}.storage"] = meaning.get("file", "").partition(":")[0]
    if declared.size:
        found[f"{name}.size"] = meaning.get("size", "")
    return found


def _state(keys: Mapping[str, str], key: str, wanted: set[str]) -> str | None:
    options = _part(keys, key, wanted)
    return options if options is None else ",".join(filter(None, (f"storage={_storage(keys, key)}", options)))


def _storage(keys: Mapping[str, str], key: str) -> str | None:
    if key not in keys:
        return None
    return qemu_properties.parse(key, keys[key]).get("file", "").partition(":")[0]


def kept(text: str, key: str) -> dict[str, str]:
    """Return the properties of a card or disk that are not to be declared, as they are written."""
    kind = "net" if key.startswith("net") else "disk"
    said = _OURS[kind] | _FIXED[kind]
    return {name: value for name, value in qemu_properties.parse(key, text).items() if name not in said}


def spelled(values: Mapping[str, str]) -> str:
    """Return properties as one text, in the order of their names."""
    return ",".join(f"{key}={values[key]}" for key in sorted(values))


def _all(declared: Iterable[str], noted: frozenset[str], part: str) -> list[str]:
    return list(dict.fromkeys([*declared, *sorted(_noted(noted, part))]))


def _noted(noted: frozenset[str], part: str) -> set[str]:
    return {name.removeprefix(f"{part}.") for name in noted if name.startswith(f"{part}.")}


__all__ = [
    "BOOT_DISK",
    "active",
    "actual",
    "attributes",
    "desired",
    "kept",
    "plain",
    "rendered",
    "upcoming",
    "waiting",
]
