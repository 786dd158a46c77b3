"""What a living virtual machine would be called in a guest's file: its conf, in the settings of `vm`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from ..containers.parts import Startup
from ..containers.spoken import (
    CannotBeSaidError,
    Readers,
    disk_size,
    mebibytes,
    number,
    said,
    storage_of,
    switch,
    text_of,
    valid,
    whole,
    words,
)
from ..dialects import qemu_conf, qemu_properties
from . import parts
from .conf import upcoming
from .settings import MARK, Settings

_IGNORED = frozenset({"name", "meta", "smbios1", "vmgenid", "digest", "template", "parent"})
"""What Proxmox keeps for itself, and what is said elsewhere."""
_CLOUD_INIT = frozenset(
    {"ciuser", "cipassword", "citype", "ciupgrade", "cicustom", "sshkeys", "nameserver", "searchdomain"}
)
"""Never shown: a password may be among them."""


class Adopted(NamedTuple):
    """The settings of a `vm` section, and what they do not say."""

    settings: dict[str, Any]
    left_out: tuple[str, ...]
    """Each a sentence for a person: what of the machine cannot be declared."""


def settings_of(
    text: str, name: str, running: bool = True, cards: Mapping[str, str] | None = None
) -> Adopted:
    """Describe a machine by its conf file's text, as it will be after its next start.

    `name` is that of the guest, as in its file's name; `cards` are the node's graphics cards, name → PCI
    address. What cloud-init gave it is not described: that has one chance, at the first start.
    """
    conf = qemu_conf.parse(text)
    keys = upcoming(conf)
    left: list[str] = []
    found: dict[str, Any] = {} if running else {"state": "stopped"}
    if conf.description:
        found["description"] = conf.description
    if keys.get("name", "") != name and keys.get("name"):
        found["hostname"] = keys["name"]
    elif not keys.get("name"):
        left.append(f"name: there is none; it will be `{name}`")
    if "agent" not in keys:
        found["agent"] = {"enabled": False}
    for key, value in sorted(keys.items()):
        try:
            _add(found, left, key, value)
        except CannotBeSaidError as cannot:
            left.append(f"{key}: {cannot}")
    _name_cards(found, {pci: card for card, pci in (cards or {}).items()})
    left += [*_refused(found), *_otherwise(conf)]
    return Adopted(found, tuple(left))


def is_template(text: str) -> bool:
    """Tell whether it is one that others are cloned from, and never runs."""
    return qemu_conf.parse(text).keys.get("template") == "1"


def _add(found: dict[str, Any], left: list[str], key: str, value: str) -> None:
    stem = key.rstrip("0123456789")
    if key in _IGNORED:
        return
    if key in _CLOUD_INIT or stem == "ipconfig":
        left.append(f"{key}: it is cloud-init's, which has its one chance at the first start; left alone")
    elif key in _PLAIN:
        own, reader = _PLAIN[key]
        if (declared := reader(value)) not in ([], {}):
            found[own] = declared
    elif key in ("efidisk0", "tpmstate0"):
        _add_state(found, key, value)
    elif stem in _KEYED and stem != key:
        section, keyed = _KEYED[stem]
        part = _parted(left, key, value, keyed)
        found.setdefault(section, {})[key] = part
    elif stem in qemu_properties.BUSES and stem != key:
        _add_drive(found, left, key, value)
    else:
        raise CannotBeSaidError(_why_not(key, value))


def _why_not(key: str, value: str) -> str:
    if key.startswith("unused"):
        return f"`{value}` belongs to the machine and is not attached; it is left alone"
    if key == "lock":
        return f"the machine is locked ({value}) at the moment"
    return f"`{value}` is no setting of `vm`; it is left alone"


def _add_state(found: dict[str, Any], key: str, value: str) -> None:
    """The firmware's variables, or the state of a TPM."""
    section, keyed = ("efi", _EFI) if key == "efidisk0" else ("tpm", _TPM)
    values = qemu_properties.parse(key, value)
    values.pop("size", "")
    storage = storage_of(values.pop("file", ""))
    if section == "efi" and values.pop("efitype", "2m") != "4m":
        raise CannotBeSaidError("its variables are of the old size (2m); it is left alone")
    found[section] = said(values, keyed.readers, keyed.model, storage=storage)


class _Keyed(NamedTuple):
    """How one of several is read: its properties, and our model of it."""

    readers: Readers
    model: Any


_DISK = _Keyed(
    {
        **{name: (name, switch) for name in ("ssd", "iothread", "backup", "replicate")},
        "size": ("size", disk_size),
        "discard": ("discard", lambda value: value == "on"),
        "cache": ("cache", text_of),
        "serial": ("serial", text_of),
        "ro": ("read_only", switch),
    },
    parts.Disk,
)
_NET = _Keyed(
    {
        **{name: (name, text_of) for name in ("model", "bridge")},
        **{name: (name, whole) for name in ("tag", "mtu", "queues")},
        **{name: (name, switch) for name in ("firewall", "link_down")},
        "macaddr": ("mac", text_of),
        "rate": ("rate", number),
        "trunks": ("trunks", lambda value: sorted(map(whole, words(value)))),
    },
    parts.Card,
)
_PCI = _Keyed(
    {
        "host": ("address", lambda value: value if value.count(":") > 1 else f"0000:{value}"),
        "mapping": ("mapping", text_of),
        "pcie": ("pcie", switch),
        "rombar": ("rombar", switch),
        "x-vga": ("primary", switch),
    },
    parts.Pci,
)
_EFI = _Keyed({"pre-enrolled-keys": ("secure_boot", switch)}, parts.Efi)
_TPM = _Keyed({"version": ("version", text_of)}, parts.Tpm)
_AGENT: Readers = {
    "enabled": ("enabled", switch),
    "freeze-fs-on-backup": ("freeze_on_backup", switch),
    "fstrim_cloned_disks": ("fstrim_after_clone", switch),
}
_STARTUP: Readers = {name: (name, whole) for name in ("order", "up", "down")}
_KEYED = {"net": ("net", _NET), "hostpci": ("pci", _PCI)}


def _parted(left: list[str], key: str, value: str, keyed: _Keyed) -> dict[str, Any]:
    """Return what can be declared of one; Proxmox keeps the rest of it, whatever we set."""
    values = qemu_properties.parse(key, value)
    if keyed is _PCI:
        values = {"pcie": "0", **values}
    return said(_known(left, key, values, keyed), keyed.readers, keyed.model)


def _known(left: list[str], key: str, values: Mapping[str, str], keyed: _Keyed) -> dict[str, str]:
    unknown = [f"{name}={value}" for name, value in values.items() if name not in keyed.readers]
    if unknown:
        left.append(f"{key}: `{','.join(unknown)}` cannot be declared; it is left alone")
    return {name: value for name, value in values.items() if name in keyed.readers}


def _add_drive(found: dict[str, Any], left: list[str], key: str, value: str) -> None:
    values = qemu_properties.parse(key, value)
    if values.pop("media", "disk") != "disk":
        raise CannotBeSaidError("a drive for media is left alone")
    storage = storage_of(values.pop("file", ""))
    valid(parts.DiskKey, key)
    known = _known(left, key, values, _DISK)
    found.setdefault("disks", {})[key] = said(known, _DISK.readers, _DISK.model, storage=storage)


def _agent(value: str) -> dict[str, Any]:
    values = {"enabled": "0", **qemu_properties.parse("agent", value)}
    if values.pop("type", "virtio") != "virtio":
        raise CannotBeSaidError("it talks over another line than usual")
    return said(values, _AGENT, parts.Agent)


def _startup(value: str) -> dict[str, Any]:
    return said(qemu_properties.parse("startup", value), _STARTUP, Startup)


def _boot(value: str) -> list[str]:
    order = qemu_properties.boot_order(value)
    if not order:
        raise CannotBeSaidError(f"`{value}` names no devices in order; it is left alone")
    return order


def _serial(value: str) -> bool:
    if value != "socket":
        raise CannotBeSaidError(f"`{value}` is no socket; it is left alone")
    return True


def _hotplug(value: str) -> list[str]:
    return [word for word in qemu_properties.plain("hotplug", value).split(",") if word]


def _tags(value: str) -> list[str]:
    return [tag for tag in words(value) if tag != MARK]


_TEXTS = ("cpu", "machine", "bios", "scsihw", "ostype", "vga", "hookscript")
_PLAIN: dict[str, tuple[str, Callable[[str], Any]]] = {
    **{name: (name, text_of) for name in _TEXTS},
    **{name: (name, switch) for name in ("numa", "tablet", "onboot", "protection")},
    **{name: (name, whole) for name in ("cores", "sockets", "cpuunits")},
    **{name: (name, mebibytes) for name in ("memory", "balloon")},
    "cpulimit": ("cpulimit", number),
    "agent": ("agent", _agent),
    "boot": ("boot", _boot),
    "hotplug": ("hotplug", _hotplug),
    "serial0": ("serial", _serial),
    "startup": ("startup", _startup),
    "tags": ("tags", _tags),
}


def _name_cards(found: dict[str, Any], cards: Mapping[str, str]) -> None:
    """Say graphics cards that are given with all their functions by the cards' names."""
    for device in found.get("pci", {}).values():
        address = device.get("address", "")
        card = cards.get(f"{address}.0") if "." not in address else None
        if card is not None:
            del device["address"]
            device["gpu"] = card


def _refused(found: dict[str, Any]) -> Iterator[str]:
    """Take out what our own model refuses, and say so."""
    try:
        Settings.model_validate({"name": "100", **found})
    except ValidationError as error:
        for wrong in error.errors():
            key = str(wrong["loc"][0]) if wrong["loc"] else ""
            if key in found:
                yield f"{key}: `{found.pop(key)}` cannot be declared ({wrong['msg']}); it is left alone"


def _otherwise(conf: qemu_conf.Conf) -> Iterator[str]:
    for key, value in sorted(conf.waiting.items()):
        if key not in _CLOUD_INIT:
            will = "will be gone" if value is None else f"will be `{value}`"
            yield f"{key}: it {will} after the machine's next start, and is described so"
    for line in conf.active.unread:
        yield f"`{line}`: Proxmox cannot read this line, and drops it when it writes the file next"
