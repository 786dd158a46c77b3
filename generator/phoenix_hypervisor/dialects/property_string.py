"""Proxmox's property strings: `name=eth0,bridge=vmbr0,ip=dhcp`. One value may stand without its key.

Proxmox writes netN, mpN and devN with the value that stands alone first, then what is required, then
the rest by name; rootfs, features and startup it keeps as they were typed. So they are compared in
meaning: as mappings, each value in one spelling (pve-container 5.2, seen on 8.4).
"""

from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import ip_interface
from typing import NamedTuple

from . import sizes

Properties = Mapping[str, str]

_UNITS = "KMGT"


def boolean(value: str) -> str:
    """Return a switch as Proxmox writes it: `1` or `0`; anything else as it is."""
    word = value.lower()
    if word in ("1", "on", "yes", "true"):
        return "1"
    return "0" if word in ("0", "off", "no", "false") else value


def integer(value: str) -> str:
    """Return a whole number without leading zeros; anything else as it is."""
    return str(int(value)) if value.isascii() and value.isdigit() else value


def number(value: str) -> str:
    """Return a decimal number without superfluous zeros; anything else as it is."""
    whole, point, fraction = value.partition(".")
    if not (whole + fraction).isdecimal() or not value.isascii() or not whole:
        return value
    fraction = fraction.rstrip("0") if point else ""
    return integer(whole) + (f".{fraction}" if fraction else "")


def spelled_size(size: int) -> str:
    """Return a disk size as Proxmox writes it: the largest unit that divides it, so 0 is `0T`."""
    unit = ""
    for larger in _UNITS:
        if size % 1024:
            break
        size, unit = size // 1024, larger
    return f"{size}{unit}"


def size(value: str) -> str:
    """Return a disk size in the spelling Proxmox gives it; anything else as it is."""
    try:
        return spelled_size(sizes.parse(value))
    except ValueError:
        return value


def unordered(value: str) -> str:
    """Return a list inside a value (`nfs;cifs`) sorted, each word once."""
    return ";".join(sorted(set(value.replace(" ", ";").split(";")) - {""}))


def address(value: str) -> str:
    """Return an address or network address in its one spelling; `dhcp`, `auto` and `manual` as they are."""
    try:
        found = ip_interface(value)
    except ValueError:
        return value
    return str(found) if "/" in value else str(found.ip)


class Form(NamedTuple):
    """What is known of the property strings of one setting."""

    alone: str = ""
    """The key whose value may stand without it."""
    required: tuple[str, ...] = ()
    """Keys that are written next."""
    types: Mapping[str, Callable[[str], str]] = {}
    """Key → the function that gives its value one spelling."""
    defaults: Mapping[str, str] = {}
    """What a key that is left out means, in that one spelling."""


_VOLUME = {
    "size": size, "acl": boolean, "quota": boolean, "replicate": boolean, "ro": boolean, "shared": boolean,
    "backup": boolean, "mountoptions": unordered,
}  # fmt: skip
_OF_A_VOLUME = {"quota": "0", "replicate": "1", "ro": "0", "shared": "0"}

NET = Form(
    required=("name",),
    types={
        "firewall": boolean, "link_down": boolean, "mtu": integer, "tag": integer, "rate": number,
        "hwaddr": str.upper, "trunks": unordered,
        "ip": address, "ip6": address, "gw": address, "gw6": address,
    },
    defaults={"type": "veth", "firewall": "0", "link_down": "0", "ip": "manual", "ip6": "manual"},
)  # fmt: skip
MOUNT = Form("volume", ("mp",), _VOLUME, {**_OF_A_VOLUME, "backup": "0"})
ROOTFS = Form("volume", (), _VOLUME, _OF_A_VOLUME)
DEVICE = Form(
    "path",
    (),
    {"deny-write": boolean, "uid": integer, "gid": integer},
    {"deny-write": "0", "mode": "0660", "uid": "0", "gid": "0"},
)
_FEATURES = ("nesting", "keyctl", "fuse", "mknod", "force_rw_sys")
FEATURES = Form(
    types={"mount": unordered, **dict.fromkeys(_FEATURES, boolean)},
    defaults={"mount": "", **dict.fromkeys(_FEATURES, "0")},
)
STARTUP = Form("order", (), {"order": integer, "up": integer, "down": integer})
UNUSED = Form("volume")


def form_of(key: str) -> Form | None:
    """Return the form of a container's setting (`net0`, `rootfs`); None if it is no property string."""
    return {
        "net": NET, "mp": MOUNT, "rootfs": ROOTFS, "dev": DEVICE,
        "features": FEATURES, "startup": STARTUP, "unused": UNUSED,
    }.get(key.rstrip("0123456789"))  # fmt: skip


def parse(text: str, form: Form) -> dict[str, str]:
    """Read a property string, each value as it is written. Of a key that is there twice the last counts.

    A word that stands alone where none may is kept as a key with an empty value: it is a difference.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        key, sign, value = part.partition("=")
        if sign:
            found[key.strip()] = value.strip()
        elif form.alone and form.alone not in found:
            found[form.alone] = part.strip()
        else:
            found[part.strip()] = ""
    return found


def write(values: Properties, form: Form) -> str:
    """Return the property string as Proxmox would write it. Raises ValueError for a value it cannot hold."""
    order = [form.alone, *form.required]
    keys = [key for key in order if key in values]
    keys += sorted(key for key in values if key not in order)
    return ",".join(_part(key, values[key], form) for key in keys)


def _part(key: str, value: str, form: Form) -> str:
    if not value or value != value.strip() or "," in value or not value.isprintable():
        raise ValueError(f"`{value}` cannot be written as `{key}`: a property string holds no commas, "
                         "no line breaks, no blanks at the ends and no empty values")  # fmt: skip
    return value if key == form.alone and "=" not in value else f"{key}={value}"


@cache
def _meaning(text: str, key: str) -> Properties:
    form = form_of(key) or Form()
    return canonical(parse(text, form), form)


def meaning(text: str, key: str) -> Properties:
    """Return what a setting's property string says: every value in one spelling, defaults left out."""
    return _meaning(text, key.rstrip("0123456789"))


def canonical(values: Properties, form: Form) -> dict[str, str]:
    """Return values in one spelling, without those that say what is meant anyway."""
    plain = {key: form.types[key](value) if key in form.types else value for key, value in values.items()}
    return {key: value for key, value in plain.items() if form.defaults.get(key) != value}


def same(one: str, other: str, key: str) -> bool:
    """Tell whether two property strings of a setting say the same."""
    return meaning(one, key) == meaning(other, key)
