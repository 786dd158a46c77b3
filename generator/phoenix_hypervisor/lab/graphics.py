"""What a node shows of its graphics cards once NVIDIA's driver is loaded: device nodes, and facts in /proc.

The devices only have to be there: behind each is /dev/null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .node import Gpu

COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
CAPS = ("nvidia-caps/nvidia-cap1", "nvidia-caps/nvidia-cap2")
VERSION = "570.153.02"


def nodes(count: int) -> tuple[str, ...]:
    """Return the device nodes of that many cards."""
    if not count:
        return ()
    return tuple(f"/dev/{name}" for name in (*(f"nvidia{n}" for n in range(count)), *COMMON, *CAPS))


def describe(folder: Path, gpus: Sequence[Gpu]) -> None:
    """Fill a folder with what is in /proc/driver of a node with these cards, in the driver's order."""
    top = folder / "nvidia"
    for minor, gpu in enumerate(gpus):
        place = top / "gpus" / gpu.pci
        place.mkdir(parents=True)
        facts = {
            "Model": gpu.model or "NVIDIA Graphics Device",
            "IRQ": str(100 + minor),
            "GPU UUID": f"GPU-00000000-0000-0000-0000-{minor:012d}",
            "Video BIOS": "98.06.1f.00.01",
            "Bus Type": "PCIe",
            "DMA Size": "47 bits",
            "DMA Mask": "0x7fffffffffff",
            "Bus Location": gpu.pci,
            "Device Minor": str(minor),
            "GPU Firmware": VERSION,
            "GPU Excluded": "No",
        }
        lines = "".join(f"{name + ':':<16} {value}\n" for name, value in facts.items())
        (place / "information").write_text(lines, encoding="ascii")
    if gpus:
        text = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {VERSION}  Release Build\n"
        (top / "version").write_text(text, encoding="ascii")
