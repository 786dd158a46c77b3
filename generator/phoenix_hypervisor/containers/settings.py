"""The settings of a container as they are declared, and what follows from them alone."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, StrictInt, StrictStr, model_validator

from ..budgets import MEMORY, THREADS, Takes, storage
from ..dialects import lxc_conf
from ..fields import RuleError, Size
from ..resource import GuestFacts, Kind
from . import fingerprint as layers
from . import idmap
from .devices import of_cards
from .parts import (
    MIB,
    Device,
    DevicePath,
    Features,
    Interface,
    Mount,
    Net,
    Ready,
    Rootfs,
    SharedIds,
    Startup,
    Target,
    Window,
    raw_values,
)

DEFAULT_MEMORY = 512 * MIB
"""What Proxmox gives a container of which nobody says it (pct.conf)."""
APPARMOR = "lxc.apparmor.profile"
GENERATED, UNCONFINED = "generated", "unconfined"
MARK = "phoenix"
"""The tag on guests of ours; nobody declares it."""


def _raw(value: object) -> object:
    return raw_values(value) if isinstance(value, dict) else value


GuestName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
HostName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$")
]
Word = Annotated[str, Field(pattern=r"^[^\s,;]+$")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9_][a-z0-9_+.-]*$")]
"""Proxmox writes tags in small letters (pve-tag of PVE::JSONSchema)."""
Memory = Annotated[Size, Field(ge=16 * MIB)]
Swap = Annotated[Size, Field(ge=0)]
RawKey = Annotated[str, Field(pattern=r"^lxc\.[a-z0-9_.-]+$")]
Volume = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*:[^\s,]+$")]


class Settings(Kind):
    """The fields of a container's section. What Proxmox calls them and allows is in pct.conf(5)."""

    scope: ClassVar[Literal["node", "host", "guest"]] = "guest"
    inhabited: ClassVar[bool] = True
    manners: ClassVar[frozenset[str]] = frozenset(
        {
            "template", "clone", "clone_mode", "restart", "restart_window", "ready", "shutdown_seconds",
            "lock_wait", "after", "destroy_volumes",
        }
    )  # fmt: skip

    name: Annotated[str, Field(pattern=r"^[1-9][0-9]{2,8}$")]
    state: Literal["running", "stopped", "absent"] = "running"  # type: ignore[assignment]  # its own words
    template: str | None = None
    clone: GuestName | None = None
    clone_mode: Literal["full", "linked"] = "full"
    hostname: HostName | None = None
    description: Annotated[str, Field(max_length=8192)] | None = None
    tags: frozenset[Tag] | None = None
    cores: Annotated[int, Field(ge=1, le=8192)] | None = None
    cpulimit: Annotated[float, Field(ge=0, le=8192)] | None = None
    cpuunits: Annotated[int, Field(ge=1, le=10000)] | None = None
    memory: Memory | None = None
    swap: Swap | None = None
    nameserver: tuple[Word, ...] | None = None
    searchdomain: tuple[Word, ...] | None = None
    onboot: bool | None = None
    startup: Startup | None = None
    protection: bool | None = None
    features: Features | None = None
    hookscript: Volume | None = None
    timezone: Word | None = None
    console: bool | None = None
    tty: Annotated[int, Field(ge=0, le=6)] | None = None
    cmode: Literal["tty", "console", "shell"] | None = None
    unprivileged: bool = True
    arch: Literal["amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"] | None = None
    ostype: Word | None = None
    rootfs: Rootfs | None = None
    net: dict[Interface, Net] = Field(default_factory=dict)
    mounts: dict[Target, Mount] = Field(default_factory=dict)
    devices: dict[DevicePath, Device] = Field(default_factory=dict)
    gpus: tuple[str, ...] = ()
    shared_ids: SharedIds | None = None
    raw: Annotated[dict[RawKey, tuple[StrictStr | StrictInt, ...]], BeforeValidator(_raw)] = Field(
        default_factory=dict
    )
    apparmor: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/+-]+$")] = GENERATED
    restart: Literal["manual", "auto", "window"] = "manual"
    restart_window: Window | None = None
    ready: Ready = Ready()
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    lock_wait: Annotated[int, Field(ge=0, le=86400)] = 60
    after: tuple[GuestName, ...] = ()
    destroy_volumes: bool = False

    @model_validator(mode="after")
    def _made_from_one_thing(self) -> "Settings":
        if self.template and self.clone:
            raise ValueError("is made from `template` or from `clone`, not from both")
        if self.template and (self.rootfs is None or not (self.rootfs.storage and self.rootfs.size)):
            raise ValueError("made from a template it needs `rootfs` with `storage` and `size`")
        if self.clone is None and self.clone_mode == "linked":
            raise ValueError("`clone_mode` belongs to `clone`")
        if self.clone_mode == "linked" and self.rootfs and self.rootfs.storage:
            raise ValueError("a linked clone lies on its layer's storage: leave out `rootfs.storage`")
        return self

    @model_validator(mode="after")
    def _sizes(self) -> "Settings":
        for name in ("memory", "swap"):
            value = getattr(self, name)
            if value is not None and value % MIB:
                raise ValueError(f"`{name}` must be whole MiB")
        return self

    @model_validator(mode="after")
    def _raw_keys(self) -> "Settings":
        for key, values in self.raw.items():
            refused = lxc_conf.refusal(key)
            if refused:
                raise RuleError("V-22", refused)
            try:
                lxc_conf.with_raw("", {key: [str(value) for value in values]})
            except ValueError as error:
                raise RuleError("V-21", str(error).replace("\n", "\\n")) from None
        if APPARMOR in self.raw and self.apparmor != GENERATED:
            raise RuleError("V-23", f"the profile is said twice: `apparmor` and `raw` {APPARMOR}")
        idle = [key for key in self.raw if key.startswith("lxc.apparmor.") and key != APPARMOR]
        if idle and self.raw_lines[APPARMOR] == (UNCONFINED,):
            raise RuleError("V-23", f"`raw` {idle[0]} does nothing: the container is unconfined")
        if self.shared_ids is not None:
            if idmap.KEY in self.raw:
                raise ValueError(f"the map is said twice: `shared_ids` and `raw` {idmap.KEY}")
            if not self.unprivileged:
                raise ValueError(
                    "a privileged container shares all ids with the node: leave out `shared_ids`"
                )
            idmap.solve(self.shared_ids.uids, self.shared_ids.gids)
        return self

    @model_validator(mode="after")
    def _window(self) -> "Settings":
        if (self.restart == "window") != (self.restart_window is not None):
            raise ValueError("`restart: window` and `restart_window` belong together")
        return self

    # What follows from them, and from what is given.

    @property
    def vmid(self) -> str:
        """The container's number."""
        return self.name

    @property
    def guest(self) -> GuestFacts | None:
        """What the files say of the guest besides."""
        return next((given.value for given in self.given("guest")), None)

    @property
    def guest_name(self) -> str:
        """The guest's name."""
        return self.guest.name if self.guest else f"CT{self.vmid}"

    @property
    def called(self) -> str:
        """How people are told which container is meant."""
        return f"lxc:{self.vmid} {self.guest_name}"

    @property
    def own_hostname(self) -> str:
        """The host name it has inside."""
        return self.hostname or self.guest_name

    def takes(self) -> Iterator[tuple[str, Takes]]:
        """Yield what it takes of its node: memory and threads if it starts with it, room for volumes."""
        if self.onboot:
            yield MEMORY, Takes(self.memory or DEFAULT_MEMORY, "memory")
            yield from [(THREADS, Takes(self.cores, "cores"))] if self.cores else []
        volumes = {"rootfs": self.rootfs, **{f"mounts.{path}": mount for path, mount in self.mounts.items()}}
        for field, volume in volumes.items():
            if volume is not None and volume.storage and volume.size:
                yield storage(volume.storage), Takes(volume.size, f"{field}.size")

    @property
    def all_mounts(self) -> dict[str, Mount]:
        """Its mounts by where they are inside: its own, and the folders it shares with others."""
        found = dict(self.mounts)
        for given in self.given("mounts"):
            settings = {key: value for key, value in given.value.items() if key != "target"}
            found.setdefault(given.value["target"], Mount(**settings))
        return found

    @property
    def cards(self) -> dict[str, int]:
        """Its graphics cards: PCI address → the number of their device."""
        return {given.value["pci"]: given.value["minor"] for given in self.given("gpu")}

    @property
    def all_devices(self) -> dict[str, Device]:
        """Its devices by path, those of its graphics cards among them."""
        return {**of_cards(self.cards.values()), **self.devices}

    @property
    def needed_devices(self) -> list[str]:
        """The devices that must be there before anything is done to it: not those that its driver brings.

        Where a driver is declared, what it lacks is that one's difference, and the container waits for it.
        """
        brought = set(of_cards(self.cards.values())) if self.given("nvidia_driver") else set()
        return [path for path in self.all_devices if path not in brought]

    @property
    def id_map(self) -> idmap.IdMap:
        """Which user inside is which of the node."""
        if self.shared_ids is not None:
            return idmap.solve(self.shared_ids.uids, self.shared_ids.gids)
        return idmap.read(map(str, self.raw.get(idmap.KEY, ())), self.unprivileged)

    @property
    def delegated(self) -> dict[str, tuple[str, ...]]:
        """File → the lines by which the node's root may hand out the ids of its map (newuidmap(1))."""
        found = idmap.delegated(self.id_map)
        return {"/etc/subuid": found.subuid, "/etc/subgid": found.subgid}

    @property
    def raw_lines(self) -> dict[str, tuple[str, ...]]:
        """The values of all declared raw keys, in whichever way; none for one that must not be there."""
        found = {key: tuple(map(str, values)) for key, values in self.raw.items()}
        found.setdefault(APPARMOR, () if self.apparmor == GENERATED else (self.apparmor,))
        if self.shared_ids is not None:
            found[idmap.KEY] = idmap.lines(self.id_map)
        return found

    @property
    def parts(self) -> frozenset[str]:
        """Names of what it has several of: noted on the node, so that what is declared no longer is known."""
        return frozenset(
            [
                *(f"net.{name}" for name in self.net),
                *(f"mounts.{target}" for target in self.all_mounts),
                *(f"devices.{path}" for path in self.all_devices),
                *(f"raw.{key}" for key, values in self.raw_lines.items() if values),
                *(f"tags.{tag}" for tag in self.tags or ()),
            ]
        )

    @property
    def parent(self) -> layers.Layer | None:
        """The layer it is cloned from."""
        return next((layers.Layer(**given.value) for given in self.given("layer")), None)

    @property
    def fingerprint(self) -> str:
        """What it would be made of, if it were built now and is a layer itself."""
        return self.fingerprint_with("")

    def fingerprint_with(self, origin: str) -> str:
        """Return what it is made of, cloned from what our note says: that may be an older seal."""
        if self.guest is None:
            return ""
        now = self.parent.fingerprint if self.parent else ""
        own = layers.own(self.guest.own, self.guest.content)
        return layers.joined(own, layers.cloned_from(origin, now))

    def sealed(self, conf: lxc_conf.Conf, origin: str) -> bool:
        """Tell whether it is a finished layer: nobody starts it then. `origin` is what we noted of it."""
        if conf.keys.get("template") == "1":
            return True
        snapshot = conf.snapshots.get(layers.SNAPSHOT)
        if snapshot is None or "snapstate" in snapshot.keys or not (self.guest and self.guest.layer):
            return False
        return snapshot.description == layers.seal(self.fingerprint_with(origin))

    def power(self, conf: lxc_conf.Conf, origin: str) -> str:
        """Return whether it should run."""
        return "stopped" if self.state == "stopped" or self.sealed(conf, origin) else "running"

    @property
    def rests(self) -> bool:
        """Whether it may rightly not run: a finished layer does not."""
        return self.state == "stopped" or bool(self.guest and self.guest.layer)
