"""Graphics cards as devices of a container."""

from collections.abc import Iterable, Mapping

from .parts import Device

SHARED = (
    "/dev/nvidiactl",
    "/dev/nvidia-uvm",
    "/dev/nvidia-uvm-tools",
    "/dev/nvidia-modeset",
    "/dev/nvidia-caps/nvidia-cap1",
    "/dev/nvidia-caps/nvidia-cap2",
)
"""What every user of a card needs besides the card's own device (nvidia-modprobe(1) makes them)."""
OPEN = Device(mode="0666")
"""As the driver makes them on the node: anybody may compute."""


def of_cards(minors: Iterable[int]) -> dict[str, Device]:
    """Return path → device for the cards with these numbers; nothing for no card."""
    own = [f"/dev/nvidia{minor}" for minor in minors]
    return dict.fromkeys([*own, *SHARED], OPEN) if own else {}


def minors_of(text: str) -> Mapping[str, int]:
    """Read `grep -H` of /proc/driver/nvidia/gpus/*/information into PCI address → number of the device."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        # the address in the path has colons of its own
        folder, mark, said = line.partition("/information:")
        name, _, value = said.partition(":")
        if mark and name.strip() == "Device Minor" and value.strip().isdecimal():
            found[folder.rpartition("/")[2].lower()] = int(value)
    return found
