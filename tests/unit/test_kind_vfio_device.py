"""Devices for virtual machines: what is read of them, what the unit does at boot, and what is never done."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import lspci, modprobe
from phoenix_hypervisor.dialects.bootloader import NOTHING, Boot
from phoenix_hypervisor.dialects.lspci import Device
from phoenix_hypervisor.kinds.vfio_device import Sight, VfioDevice, name_of, unit_of
from phoenix_hypervisor.render import Renderer
from phoenix_hypervisor.resource import CREATE, Change, Difference, Given, Refusal, Step

LISTED = """\
Slot:\t0000:00:01.1
Class:\tPCI bridge [0604]
Vendor:\tAdvanced Micro Devices, Inc. [AMD] [1022]
Device:\tDevice [14db]
Rev:\t01
ProgIf:\t00
Driver:\tpcieport
IOMMUGroup:\t2

Slot:\t0000:01:00.0
Class:\tVGA compatible controller [0300]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGB206 [GeForce RTX 5060 Ti] [2d04]
SVendor:\tGigabyte Technology Co., Ltd [1458]
SDevice:\tDevice [4199]
PhySlot:\t0
Rev:\ta1
ProgIf:\t00
Driver:\tnvidia
Module:\tnvidiafb
Module:\tnouveau
NUMANode:\t0
IOMMUGroup:\t12

Slot:\t0000:01:00.1
Class:\tAudio device [0403]
Vendor:\tNVIDIA Corporation [10de]
Device:\t[22eb]
IOMMUGroup:\t12

"""
"""Two devices and a bridge, in the fields of pciutils 3.13; the last has no name in any list."""

# --- what is read -----------------------------------------------------------------------------------------


def test_a_list_is_read_with_its_numbers_drivers_and_groups() -> None:
    bridge, card, sound = lspci.parse(LISTED).values()
    assert card == Device(
        "0000:01:00.0",
        "VGA compatible controller",
        "0300",
        "GB206 [GeForce RTX 5060 Ti]",
        "10de:2d04",
        "nvidia",
        12,
    )
    assert (sound.name, sound.id, sound.driver) == ("", "10de:22eb", "")
    assert (bridge.is_bridge, card.is_bridge) == (True, False)


def test_a_list_without_numbers_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="is it called with -nn"):
        lspci.parse("Slot:\t0000:01:00.0\nClass:\tVGA\nVendor:\tNVIDIA\nDevice:\tGB206\n")
    with pytest.raises(ValueError, match="a device without Class, Device"):
        lspci.parse("Slot:\t0000:01:00.0\nVendor:\tNVIDIA [10de]\n")


HEX = st.from_regex("[0-9a-f]{4}", fullmatch=True)
WORDS = st.from_regex(r"([A-Za-z][A-Za-z0-9 ,.()\[\]-]{0,12}[a-z\])])?", fullmatch=True)
DEVICES = st.builds(
    Device,
    st.from_regex("[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]", fullmatch=True),
    WORDS,
    HEX,
    WORDS,
    st.tuples(HEX, HEX).map(":".join),
    st.sampled_from(["", "nvidia", "vfio-pci"]),
    st.none() | st.integers(0, 99),
)


def written(one: Device) -> str:
    vendor, device = one.id.split(":")
    lines = [f"Slot:\t{one.slot}", f"Class:\t{one.sort} [{one.class_id}]", f"Vendor:\tX [{vendor}]"]
    lines += [f"Device:\t{one.name} [{device}]", "Rev:\ta1"]
    lines += [f"Driver:\t{one.driver}"] if one.driver else []
    lines += [] if one.group is None else [f"IOMMUGroup:\t{one.group}"]
    return "\n".join(lines) + "\n\n"


@given(st.lists(DEVICES, max_size=4, unique_by=lambda one: one.slot))
def test_devices_read_back(devices: list[Device]) -> None:
    assert list(lspci.parse("".join(map(written, devices))).values()) == devices


# --- two cards of one sort --------------------------------------------------------------------------------


def device(slot: str, class_id: str = "0300", driver: str = "nvidia", group: int | None = 1) -> Device:
    sort = {"0300": "VGA compatible controller", "0403": "Audio device"}.get(class_id, "Ethernet controller")
    return Device(slot, sort, class_id, "GB206", "10de:2d04", driver, group)


CARDS = {
    "gpu0": {"pci": "0000:01:00.0", "owner": "host"},
    "gpu1": {"pci": "0000:05:00.0", "owner": "vfio"},
}
DEVICES_THERE = {
    one.slot: one
    for one in (
        device("0000:01:00.0"),
        device("0000:01:00.1", "0403", "snd_hda_intel"),
        device("0000:05:00.0", group=2),
        device("0000:05:00.1", "0403", "snd_hda_intel", 2),
        device("0000:00:01.0", "0604", "pcieport", 2),
    )
}


def bound(away: tuple[str, ...] = ("0000:05:00.",), **settings: Any) -> VfioDevice:
    one = VfioDevice.model_validate({"name": "gpu1", **settings})
    one.bind(
        [Given("gpus", "node", CARDS, None), Given("vfio_addresses", "node", away, None)],
    )
    return one


def test_a_card_goes_with_all_its_functions_and_without_the_bridge_before_it() -> None:
    assert [one.slot for one in bound().functions(DEVICES_THERE)] == ["0000:05:00.0", "0000:05:00.1"]
    assert bound().in_the_way(DEVICES_THERE) == ""


def test_who_shares_the_group_is_named_unless_it_is_given_away_too() -> None:
    there = {**DEVICES_THERE, "0000:06:00.0": device("0000:06:00.0", "0200", "r8169", 2)}
    assert bound().in_the_way(there) == (
        "it shares IOMMU group 2 with 0000:06:00.0 GB206 (Ethernet controller): "
        "they go together, or not at all"
    )
    assert bound(("0000:05:00.", "0000:06:00.0")).in_the_way(there) == ""


def test_a_placeholder_id_is_refused_with_what_is_there() -> None:
    """The predecessor bound the ids of another card, which were only examples."""
    assert bound(id="10de:1e84").in_the_way(DEVICES_THERE) == (
        "at 0000:05:00.0 is GB206 [10de:2d04], not 10de:1e84"
    )
    with pytest.raises(ValueError, match="String should match pattern"):
        bound(id="10de:1e84 10de:10f8")


def test_what_the_node_needs_to_start_is_not_given_away() -> None:
    one = VfioDevice.model_validate({"name": "0000:06:00.0", "id": "10de:2d04"})
    there = {"0000:06:00.0": device("0000:06:00.0", "0200", "r8169")}
    assert one.in_the_way(there) == (
        "0000:06:00.0 GB206 is needed to start the node: Ethernet controllers are not given away"
    )


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ("options vfio_pci ids=10de:2d04,10de:22eb disable_vga=1", "gpu0"),
        ("options vfio_pci ids=10de:22eb 10de:2d04", ""),
        ("options vfio_pci disable_vga=1", ""),
        ("", ""),
    ],
)
def test_ids_that_take_the_nodes_own_card_too_are_named(options: str, taken: str) -> None:
    """Ids do not tell two cards of one sort apart; behind a space, as the predecessor had them, is no id."""
    ids = modprobe.options(options, "vfio_pci").get("ids", "").split(",")
    said = f"`options vfio-pci ids=` gives away the node's own card as well ({taken})"
    told = f"{said}: take it out of /etc/modprobe.d; this one goes by its address"
    assert bound().in_the_way(DEVICES_THERE, ids) == (told if taken else "")


# --- what is done -----------------------------------------------------------------------------------------


def done(one: VfioDevice, found: Change) -> list[str]:
    return [
        f"! {step.reason}" if isinstance(step, Refusal) else f"{step.title} [{step.effect}]"
        for step in one.converge(found)
    ]


def sight(*devices: Device, boot: Boot = NOTHING) -> Sight:
    return Sight(devices, boot)


WRITE = "write /etc/systemd/system/phoenix-vfio-gpu1.service [hot]"
ENABLE = "systemctl daemon-reload && systemctl enable phoenix-vfio-gpu1.service [hot]"
START = "systemctl restart phoenix-vfio-gpu1.service [hot]"
REBOOT = "systemctl reboot [reboot]"
TOLD = Boot({"/proc/cmdline": "iommu=pt quiet"})

DONE = {
    "nobody has it": (CREATE.attributes, sight(device("0000:05:00.0", driver="")), [WRITE, ENABLE, START]),
    "a driver has it": (CREATE.attributes, sight(device("0000:05:00.0")), [WRITE, ENABLE, REBOOT]),
    "no IOMMU yet": (
        CREATE.attributes,
        sight(device("0000:05:00.0", driver="", group=None)),
        [WRITE, ENABLE, REBOOT],
    ),
    "taken out at run time": (
        {"driver 0000:05:00.0": Difference("", "vfio-pci")},
        sight(device("0000:05:00.0", driver="")),
        [START],
    ),
    "taken by a driver": ({"driver 0000:05:00.0": Difference("nvidia", "vfio-pci")}, None, [REBOOT]),
    "not at boot": ({"at_boot": Difference(False, True)}, None, [ENABLE]),
    "another unit": ({"unit": Difference("another", "as declared")}, None, [WRITE, ENABLE]),
    "modules": (
        {"modules": Difference(["vfio"], ["vfio", "vfio_pci"])},
        sight(device("0000:05:00.0", driver="")),
        [START],
    ),
    "an IOMMU that is not there although it was asked for": (
        {"iommu": Difference("off", "on")},
        sight(device("0000:05:00.0", group=None), boot=TOLD),
        [
            (
                "! the kernel was told to use the IOMMU, and finds none: "
                "switch it on in the firmware (AMD-Vi, VT-d, IOMMU)"
            )
        ],
    ),
    "a unit that failed": (
        {
            "unit_state": Difference("failed", "active"),
            "driver 0000:05:00.0": Difference("nvidia", "vfio-pci"),
        },
        None,
        [
            (
                "! phoenix-vfio-gpu1.service failed: `journalctl -b -u phoenix-vfio-gpu1.service` says why "
                "(a driver in the initramfs that is faster, for one)"
            )
        ],
    ),
    "somebody else in its group": (
        {**CREATE.attributes, "in_the_way": Difference("it shares its group with x", "")},
        None,
        ["! it shares its group with x"],
    ),
}


@pytest.mark.parametrize("what", DONE)
def test_it_changes_hands_at_once_only_when_nobody_has_it(what: str) -> None:
    attributes, found, steps = DONE[what]
    assert done(bound(), Change(attributes, found)) == steps


def test_no_driver_is_ever_blacklisted_and_no_initramfs_built() -> None:
    """The predecessor put nvidia on a blacklist, loaded vfio_virqfd, and built the initramfs in every run."""
    one = bound()
    steps = [step for step in one.converge(CREATE) if isinstance(step, Step)]
    steps += [step for step in VfioDevice.remove("gpu1") if isinstance(step, Step)]
    text = one.text + "".join(" ".join(step.argv) for step in steps)
    words = ("blacklist", "virqfd", "initramfs", "ids=", "/etc/modprobe.d", "nouveau", "intel_iommu")
    assert [word for word in words if word in text] == []


@pytest.mark.parametrize("name", ["gpu1", "0000:10:00.0"])
def test_a_units_name_says_whose_it_is(name: str) -> None:
    assert name_of(unit_of(name)) == name


# --- the unit, run on a folder that looks like /sys -------------------------------------------------------


class Bus:
    """Devices below /sys, and the unit's program with that folder in its place."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.top = root / "sys/bus/pci"
        (root / "bin").mkdir(parents=True)
        (root / "bin/modprobe").write_text(f'#!/bin/sh\necho "$@" >>{root}/loaded\n')
        (root / "bin/modprobe").chmod(0o755)
        (self.top / "devices").mkdir(parents=True)

    def plug(self, slot: str, class_id: str, driver: str = "", ids: str = "10de:2d04") -> Path:
        place = self.top / "devices" / slot
        place.mkdir()
        vendor, number = ids.split(":")
        for name, text in (("class", class_id), ("vendor", vendor), ("device", number)):
            (place / name).write_text(f"0x{text}\n")
        if driver:
            (self.top / "drivers" / driver).mkdir(parents=True, exist_ok=True)
            (place / "driver").symlink_to(f"../../drivers/{driver}")
        return place

    def run(self, one: VfioDevice) -> tuple[int, str]:
        """Do what systemd does with the unit's command."""
        text = Renderer().text("vfio_device", next(iter(one.artifacts())), one).replace("\\\n", " ")
        command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        program = command.partition(" -euc '")[2].rpartition("'")[0].replace("$$", "$")
        assert command.startswith("ExecStart=/bin/sh -euc '")
        assert "'" not in program
        ended = subprocess.run(
            ["sh", "-euc", program.replace("/sys/", f"{self.root}/sys/")],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin"},
        )
        return ended.returncode, ended.stderr

    def override(self, slot: str) -> str:
        path = self.top / "devices" / slot / "driver_override"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path)


def test_of_two_cards_of_one_sort_only_the_declared_one_is_taken(bus: Bus) -> None:
    for slot in ("0000:01:00", "0000:05:00"):
        bus.plug(f"{slot}.0", "030000")
        bus.plug(f"{slot}.1", "040300", "snd_hda_intel", "10de:22eb")
    assert bus.run(bound()) == (0, "")
    taken = [path.name for path in (bus.top / "devices").iterdir() if bus.override(path.name)]
    assert sorted(taken) == ["0000:05:00.0", "0000:05:00.1"]
    assert {bus.override(slot) for slot in taken} == {"vfio-pci\n"}
    assert (bus.top / "drivers/snd_hda_intel/unbind").read_text() == "0000:05:00.1\n"
    assert (bus.top / "drivers_probe").read_text() == "0000:05:00.1\n"
    assert (bus.root / "loaded").read_text() == "-a vfio vfio_iommu_type1 vfio_pci\n"


def test_a_card_that_a_driver_has_already_is_not_torn_from_it(bus: Bus) -> None:
    bus.plug("0000:05:00.0", "030000", "nvidia")
    assert bus.run(bound()) == (1, "0000:05:00.0: nvidia has it already\n")
    assert not (bus.top / "drivers/nvidia/unbind").exists()


def test_what_is_in_vfios_hands_stays_there(bus: Bus) -> None:
    bus.plug("0000:05:00.0", "030000", "vfio-pci")
    assert bus.run(bound()) == (0, "")
    assert not (bus.top / "drivers_probe").exists()


def test_another_device_at_the_address_is_left_alone(bus: Bus) -> None:
    """Addresses change when a card is plugged in beside."""
    bus.plug("0000:05:00.0", "010802", "nvme")
    said = "0000:05:00.0 is another device now: left alone\n"
    assert bus.run(bound()) == (1, said)
    assert bus.run(bound(id="10de:1e84")) == (1, said)
    assert bus.override("0000:05:00.0") == ""
