"""What a container's settings are made of: interfaces, mounts, devices, and how Proxmox writes each.

Bounds and words are those of Proxmox's own schema (`pct.conf(5)`, PVE::LXC::Config of pve-container 5.2). A
part is declared as a whole: what it leaves out is what Proxmox does without it.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_interface
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..dialects import property_string
from ..fields import AbsolutePath, Size

GIB = 1 << 30
MIB = 1 << 20


class Part(BaseModel):
    """A part of a container's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def switch(value: bool) -> str:
    """Return a switch as Proxmox writes it."""
    return "1" if value else "0"


def _interface(version: int, *words: str) -> AfterValidator:
    def checked(value: str) -> str:
        if value in words:
            return value
        found = ip_interface(value)
        if "/" not in value or found.version != version:
            raise ValueError(
                f"must be an IPv{version} address with its length (`10.0.0.5/24`), or {' or '.join(words)}"
            )
        return str(found)

    return AfterValidator(checked)


def _gateway(version: int) -> AfterValidator:
    def checked(value: str) -> str:
        found = ip_address(value)
        if found.version != version:
            raise ValueError(f"must be an IPv{version} address")
        return str(found)

    return AfterValidator(checked)


def _trunks(tags: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(tags)))


Storage = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$")]
Bridge = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=15)]
Interface = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", min_length=2, max_length=15)]
Mac = Annotated[
    str,
    Field(pattern=r"^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$"),
    AfterValidator(str.upper),
]
"""A unicast address: the lowest bit of the first byte is 0 (`mac-addr` of PVE::JSONSchema)."""
Vlan = Annotated[int, Field(ge=1, le=4094)]
MountOption = Literal["discard", "lazytime", "noatime", "nodev", "noexec", "nosuid"]
Id = Annotated[int, Field(ge=0, le=65535)]
VolumeSize = Annotated[Size, Field(ge=4 * MIB)]
DeviceMode = Annotated[str, Field(pattern=r"^0[0-7]{3}$")]
DevicePath = Annotated[AbsolutePath, Field(pattern=r"^/dev/[^,]+$")]
Target = Annotated[AbsolutePath, Field(pattern=r"^[^,]+$")]


class Net(Part):
    """An interface of the container, on a bridge of the node."""

    bridge: Bridge
    ip: Annotated[str, _interface(4, "dhcp", "manual")] | None = None
    gw: Annotated[str, _gateway(4)] | None = None
    ip6: Annotated[str, _interface(6, "dhcp", "auto", "manual")] | None = None
    gw6: Annotated[str, _gateway(6)] | None = None
    mac: Mac | None = None
    tag: Vlan | None = None
    mtu: Annotated[int, Field(ge=64, le=65535)] | None = None
    rate: Annotated[float, Field(gt=0)] | None = None
    firewall: bool = False
    link_down: bool = False
    trunks: Annotated[tuple[Vlan, ...], AfterValidator(_trunks)] = ()

    def properties(self, name: str) -> dict[str, str]:
        """Return it as Proxmox writes it; without an address of its own, that one is Proxmox's to choose."""
        texts = {
            "name": name, "bridge": self.bridge, "hwaddr": self.mac,
            "ip": self.ip, "gw": self.gw, "ip6": self.ip6, "gw6": self.gw6,
        }  # fmt: skip
        found = {key: text for key, text in texts.items() if text is not None}
        numbers = {"tag": self.tag, "mtu": self.mtu, "rate": self.rate}
        found |= {
            key: property_string.number(str(value)) for key, value in numbers.items() if value is not None
        }
        if self.trunks:
            found["trunks"] = ";".join(map(str, self.trunks))
        for key, on in {"firewall": self.firewall, "link_down": self.link_down}.items():
            found |= {key: "1"} if on else {}
        return found


class Disk(Part):
    """What the root file system and volumes have in common."""

    size: VolumeSize | None = None
    mountoptions: frozenset[MountOption] = frozenset()
    acl: bool | None = None
    quota: bool = False
    replicate: bool = True
    shared: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Those of them that Proxmox has to be told."""
        found = {"mountoptions": ";".join(sorted(self.mountoptions))} if self.mountoptions else {}
        found |= {"acl": switch(self.acl)} if self.acl is not None else {}
        found |= {"replicate": "0"} if not self.replicate else {}
        return found | {key: "1" for key in ("quota", "shared") if getattr(self, key)}


class Rootfs(Disk):
    """The root file system: where it is made, and how large it is at least."""

    storage: Storage | None = None
    ro: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Those of its options that Proxmox has to be told."""
        return super().options | ({"ro": "1"} if self.ro else {})


class Mount(Disk):
    """A folder of the node (`source`), or a volume of the container's own (`storage` and `size`)."""

    source: Target | None = None
    storage: Storage | None = None
    read_only: bool = False
    backup: bool = False
    uid: Id | None = None
    gid: Id | None = None

    @model_validator(mode="after")
    def _one_sort(self) -> "Mount":
        if (self.source is None) == (self.storage is None):
            raise ValueError("needs `source` (a folder of the node) or `storage` (a volume of its own)")
        if self.storage is not None and self.size is None:
            raise ValueError("a volume needs a `size`")
        if self.source is not None and self.size is not None:
            raise ValueError("`size` belongs to a volume; `source` is a folder of the node")
        if self.storage is not None and (self.uid is not None or self.gid is not None):
            raise ValueError("`uid` and `gid` belong to a folder of the node: `source`")
        return self

    @property
    def options(self) -> dict[str, str]:
        """Those of its options that Proxmox has to be told."""
        own = {"ro": self.read_only, "backup": self.backup}
        return super().options | {key: "1" for key, on in own.items() if on}

    def properties(self, target: str, volume: str) -> dict[str, str]:
        """Return it as Proxmox writes it, `volume` being the folder, the volume's id, or what to allocate."""
        return {"volume": volume, "mp": target, **self.options}

    @property
    def allocation(self) -> str:
        """What makes Proxmox allocate its volume: `STORAGE:GIB`."""
        return allocation(self.storage or "", self.size or 0)


def allocation(storage: str, size: int) -> str:
    """Return what makes Proxmox allocate a volume; the number is in GiB and may have a fraction (pct(1))."""
    return f"{storage}:{property_string.number(f'{size / GIB:.10f}')}"


class Device(Part):
    """A device of the node that the container gets."""

    mode: DeviceMode | None = None
    uid: Id | None = None
    gid: Id | None = None
    deny_write: bool = False

    def properties(self, path: str) -> dict[str, str]:
        """Return it as Proxmox writes it."""
        numbers = {"uid": self.uid, "gid": self.gid}
        found = {"path": path, **{key: str(value) for key, value in numbers.items() if value is not None}}
        found |= {"mode": self.mode} if self.mode is not None else {}
        return found | ({"deny-write": "1"} if self.deny_write else {})


class Features(Part):
    """What an unprivileged container is allowed besides. All but `nesting` only root can set."""

    nesting: bool = False
    keyctl: bool = False
    fuse: bool = False
    mknod: bool = False
    force_rw_sys: bool = False
    mount: frozenset[Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]+$")]] = frozenset()

    @property
    def properties(self) -> dict[str, str]:
        """Those that are on, as Proxmox writes them."""
        names = ("nesting", "keyctl", "fuse", "mknod", "force_rw_sys")
        found = {name: "1" for name in names if getattr(self, name)}
        return found | ({"mount": ";".join(sorted(self.mount))} if self.mount else {})


class Startup(Part):
    """In which order guests are started with the node, and how long to wait before the next; in seconds."""

    order: Annotated[int, Field(ge=0)] | None = None
    up: Annotated[int, Field(ge=0)] | None = None
    down: Annotated[int, Field(ge=0)] | None = None

    @property
    def properties(self) -> dict[str, str]:
        """Its numbers as Proxmox writes them."""
        numbers = {"order": self.order, "up": self.up, "down": self.down}
        return {key: str(value) for key, value in numbers.items() if value is not None}


def _one_line(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise ValueError("must be a command for the guest's shell")
    return text


class Ready(Part):
    """When the container counts as started."""

    network: bool = False
    """It has an address other than the loopback's."""
    command: Annotated[str, AfterValidator(_one_line)] | None = None
    """Text for the guest's `sh`, which must end with 0."""
    seconds: Annotated[int, Field(ge=1, le=3600)] = 60


class SharedIds(Part):
    """Users and groups that are the same inside and on the node: id in the container → id on the node."""

    uids: dict[Id, int] = {}
    gids: dict[Id, int] = {}


_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _window(text: str) -> str:
    found = _WINDOW.fullmatch(text)
    if not found or found[1] + found[2] == found[3] + found[4]:
        raise ValueError("must be two times of the day, like `02:00-04:00`")
    return text


Window = Annotated[str, AfterValidator(_window)]
"""Between two times of the day by the node's clock; `22:00-02:00` goes over midnight."""


def in_window(window: str, clock: str) -> bool:
    """Tell whether a time of the day (`03:15`) lies in a window."""
    start, _, end = window.partition("-")
    return start <= clock < end if start < end else clock >= start or clock < end


def raw_values(raw: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return the values of raw keys as texts; one that stands alone is a list of one."""
    return {
        key: tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)
        for key, value in raw.items()
    }
