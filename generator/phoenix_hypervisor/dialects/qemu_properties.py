"""Property strings of virtual machines: `virtio=BC:24:11:00:00:02,bridge=vmbr0,firewall=1`.

They are compared in meaning: as mappings, each value in one spelling, defaults left out. Proxmox writes netN
and disks with the value that stands alone first and the rest by name; all else stays as it was typed
(qemu-server 8.3, seen on 8.4).
"""

from collections.abc import Mapping
from functools import cache

from .property_string import (
    Form,
    Properties,
    address,
    boolean,
    canonical,
    integer,
    number,
    size,
    unordered,
)
from .property_string import parse as parsed
from .property_string import write as written

MODELS = (
    "e1000", "e1000-82540em", "e1000-82544gc", "e1000-82545em", "e1000e", "i82551", "i82557b", "i82559er",
    "ne2k_isa", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3",
)  # fmt: skip
"""What a network card can be; as a key, its value is the card's address."""
BUSES = {"ide": 4, "sata": 6, "scsi": 31, "virtio": 16}
"""Disks hang on these → how many on each."""

_SWITCHES = ("acpi", "autostart", "freeze", "kvm", "localtime", "numa", "onboot", "protection", "reboot",
             "tablet", "tdf", "template", "ciupgrade", "keephugepages")  # fmt: skip
_NUMBERS = ("balloon", "cores", "cpuunits", "memory", "shares", "smp", "sockets", "vcpus", "snaptime")
DEFAULTS = {
    "acpi": "1", "autostart": "0", "bios": "seabios", "cores": "1", "cpulimit": "0", "freeze": "0",
    "kvm": "1", "memory": "512", "numa": "0", "onboot": "0", "protection": "0", "reboot": "1",
    "scsihw": "lsi", "shares": "1000", "sockets": "1", "tablet": "1", "tdf": "0", "template": "0",
    "vmgenid": "1", "ciupgrade": "1", "hotplug": "network,disk,usb", "ostype": "other", "localtime": "0",
}  # fmt: skip
"""What a key that is not there means (qm.conf(5))."""

DISK = Form(
    "file",
    (),
    {
        "size": size, "backup": boolean, "iothread": boolean, "replicate": boolean, "ro": boolean,
        "shared": boolean, "snapshot": boolean, "ssd": boolean, "queues": integer,
    },
    {
        "media": "disk", "replicate": "1", "backup": "1", "shared": "0", "discard": "ignore", "ssd": "0",
        "iothread": "0", "ro": "0", "cache": "none",
    },
)  # fmt: skip
EFI = Form(
    "file", (), {"size": size, "pre-enrolled-keys": boolean}, {"efitype": "2m", "pre-enrolled-keys": "0"}
)
TPM = Form("file", (), {"size": size}, {"version": "v1.2"})
NET = Form(
    "model",
    (),
    {
        "macaddr": str.upper, "firewall": boolean, "link_down": boolean, "mtu": integer, "queues": integer,
        "rate": number, "tag": integer, "trunks": unordered,
    },
    {"firewall": "0", "link_down": "0"},
)  # fmt: skip
IPCONFIG = Form(types={"ip": address, "gw": address, "ip6": address, "gw6": address})
AGENT = Form(
    "enabled",
    (),
    dict.fromkeys(("enabled", "freeze-fs-on-backup", "fstrim_cloned_disks"), boolean),
    {"enabled": "0", "freeze-fs-on-backup": "1", "fstrim_cloned_disks": "0", "type": "virtio"},
)
HOSTPCI = Form(
    "host",
    (),
    dict.fromkeys(("pcie", "rombar", "x-vga", "legacy-igd"), boolean),
    {"pcie": "0", "rombar": "1", "x-vga": "0", "legacy-igd": "0"},
)
CPU = Form("cputype", (), {"hidden": boolean, "flags": unordered}, {"hidden": "0"})
MACHINE = Form("type", (), {}, {"type": "pc"})
VGA = Form("type", (), {"memory": integer}, {"type": "std"})
STARTUP = Form("order", (), dict.fromkeys(("order", "up", "down"), integer))
RNG = Form("source")
UNUSED = Form("file")


def form_of(key: str) -> Form | None:
    """Return the form of a setting (`net0`, `scsi1`); None if it is no property string."""
    stem = key.rstrip("0123456789")
    if stem in BUSES and stem != key:
        return DISK
    return {
        "net": NET, "efidisk": EFI, "tpmstate": TPM, "ipconfig": IPCONFIG, "agent": AGENT,
        "hostpci": HOSTPCI, "cpu": CPU, "machine": MACHINE, "vga": VGA, "startup": STARTUP, "rng": RNG,
        "unused": UNUSED,
    }.get(stem)  # fmt: skip


def is_disk(key: str) -> bool:
    """Tell whether a key holds a volume that is attached: a disk, a drive, EFI variables, a TPM's state."""
    return key in ("efidisk0", "tpmstate0") or form_of(key) is DISK


def scalar(key: str, value: str) -> str:
    """Return a setting that is no property string in the spelling Proxmox gives it when it reads it."""
    if key in _SWITCHES:
        return boolean(value)
    return integer(value) if key in _NUMBERS else value


def parse(key: str, text: str) -> dict[str, str]:
    """Read a property string. A card's model is always under `model`, its address under `macaddr`."""
    form = form_of(key) or Form()
    found = parsed(text, form)
    if form is NET:
        for model in MODELS:
            if model in found:
                mac = found.pop(model)
                found |= {"model": model, **({"macaddr": mac} if mac else {})}
    if form in (DISK, EFI, TPM, UNUSED) and "volume" in found:
        found["file"] = found.pop("volume")
    return found


def write(key: str, values: Properties) -> str:
    """Return a property string as Proxmox would write it. Raises ValueError for a value it cannot hold."""
    form = form_of(key) or Form()
    if form is NET and "macaddr" in values:
        rest = {name: value for name, value in values.items() if name not in ("model", "macaddr")}
        card = f"{values.get('model', 'virtio')}={values['macaddr']}"
        return ",".join([card, *([written(rest, form)] if rest else [])])
    return written(values, form)


@cache
def meaning(key: str, text: str) -> Properties:
    """Return what a setting says: every value in one spelling, defaults left out."""
    form = form_of(key)
    if form is None:
        return {"": plain(key, text)}
    return canonical(parse(key, text), form)


def plain(key: str, text: str) -> str:
    """Return the one spelling of a setting that is no property string."""
    if key == "boot":
        return ";".join(boot_order(text))
    if key == "hotplug":
        words = {"1": DEFAULTS["hotplug"], "0": ""}.get(text, text)
        return ",".join(sorted(set(words.replace(";", ",").split(",")) - {""}))
    if key == "cpulimit":
        return number(text)
    return scalar(key, text)


def boot_order(text: str) -> list[str]:
    """Return the devices to boot from, in order: `order=scsi0;net0`."""
    found = parsed(text, Form("legacy"))
    return [name for name in found.get("order", "").split(";") if name]


def same(key: str, one: str, other: str) -> bool:
    """Tell whether two values of a setting say the same."""
    return meaning(key, one) == meaning(key, other)


def mac_of(text: str) -> str:
    """Return a network card's address; empty if it has none yet."""
    return parse("net0", text).get("macaddr", "").upper()


def volumes(keys: Mapping[str, str]) -> dict[str, str]:
    """Return key → volume of all disks and drives that lie on a storage, unused ones too."""
    found = {}
    for key, text in keys.items():
        if is_disk(key) or form_of(key) is UNUSED:
            volume = parse(key, text).get("file", "")
            if volume not in ("none", "cdrom") and not volume.startswith("/"):
                found[key] = volume
    return found
