"""The settings of a virtual machine as they are declared, and what follows from them alone."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..budgets import MEMORY, THREADS, Takes, storage
from ..containers.parts import MIB, Ready, Startup, Window
from ..containers.settings import GuestName, HostName, Tag, Volume
from ..fields import Size
from ..resource import GuestFacts, Kind
from . import cloud_init
from .cloud_init import CloudInit
from .parts import Agent, Card, Disk, DiskKey, Efi, NetKey, Pci, PciKey, Shutdown, Tpm

MARK = "phoenix"
"""The tag on guests of ours; nobody declares it."""
BOOT_DISK = "scsi0"
"""Where the image's disk hangs: what a clone begins with."""
DRIVE = "ide2"
"""Where the cloud-init drive hangs."""
DEFAULT_MEMORY = 512 * MIB
Memory = Annotated[Size, Field(ge=16 * MIB)]
Boot = Annotated[str, Field(pattern=r"^(scsi|virtio|sata|ide|net|hostpci|usb)[0-9]+$")]


class Settings(Kind):
    """The fields of a machine's section. What Proxmox calls them and allows is in qm.conf(5)."""

    scope: ClassVar[Literal["node", "host", "guest"]] = "guest"
    inhabited: ClassVar[bool] = True
    manners: ClassVar[frozenset[str]] = frozenset(
        {
            "image", "clone_mode", "restart", "restart_window", "ready", "shutdown", "lock_wait", "after",
            "destroy_volumes",
        }
    )  # fmt: skip

    name: Annotated[str, Field(pattern=r"^[1-9][0-9]{2,8}$")]
    state: Literal["running", "stopped", "absent"] = "running"  # type: ignore[assignment]  # its own words
    image: str | None = None
    clone_mode: Literal["full", "linked"] = "full"
    hostname: HostName | None = None
    description: Annotated[str, Field(max_length=8192)] | None = None
    tags: frozenset[Tag] | None = None
    cores: Annotated[int, Field(ge=1, le=512)] | None = None
    sockets: Annotated[int, Field(ge=1, le=4)] | None = None
    cpu: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(,[a-z-]+=[^,\s]+)*$")] | None = None
    cpulimit: Annotated[float, Field(ge=0, le=128)] | None = None
    cpuunits: Annotated[int, Field(ge=1, le=10000)] | None = None
    numa: bool | None = None
    memory: Memory | None = None
    balloon: Annotated[Size, Field(ge=0)] | None = None
    machine: Annotated[str, Field(pattern=r"^(pc|q35|pc-(i440fx|q35)-\d+(\.\d+)+)$")] | None = None
    bios: Literal["seabios", "ovmf"] | None = None
    efi: Efi | None = None
    tpm: Tpm | None = None
    scsihw: (
        Literal["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"] | None
    ) = None
    ostype: Literal["l26", "l24", "other", "win10", "win11"] | None = None
    vga: (
        Annotated[str, Field(pattern=r"^(std|virtio|virtio-gl|qxl|cirrus|vmware|none|serial[0-3])$")] | None
    ) = None
    serial: bool | None = None
    tablet: bool | None = None
    hotplug: tuple[Literal["network", "disk", "cpu", "memory", "usb"], ...] | None = None
    boot: tuple[Boot, ...] | None = None
    onboot: bool | None = None
    startup: Startup | None = None
    protection: bool | None = None
    hookscript: Volume | None = None
    agent: Agent = Agent()
    disks: dict[DiskKey, Disk] = Field(default_factory=dict)
    net: dict[NetKey, Card] = Field(default_factory=dict)
    pci: dict[PciKey, Pci] = Field(default_factory=dict)
    cloud_init: CloudInit | None = None
    restart: Literal["manual", "auto", "window"] = "manual"
    restart_window: Window | None = None
    ready: Ready = Ready(seconds=300)
    shutdown: Shutdown = Shutdown()
    lock_wait: Annotated[int, Field(ge=0, le=86400)] = 60
    after: tuple[GuestName, ...] = ()
    destroy_volumes: bool = False

    @model_validator(mode="after")
    def _fits(self) -> "Settings":
        for name in ("memory", "balloon"):
            value = getattr(self, name)
            if value is not None and value % MIB:
                raise ValueError(f"`{name}` must be whole MiB")
        if self.balloon and self.balloon > (self.memory or DEFAULT_MEMORY):
            raise ValueError("`balloon` is the least memory it has: at most as much as `memory`")
        if self.bios == "ovmf" and self.efi is None:
            raise ValueError(
                "`bios: ovmf` needs `efi` with a storage: where the firmware keeps its variables"
            )
        if self.efi is not None and self.bios != "ovmf":
            raise ValueError("`efi` belongs to `bios: ovmf`")
        if any(one.pcie for one in self.pci.values()) and "q35" not in (self.machine or ""):
            raise ValueError("PCI Express needs `machine: q35`; `pcie: false` does without")
        if (self.restart == "window") != (self.restart_window is not None):
            raise ValueError("`restart: window` and `restart_window` belong together")
        return self

    @model_validator(mode="after")
    def _disks(self) -> "Settings":
        for key, disk in self.disks.items():
            if key == BOOT_DISK and self.image:
                if self.clone_mode == "linked" and disk.storage:
                    raise ValueError(f"a linked clone lies on its image's storage: leave out `{key}.storage`")
            elif not (disk.storage and disk.size):
                raise ValueError(f"the disk `{key}` needs `storage` and `size`")
            if key.startswith(("sata", "ide")) and disk.iothread:
                raise ValueError(f"`{key}` knows no `iothread`")
            if key.startswith("virtio") and disk.ssd:
                raise ValueError(f"`{key}` knows no `ssd`")
        return self

    # What follows from them, and from what is given.

    @property
    def vmid(self) -> str:
        """The machine's number."""
        return self.name

    @property
    def guest(self) -> GuestFacts | None:
        """What the files say of the guest besides."""
        return next((given.value for given in self.given("guest")), None)

    @property
    def guest_name(self) -> str:
        """The guest's name."""
        return self.guest.name if self.guest else f"VM{self.vmid}"

    @property
    def called(self) -> str:
        """How people are told which machine is meant."""
        return f"vm:{self.vmid} {self.guest_name}"

    @property
    def ssh(self) -> tuple[str, int] | None:
        """Where it is reached by ssh, when that is the way in."""
        return self.guest.ssh if self.guest else None

    @property
    def own_hostname(self) -> str:
        """The name Proxmox and the machine itself know it by."""
        return self.hostname or self.guest_name

    @property
    def hosts_pci(self) -> dict[str, str]:
        """Key → the address of each of its PCI devices; empty for a mapping."""
        cards: Mapping[str, Any] = next((one.value for one in self.given("gpus")), {})
        return {
            key: pci.address or str(cards.get(pci.gpu or "", {}).get("pci", "")).partition(".")[0]
            for key, pci in self.pci.items()
        }

    @property
    def parts(self) -> frozenset[str]:
        """Names of what it has several of: noted on the node, so that what is declared no longer is known."""
        return frozenset(
            [
                *(f"net.{key}" for key in self.net),
                *(f"disks.{key}" for key in self.disks),
                *(f"pci.{key}" for key in self.pci),
                *(f"tags.{tag}" for tag in self.tags or ()),
                *(["efi"] if self.efi else []),
                *(["tpm"] if self.tpm else []),
            ]
        )

    @property
    def seed(self) -> str:
        """The path of its user-data on the node; empty without cloud-init."""
        return f"{self._snippets}/phoenix-{self.vmid}-user.yaml" if self.cloud_init else ""

    @property
    def meta(self) -> str:
        """The path of its meta-data."""
        return f"{self._snippets}/phoenix-{self.vmid}-meta.yaml" if self.cloud_init else ""

    @property
    def _snippets(self) -> str:
        own = self.cloud_init.snippets if self.cloud_init else ""
        path = next((one.value.get("path") for one in self.given("storage") if one.key == own), None)
        return f"{path or '/var/lib/vz'}/snippets"

    @property
    def cicustom(self) -> str:
        """The documents of its cloud-init drive that are ours."""
        if self.cloud_init is None:
            return ""
        own = self.cloud_init.snippets
        return ",".join(f"{kind}={own}:snippets/phoenix-{self.vmid}-{kind}.yaml" for kind in ("meta", "user"))

    @property
    def user_data(self) -> str:
        """Its user-data, with placeholders for hashes of passwords."""
        own = self.cloud_init
        return cloud_init.user_data(own, self.own_hostname, self.agent.enabled) if own else ""

    @property
    def meta_data(self) -> str:
        """Its meta-data."""
        return cloud_init.meta_data(self.vmid, self.own_hostname)

    def takes(self) -> Iterator[tuple[str, Takes]]:
        """Yield what it takes of its node: memory and threads if it starts with it, room for disks."""
        if self.onboot:
            yield MEMORY, Takes(self.memory or DEFAULT_MEMORY, "memory")
            yield from [(THREADS, Takes(self.cores * (self.sockets or 1), "cores"))] if self.cores else []
        for key, disk in self.disks.items():
            if disk.storage and disk.size:
                yield storage(disk.storage), Takes(disk.size, f"disks.{key}.size")

    @property
    def rests(self) -> bool:
        """Whether it may rightly not run."""
        return self.state == "stopped"
