"""lspci: the PCI devices of the node, as people read them and as programs do (`-vmm`)."""

import model
import pci_devices

MODULES = {
    "nvidia": ("nvidiafb", "nouveau", "nvidia_drm", "nvidia"),
    "snd_hda_intel": ("snd_hda_intel",),
    "nvme": ("nvme",),
    "r8169": ("r8169",),
    "xhci_hcd": ("xhci_pci",),
}
"""By the driver that usually has a device: the modules that say they know it."""


def main(argv: list[str]) -> int:
    signs = ""
    wanted = ""
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        letters, valued, value = word[1:].partition("s")
        if word.startswith("-") and word[1:] and not set(letters) - set("Dvmnk"):
            signs += letters
            if valued:
                wanted = value or (rest.pop(0) if rest else "")
        else:
            model.not_simulated("lspci", argv)
    rows = [row for row in pci_devices.settled() if not wanted or _is(row["slot"], wanted)]
    if "mm" in signs and "v" in signs:
        grouped = pci_devices.iommu(model.read())
        for row in rows:
            print("\n".join(_record(row, signs, grouped=grouped)) + "\n")
    elif "m" in signs or "v" in signs:
        model.not_simulated("lspci", argv)
    else:
        for row in rows:
            print("\n".join(_lines(row, signs)))
    return 0


def _is(slot: str, wanted: str) -> bool:
    """Compare with `[domain:]bus:slot[.function]`."""
    long = wanted if wanted.count(":") == 2 else f"0000:{wanted}"
    return slot == long or ("." not in long and slot.rpartition(".")[0] == long)


def _numbered(name: str, number: str, signs: str) -> str:
    if signs.count("n") >= 2:
        return f"{name} [{number}]"
    return number if "n" in signs else name


def _record(row: pci_devices.Row, signs: str, *, grouped: bool) -> list[str]:
    slot = row["slot"] if "D" in signs else row["slot"].removeprefix("0000:")
    lines = [
        f"Slot:\t{slot}",
        f"Class:\t{_numbered(row['class_name'], row['class'], signs)}",
        f"Vendor:\t{_numbered(row['vendor_name'], row['vendor'], signs)}",
        f"Device:\t{_numbered(row['device_name'], row['device'], signs)}",
    ]
    if row["class"] == "0300":
        lines += ["Rev:\ta1"]
    if "k" in signs:
        lines += [f"Driver:\t{row['driver']}"] if row["driver"] else []
        lines += [f"Module:\t{name}" for name in _modules(row)]
    return [*lines, f"IOMMUGroup:\t{row['group']}"] if grouped else lines


def _lines(row: pci_devices.Row, signs: str) -> list[str]:
    slot = row["slot"] if "D" in signs else row["slot"].removeprefix("0000:")
    ids = f"{row['vendor']}:{row['device']}"
    name = f"{row['vendor_name']} {row['device_name']}"
    if signs.count("n") == 1:
        lines = [f"{slot} {row['class']}: {ids}"]
    else:
        sort = _numbered(row["class_name"], row["class"], signs)
        lines = [f"{slot} {sort}: {name}" + (f" [{ids}]" if "nn" in signs else "")]
    lines[0] += " (rev a1)" if row["class"] == "0300" else ""
    if "k" in signs:
        lines += [f"\tKernel driver in use: {row['driver']}"] if row["driver"] else []
        modules = _modules(row)
        lines += [f"\tKernel modules: {', '.join(modules)}"] if modules else []
    return lines


def _modules(row: pci_devices.Row) -> tuple[str, ...]:
    usual = "nvidia" if (row["vendor"], row["class"]) == ("10de", "0300") else row["usual"]
    return MODULES.get(usual, ())
