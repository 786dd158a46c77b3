"""What a machine's settings are made of: disks, network cards, PCI devices, and how Proxmox writes each.

Bounds and words are those of Proxmox's own schema (qm.conf(5), PVE::QemuServer of qemu-server 8.3). What has
the same meaning as for containers (addresses, startup, when it is ready) is theirs.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ..containers.parts import MIB, Net, Part, Storage, allocation, switch
from ..dialects import property_string
from ..dialects.qemu_properties import MODELS
from ..fields import Account, Size
from ..secrets import Secret

GIB = 1 << 30
DiskKey = Annotated[str, Field(pattern=r"^(scsi([0-9]|[12][0-9]|30)|virtio([0-9]|1[0-5])|sata[0-5])$")]
NetKey = Annotated[str, Field(pattern=r"^net([0-9]|[12][0-9]|3[01])$")]
PciKey = Annotated[str, Field(pattern=r"^hostpci([0-9]|1[0-5])$")]
DiskSize = Annotated[Size, Field(ge=MIB)]
Model = Annotated[str, Field(pattern=f"^({'|'.join(map(re.escape, MODELS))})$")]
PciAddress = Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}(\.[0-7])?$")]


class Disk(Part):
    """A disk of the machine's own. Its size is the least it has: no disk is made smaller."""

    size: DiskSize | None = None
    storage: Storage | None = None
    ssd: bool = False
    discard: bool = False
    iothread: bool = False
    cache: Literal["none", "writethrough", "writeback", "unsafe", "directsync"] = "none"
    backup: bool = True
    replicate: bool = True
    read_only: bool = False
    serial: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")] | None = None

    @property
    def options(self) -> dict[str, str]:
        """Those of its options that Proxmox has to be told."""
        found = {"discard": "on"} if self.discard else {}
        found |= {"cache": self.cache} if self.cache != "none" else {}
        found |= {"serial": self.serial} if self.serial else {}
        on = {"ssd": self.ssd, "iothread": self.iothread, "ro": self.read_only}
        found |= {key: "1" for key, value in on.items() if value}
        return found | {key: "0" for key in ("backup", "replicate") if not getattr(self, key)}

    @property
    def allocation(self) -> str:
        """What makes Proxmox allocate its volume: `STORAGE:GIB`."""
        return allocation(self.storage or "", self.size or 0)


class Efi(Part):
    """Where the firmware keeps its variables."""

    storage: Storage
    secure_boot: bool = False
    """With Microsoft's and the distributions' keys in it."""

    @property
    def options(self) -> dict[str, str]:
        """Its options as Proxmox writes them."""
        return {"efitype": "4m", "pre-enrolled-keys": switch(self.secure_boot)}


class Tpm(Part):
    """The state of an emulated TPM."""

    storage: Storage
    version: Literal["v1.2", "v2.0"] = "v2.0"

    @property
    def options(self) -> dict[str, str]:
        """Its options as Proxmox writes them."""
        return {"version": self.version}


class Card(Net):
    """A network card on a bridge of the node, with the addresses that cloud-init gives it."""

    model: Model = "virtio"
    queues: Annotated[int, Field(ge=1, le=64)] | None = None

    @model_validator(mode="after")
    def _addresses(self) -> "Card":
        if "manual" in (self.ip, self.ip6):
            raise ValueError("leave the address out: cloud-init knows no `manual`")
        for address, gateway in (("ip", "gw"), ("ip6", "gw6")):
            if getattr(self, gateway) and "/" not in str(getattr(self, address)):
                raise ValueError(f"`{gateway}` belongs to an address of its own in `{address}`")
        return self

    def card(self, mac: str = "") -> dict[str, str]:
        """Return the card as Proxmox writes it; without an address, that one is Proxmox's to choose."""
        found = self.properties("")
        for key in ("name", "hwaddr", "ip", "gw", "ip6", "gw6"):
            found.pop(key, None)
        found |= {"queues": str(self.queues)} if self.queues is not None else {}
        address = self.mac or mac
        return {"model": self.model, **found, **({"macaddr": address} if address else {})}

    @property
    def addresses(self) -> dict[str, str]:
        """Its addresses as `ipconfigN` has them; empty for none."""
        texts = {"ip": self.ip, "gw": self.gw, "ip6": self.ip6, "gw6": self.gw6}
        return {key: text for key, text in texts.items() if text is not None}


class Pci(Part):
    """A PCI device: a card by its name, an address (`0000:05:00`, or a function of it), a mapping."""

    gpu: Account | None = None
    """A card of the node's `hardware: gpus:`, with all its functions."""
    address: PciAddress | None = None
    mapping: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]+$")] | None = None
    pcie: bool = True
    rombar: bool = True
    primary: bool = False
    """It is the machine's screen (`x-vga`)."""

    @model_validator(mode="after")
    def _one_of_three(self) -> "Pci":
        if len([one for one in (self.gpu, self.address, self.mapping) if one]) != 1:
            raise ValueError("needs one of `gpu`, `address` and `mapping`")
        return self

    def properties(self, address: str) -> dict[str, str]:
        """Return it as Proxmox writes it; `address` is that of a card."""
        found = {"mapping": self.mapping} if self.mapping else {"host": self.address or address}
        found |= {"pcie": "1"} if self.pcie else {}
        found |= {"rombar": "0"} if not self.rombar else {}
        return found | ({"x-vga": "1"} if self.primary else {})


class Agent(Part):
    """The guest agent. Without it nobody sees inside."""

    enabled: bool = True
    freeze_on_backup: bool = True
    fstrim_after_clone: bool = False

    @property
    def properties(self) -> dict[str, str]:
        """It as Proxmox writes it."""
        found = {"enabled": switch(self.enabled)}
        found |= {"freeze-fs-on-backup": "0"} if not self.freeze_on_backup else {}
        return found | ({"fstrim_cloned_disks": "1"} if self.fstrim_after_clone else {})


class Shutdown(Part):
    """How it is shut down: how long to wait, and what to do with one that does not obey."""

    seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    then: Literal["fail", "stop", "wait"] = "fail"
    """`fail`: it is said, and the machine runs on. `stop`: it is ended. `wait`: once more as long."""


def _one_line(text: str) -> str:
    if "\n" in text or not text.strip():
        raise ValueError("must be one line")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
Package = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]


class User(Part):
    """A user whom cloud-init makes at the first start."""

    gecos: Line | None = None
    groups: tuple[Account, ...] = ()
    shell: Line = "/bin/bash"
    sudo: Literal["none", "password", "all"] = "none"
    """`all`: without a password."""
    keys: tuple[Line, ...] = ()
    """Public keys that may log in."""
    password: Secret | None = None


class File(Part):
    """A file that cloud-init writes at the first start."""

    content: str
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0644"
    owner: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*:[a-z_][a-z0-9_-]*$")] = "root:root"
    after_packages: bool = False
    """Written once packages and users are there (`defer`)."""


def number(value: float) -> str:
    """Return a decimal number as Proxmox writes it."""
    return property_string.number(str(value))
