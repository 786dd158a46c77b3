"""NVIDIA's driver in the lab: what of it is installed, what the kernel has loaded, and what that shows.

What is installed is in files, as on a node: the installer's log, dpkg's list, DKMS's tree. What is loaded
is in the model (`nvidia`), and shows as /proc/driver/nvidia and device nodes. A node's shells have a /dev
each, with a link for every device that its cards may have (the file `devices` names them) into the one
folder `dev` of the node: what is made or removed there is so in all of them, those that are open too.
"""

import os

import kernels
import model

LOG = "/var/lib/nvidia/log"
DKMS = "/var/lib/dkms/nvidia"
FACTS = os.path.join(model.FOLDER, "proc-driver")
"""Shown as /proc/driver."""
DEVICES = os.path.join(model.FOLDER, "devices")
NODES = os.path.join(model.FOLDER, "dev")
"""The devices that are there: links to /dev/null."""
SHOWN = "/proc/driver/nvidia"
LICENSES = {"open": "Dual MIT/GPL", "proprietary": "NVIDIA"}
BUILT = "Release Build  (dvs-builder@U22-I3-AE18-09-6)  Thu Jul 31 13:00:49 UTC 2025"
CAPS = ("nvidia-caps/nvidia-cap1", "nvidia-caps/nvidia-cap2")
PERSISTENCE = ("phoenix-nvidia-persistence.service", "nvidia-persistenced.service")

OWN = "nvidia"
"""The driver's name, as the kernel's devices have it."""

Row = dict[str, str]


def own(state: model.Model) -> model.Model:
    """Return the model's part about the driver."""
    return model.section(state, "nvidia")


def in_guest(state: model.Model) -> bool:
    """Tell whether this is a guest: it has no cards of its own, and sees its node's through the kernel."""
    return "cards" not in state


def cards(state: model.Model) -> list[Row]:
    """Return the cards the driver takes, in the order of their numbers; of a guest, those it was given."""
    if in_guest(state):
        return _given()
    others = {row["slot"] for row in state.get("pci", []) if row["driver"] not in ("", OWN)}
    return [row for row in state.get("cards", []) if row["pci"] not in others]


def loaded(state: model.Model) -> str:
    """Return the version of the loaded module; empty if none is."""
    if in_guest(state):
        words = kernels.first_line(SHOWN + "/version").split()
        return next((word for word in words if word[:1].isdigit()), "")
    return str(own(state).get("loaded") or "")


def userland(state: model.Model) -> str:
    """Return the version of the programs and libraries; empty if there are none."""
    import dpkg_status

    said = kernels.first_line(LOG)
    package = dpkg_status.read().get("nvidia-driver-cuda")
    if said or dpkg_status.state(package) == "installed":
        return said or str(package and package["Version"].partition("-")[0])
    return str(own(state).get("userland", ""))


def module(state: model.Model, kernel: str) -> tuple[str, str]:
    """Return version and sort (`open`, `proprietary`) of a kernel's module on disk; empty words if none."""
    text = kernels.text(f"{DKMS}/kernel-{kernel}-x86_64/module/nvidia.ko")
    words = text.split() or list(own(state).get("plain", {}).get(kernel, ()))
    return (words[0], words[1]) if words else ("", "")


def persistent(state: model.Model) -> bool:
    """Tell whether a daemon keeps the cards initialised."""
    import units

    return any(units.active(state, name) for name in PERSISTENCE)


def _given() -> list[Row]:
    """What the kernel shows of the cards whose device nodes a guest has."""
    found = []
    folder = model.path(SHOWN + "/gpus")
    for place in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        text = kernels.text(f"{SHOWN}/gpus/{place}/information")
        facts = {
            word.strip(): value.strip()
            for word, _, value in (line.partition(":") for line in text.splitlines())
        }
        if os.path.exists(f"/dev/nvidia{facts.get('Device Minor', '')}") and os.path.exists("/dev/nvidiactl"):
            found.append({"pci": place, "model": facts["Model"], "uuid": facts["GPU UUID"]})
    return found


def uuid(minor: int) -> str:
    return f"GPU-00000000-0000-0000-0000-{minor:012d}"


def load(*, instead: str = "") -> str:
    """Load the running kernel's module; return why not, empty if it is loaded now.

    Cards of the driver `instead` are taken from it first.
    """
    kernel = kernels.running()
    with model.change() as state:
        if instead:
            _take(state, instead, "")
        if not loaded(state):
            version, sort = module(state, kernel)
            if not version:
                return f"Module nvidia not found in directory /lib/modules/{kernel}"
            if not cards(state):
                return "could not insert 'nvidia': No such device"
            own(state).update(loaded=version, sort=sort)
            _take(state, "", OWN)
            describe(state)
    return ""


def unload() -> str:
    """Take the module out of the kernel; return why not."""
    with model.change() as state:
        if not loaded(state):
            return ""
        if persistent(state) or own(state).get("holders"):
            return "Module nvidia is in use."
        own(state).update(loaded="", sort="", nodes=[])
        _take(state, OWN, "")
        describe(state)
    return ""


def _take(state: model.Model, before: str, after: str) -> None:
    """Let another driver have the cards that one has."""
    import pci_devices

    places = {card["pci"] for card in state.get("cards", [])}
    for row in pci_devices.rows(state):
        if row["slot"] in places and row["driver"] == before:
            row["driver"] = after
            pci_devices.show(row)


def make_nodes(names: list[str]) -> None:
    """Make device nodes, as nvidia-modprobe(1) does; those that are there stay."""
    with model.change() as state:
        known = own(state).setdefault("nodes", [])
        own(state)["nodes"] = sorted({*known, *names})
        _devices(state)


def usual(count: int) -> list[str]:
    """Return the names of all nodes of that many cards."""
    shared = ("nvidiactl", "nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", *CAPS)
    return [*(f"nvidia{minor}" for minor in range(count)), *shared] if count else []


def describe(state: model.Model) -> None:
    """Show in /proc/driver and /dev what is loaded."""
    top = os.path.join(FACTS, "nvidia")
    _empty(top)
    version = loaded(state)
    if version:
        _write(f"{top}/version", f"{_title(state)}\nGCC version:  gcc version 14.2.0 (Debian 14.2.0-19) \n")
        for name in ("config", "monitor"):
            _write(f"{top}/capabilities/mig/{name}", "DeviceFileMinor: 1\nDeviceFileMode: 256\n")
        for minor, card in enumerate(cards(state)):
            _write(f"{top}/gpus/{card['pci']}/information", _information(card, minor, version))
    _devices(state)


def _title(state: model.Model) -> str:
    version = loaded(state)
    if own(state).get("sort") == "proprietary":
        return f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Thu Jul 31 12:52:41 UTC 2025"
    return f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  {BUILT}"


def _information(card: Row, minor: int, version: str) -> str:
    facts = {
        "Model": card["model"] or "NVIDIA Graphics Device",
        "IRQ": str(100 + minor),
        "GPU UUID": uuid(minor),
        "Video BIOS": "98.06.1f.00.01",
        "Bus Type": "PCIe",
        "DMA Size": "47 bits",
        "DMA Mask": "0x7fffffffffff",
        "Bus Location": card["pci"],
        "Device Minor": str(minor),
        "GPU Firmware": version,
        "GPU Excluded": "No",
    }
    return "".join(f"{name + ':':<16} {value}\n" for name, value in facts.items())


def _devices(state: model.Model) -> None:
    """Show the devices there are; nobody who looks meanwhile misses one that stays."""
    names = own(state).get("nodes", [])
    _write(DEVICES, "".join(f"{name}\n" for name in usual(len(state.get("cards", [])))))
    for name in names:
        os.makedirs(os.path.dirname(f"{NODES}/{name}"), exist_ok=True)
        if not os.path.lexists(f"{NODES}/{name}"):
            os.symlink("/dev/null", f"{NODES}/{name}")
    for folder, _, files in os.walk(NODES):
        for file in files:
            place = os.path.join(folder, file)
            if os.path.relpath(place, NODES) not in names:
                os.unlink(place)


def _write(place: str, text: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.replace(place + ".new", place)


def _empty(folder: str) -> None:
    for entry in list(os.scandir(folder)) if os.path.isdir(folder) else []:
        if entry.is_dir(follow_symlinks=False):
            _empty(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
