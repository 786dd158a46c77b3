"""PCI devices that are given to virtual machines."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field, model_validator

from ..dialects import lspci
from ..dialects.bootloader import Boot
from ..dialects.cmdline import named
from ..dialects.lspci import Device
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, reboot, run

UNITS = "/etc/systemd/system"
UNIT = "phoenix-vfio-"
WANTS = f"{UNITS}/sysinit.target.wants"
DRIVER = "vfio-pci"
MODULES = ("vfio", "vfio_iommu_type1", "vfio_pci")
HARMLESS = ("snd_hda_intel", "xhci_hcd")
"""Drivers of a card's sound and sockets: they let go at any time."""
NEEDED_TO_START = ("01", "02")
"""Classes of storage and network: the initramfs has given those away before anything of ours runs."""
FORMAT = """\
# Written by phoenix: vfio_device:{name}. Changed by hand, it is written again.
[Unit]
Description=Keeps {called} for virtual machines, before any driver takes it
DefaultDependencies=no
Before=sysinit.target systemd-udev-trigger.service systemd-modules-load.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -euc '{program}'

[Install]
WantedBy=sysinit.target
"""
PROGRAM = (
    "modprobe -a {modules};",
    "cd /sys/bus/pci/devices;",
    'case {guard}) ;; *) echo "{address} is another device now: left alone" >&2; exit 1;; esac;',
    "failed=0;",
    "for one in {functions}; do",
    "case $(cat $one/class) in 0x06*) continue;; esac;",
    "echo {driver} >$one/driver_override;",
    'has=$(basename "$(readlink $one/driver || :)");',
    "case $has in",
    "{driver}) continue;;",
    "{harmless}) echo $one >$one/driver/unbind;;",
    '"") ;;',
    '*) echo "$one: $has has it already" >&2; failed=1; continue;;',
    "esac;",
    "echo $one >/sys/bus/pci/drivers_probe;",
    "done;",
    "exit $failed",
)
"""What the unit runs; on one line for systemd. `driver_override` keeps one function for one driver: unlike
`options vfio-pci ids=`, it tells two cards of one sort apart."""


class Sight(NamedTuple):
    """What there is."""

    functions: tuple[Device, ...]
    boot: Boot

    @property
    def free(self) -> bool:
        """Whether the device can change hands now: no other driver has it, and there is an IOMMU."""
        return all(one.driver in ("", DRIVER) for one in self.functions) and self.grouped

    @property
    def grouped(self) -> bool:
        """Whether there is an IOMMU."""
        return all(one.group is not None for one in self.functions)


class VfioDevice(Kind):
    """A device that is given to virtual machines: a graphics card, by its name in `hardware: gpus:`, with all
    its functions; or one function of any other device, by its PCI address, with its `id`.

    Of a card, `owner: vfio` says the same. A unit of ours keeps the device for `vfio-pci` at boot, before
    the modules of any driver are loaded, and by its address: a second card of the same sort stays with the
    node. No driver is ever put on a blacklist, and options of others for modules are left alone. A device
    that no driver has changes hands at once; one that is in use waits for a reboot, and so does one that is
    given back. What shares its IOMMU group and is not given away as well is named, and nothing is done; the
    same when the device at the address has another `id`. Storage and network controllers are not given away.
    """

    name: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_-]*|[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$")]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")] | None = None
    """Vendor and device, as `lspci -nn` prints them: `10de:2d04`."""

    @model_validator(mode="after")
    def _known_by_its_id(self) -> "VfioDevice":
        if not self.is_card and self.id is None:
            raise ValueError("a PCI address needs the `id` of what should be there: `lspci -nn` prints it")
        return self

    @property
    def is_card(self) -> bool:
        """Whether it is named after a card of the hardware section."""
        return ":" not in self.name

    @property
    def cards(self) -> Mapping[str, Any]:
        """The node's cards."""
        return next((given.value for given in self.given("gpus")), {})

    @property
    def address(self) -> str:
        """Its PCI address: of a card, that of its first function."""
        return str(self.cards.get(self.name, {}).get("pci", "")) if self.is_card else self.name

    @property
    def unit(self) -> str:
        """Our unit for it."""
        return unit_of(self.name)

    @property
    def text(self) -> str:
        """The unit's file."""
        words = {
            "address": self.address,
            "driver": DRIVER,
            "modules": " ".join(MODULES),
            "harmless": " | ".join(HARMLESS),
            "functions": f"{lspci.slot_of(self.address)}.*" if self.is_card else self.address,
            "guard": self._guard,
        }
        program = " \\\n    ".join(PROGRAM).format(**words).replace("$", "$$")
        called = f"{self.name} ({self.address})" if self.is_card else self.name
        return FORMAT.format(name=self.name, called=called, program=program)

    @property
    def _guard(self) -> str:
        """What must be at the address: addresses change when other cards are plugged in."""
        if self.id:
            found = "".join(f"0x{part}" for part in self.id.split(":"))
            return f"$(cat {self.address}/vendor)$(cat {self.address}/device) in {found}"
        return f"$(cat {self.address}/class) in 0x03*"

    def functions(self, devices: Mapping[str, Device]) -> tuple[Device, ...]:
        """Return what of the node's devices it is."""
        if self.address not in devices:
            return ()
        return lspci.functions(devices, self.address) if self.is_card else (devices[self.address],)

    def in_the_way(self, devices: Mapping[str, Device], ids: Iterable[str] = ()) -> str:
        """Return why the device cannot be given away; empty if it can.

        `ids` are those of `options vfio-pci ids=`, whoever wrote that.
        """
        found = devices.get(self.address)
        if found is None:
            return f"there is no PCI device at {self.address}: `lspci -D` lists what there is"
        if self.id and found.id != self.id:
            return f"at {self.address} is {found.name or found.sort} [{found.id}], not {self.id}"
        if self.is_card and not self.id and not found.class_id.startswith("03"):
            return f"at {self.address} is no graphics card, but: {found.sort}"
        if found.class_id.startswith(NEEDED_TO_START):
            return f"{found} is needed to start the node: {found.sort}s are not given away"
        given = tuple(given.value for given in self.given("vfio_addresses"))
        away = tuple(prefix for prefixes in given for prefix in prefixes)
        others = [
            one for one in lspci.sharing(devices, self.functions(devices)) if not one.slot.startswith(away)
        ]
        if others:
            said = ", ".join(f"{one} ({one.sort})" for one in others)
            return f"it shares IOMMU group {found.group} with {said}: they go together, or not at all"
        return self._taken_with_it(ids, devices)

    def _taken_with_it(self, ids: Iterable[str], devices: Mapping[str, Device]) -> str:
        """Ids do not tell two cards of one sort apart: which of the node's own go as well."""
        away = {":".join(one.split(":")[:2]) for one in ids}
        hosts = [name for name, card in self.cards.items() if card["owner"] == "host"]
        both = [name for name in hosts if (one := devices.get(self.cards[name]["pci"])) and one.id in away]
        said = f"`options vfio-pci ids=` gives away the node's own card as well ({', '.join(both)})"
        return f"{said}: take it out of /etc/modprobe.d; this one goes by its address" if both else ""

    def provides(self) -> Iterable[Offer]:
        yield Offer("vfio", self.name)

    def consumes(self) -> Iterable[Want]:
        yield Want("gpus", "node", "name", "", exact=True, required=False)
        yield Want("vfio_addresses", "node", "name", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(f"{UNITS}/{self.unit}", "unit.service.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        refused = list(self._refused(change))
        yield from refused
        if refused:
            return
        found: Sight | None = change.seen
        if change.creates or "unit" in change:
            unit = next(iter(self.artifacts()))
            yield Step(f"write {unit.path}", push=unit)
        if change.creates or "unit" in change or "at_boot" in change:
            act = f"systemctl daemon-reload && systemctl enable {self.unit}"
            yield Step(act, argv=("sh", "-c", act))
        if change.creates or {"modules", "iommu", "unit_state"} & set(change.attributes) or _drivers(change):
            if found is not None and found.free:
                yield run("systemctl", "restart", self.unit)
            else:
                yield reboot(f"{self.address} changes hands before a driver takes it")

    def _refused(self, change: Change) -> Iterator[Refusal]:
        found: Sight | None = change.seen
        if "in_the_way" in change:
            yield Refusal("in_the_way", str(change["in_the_way"].actual))
        if "unit_state" in change and change["unit_state"].actual == "failed":
            said = f"{self.unit} failed: `journalctl -b -u {self.unit}` says why"
            yield Refusal("unit_state", f"{said} (a driver in the initramfs that is faster, for one)")
        if "iommu" in change and found is not None and named(found.boot.running, "iommu"):
            said = "the kernel was told to use the IOMMU, and finds none"
            yield Refusal("iommu", f"{said}: switch it on in the firmware (AMD-Vi, VT-d, IOMMU)")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        unit = unit_of(name)
        act = f"systemctl disable {unit} && rm -f {UNITS}/{unit} && systemctl daemon-reload"
        yield Step(f"{act}; {name} goes back to its driver at the next boot", argv=("sh", "-c", act))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        settings = {"id": "bdbd:a124"}
        around = {"kernel_cmdline": {"iommu": {"value": "pt"}}}
        yield Samples("0000:10:00.0", settings, settings, around, refused=({"id": "10de:2d04"},))


def unit_of(name: str) -> str:
    """Return the name of our unit; without colons, which would end the path where a check reads it."""
    return f"{UNIT}{name.replace(':', '.')}.service"


def name_of(unit: str) -> str:
    """Return whose unit it is."""
    found = unit.removeprefix(UNIT).removesuffix(".service")
    parts = found.split(".")
    return f"{parts[0]}:{parts[1]}:{parts[2]}.{parts[3]}" if len(parts) == 4 else found


def _drivers(change: Change) -> bool:
    return any(name.startswith("driver ") for name in change.attributes)
