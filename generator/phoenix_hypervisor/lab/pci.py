"""What is plugged into a lab node: a board with an AMD processor, and the declared graphics cards.

Each function of a device is a row of the model, and a folder below /sys/bus/pci as a kernel has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .node import Gpu

Row = dict[str, Any]

AMD = ("1022", "Advanced Micro Devices, Inc. [AMD]")
NVIDIA = ("10de", "NVIDIA Corporation")
SOUND = ("0403", "Audio device", "snd_hda_intel")
CARD = ("0300", "VGA compatible controller")
BRIDGE = ("0604", "PCI bridge", "pcieport")
CHIPS = {
    "5060 Ti": (("2d04", "GB206 [GeForce RTX 5060 Ti]"), ("22eb", "GB206 High Definition Audio Controller")),
    "4090": (("2684", "AD102 [GeForce RTX 4090]"), ("22ba", "AD102 High Definition Audio Controller")),
}
"""By the end of a card's name: the ids of its chip, and of the sound on it."""
UNKNOWN = (("2684", "AD102 [GeForce RTX 4090]"), ("22ba", "AD102 High Definition Audio Controller"))
BOARD: tuple[tuple[str, tuple[str, ...], tuple[str, str], tuple[str, str]], ...] = (
    ("0000:00:00.0", ("0600", "Host bridge"), AMD, ("14d8", "Raphael/Granite Ridge Root Complex")),
    ("0000:00:01.0", ("0600", "Host bridge"), AMD, ("14da", "Raphael/Granite Ridge Dummy Host Bridge")),
    ("0000:00:01.1", BRIDGE, AMD, ("14db", "Raphael/Granite Ridge GPP Bridge")),
    (
        "0000:0d:00.0",
        ("0108", "Non-Volatile memory controller", "nvme"),
        ("144d", "Samsung Electronics Co Ltd"),
        ("a80d", "NVMe SSD Controller PM9C1a (DRAM-less)"),
    ),
    (
        "0000:0e:00.0",
        ("0200", "Ethernet controller", "r8169"),
        ("10ec", "Realtek Semiconductor Co., Ltd."),
        ("8125", "RTL8125 2.5GbE Controller"),
    ),
    (
        "0000:0f:00.0",
        ("0c03", "USB controller", "xhci_hcd"),
        AMD,
        ("15b6", "Raphael/Granite Ridge USB 3.1 xHCI"),
    ),
    (
        "0000:10:00.0",
        ("0400", "Multimedia video controller"),
        ("bdbd", "Blackmagic Design"),
        ("a124", "DeckLink Mini Recorder"),
    ),
)
"""Address; class, what it is, and the driver that takes it; vendor; device. A bridge leads to each card."""


def devices(gpus: Sequence[Gpu]) -> list[Row]:
    """Return the rows of a node with these cards, by address, each with its usual driver."""
    rows = [_row(slot, sort, vendor, device) for slot, sort, vendor, device in BOARD]
    for gpu in gpus:
        slot = gpu.pci.rpartition(".")[0]
        chip, sound = next((ids for end, ids in CHIPS.items() if gpu.model.endswith(end)), UNKNOWN)
        rows = [row for row in rows if not row["slot"].startswith(f"{slot}.")]
        rows += [_row(f"{slot}.0", CARD, NVIDIA, chip), _row(f"{slot}.1", SOUND, NVIDIA, sound)]
    rows.sort(key=lambda row: row["slot"])
    groups: dict[str, int] = {}
    for row in rows:
        on_its_own = row["slot"] if row["slot"].startswith("0000:00:") else row["slot"].rpartition(".")[0]
        row["group"] = groups.setdefault(on_its_own, len(groups))
    return rows


def _row(slot: str, sort: tuple[str, ...], vendor: tuple[str, str], device: tuple[str, str]) -> Row:
    usual = sort[2] if len(sort) > 2 else ""
    return {
        "slot": slot,
        "class": sort[0],
        "class_name": sort[1],
        "vendor": vendor[0],
        "vendor_name": vendor[1],
        "device": device[0],
        "device_name": device[1],
        "usual": usual,
        "driver": usual,
        "group": 0,
    }


def plugged(before: Sequence[Row], gpus: Sequence[Gpu], driver: str) -> list[Row]:
    """Return the rows with the cards that are declared now; what was there keeps its driver."""
    known = {(row["slot"], row["vendor"], row["device"]): row["driver"] for row in before}
    rows = devices(gpus)
    for row in rows:
        if row["class"] == CARD[0]:
            row["driver"] = driver
        row["driver"] = known.get((row["slot"], row["vendor"], row["device"]), row["driver"])
    return rows


def show(root: Path, rows: Sequence[Row]) -> None:
    """Write what a kernel shows of devices below /sys/bus/pci; those that were pulled out go."""
    top = root / "sys/bus/pci"
    _folder(top / "devices")
    for path in (top / "devices").iterdir():
        if path.name not in {row["slot"] for row in rows}:
            (path / "driver").unlink(missing_ok=True)
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    _file(top / "drivers_probe", "")
    for row in rows:
        folder = top / "devices" / row["slot"]
        _file(folder / "vendor", f"0x{row['vendor']}\n")
        _file(folder / "device", f"0x{row['device']}\n")
        _file(folder / "class", f"0x{row['class']}00\n")
        if not (folder / "driver_override").exists():
            _file(folder / "driver_override", "(null)\n")
        (folder / "driver").unlink(missing_ok=True)
        if row["driver"]:
            _file(top / "drivers" / row["driver"] / "unbind", "")
            (folder / "driver").symlink_to(f"../../drivers/{row['driver']}")


def _folder(path: Path) -> None:
    for folder in reversed([path, *path.parents]):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)


def _file(path: Path, text: str) -> None:
    _folder(path.parent)
    path.write_text(text, encoding="ascii")
    path.chmod(0o644)
