"""Making a machine, and removing one: scripts, for what they meet is known on the node only."""

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..containers.changes import Scripts
from ..dialects import property_string, qemu_conf, qemu_properties
from ..resource import Artifact, Effect, Refusal, Step, script
from . import changes
from . import conf as confs
from .settings import BOOT_DISK, DRIVE, MARK, Settings


class Image(NamedTuple):
    """The template of the image a machine is cloned from."""

    vmid: str
    fingerprint: str
    storage: str


def image(vm: Settings) -> Image | None:
    """Return the template it is cloned from."""
    found: list[Any] = [given.value for given in vm.given("vm_image")]
    return Image(**found[0]) if found else None


def create_argv(vm: Settings) -> tuple[str, ...]:
    """Return the command that clones it."""
    source = image(vm)
    argv = ("qm", "clone", source.vmid if source else str(vm.image), vm.vmid, "--name", vm.own_hostname)
    if vm.clone_mode == "linked":
        return (*argv, "--full", "0")
    disk = vm.disks.get(BOOT_DISK)
    return (*argv, "--full", "1", *(("--storage", disk.storage) if disk and disk.storage else ()))


def origin(vm: Settings) -> str:
    """Return what is noted of where it comes from."""
    source = image(vm)
    return f"from {source.vmid} {source.fingerprint}" if source else f"from {vm.image}"


class Option(NamedTuple):
    """One option of the first `qm set`."""

    key: str
    text: str
    keep: str = ""
    """What of a setting that is there already stays: `disk` its volume, `net` its address, `state` all."""
    storage: str = ""
    """What allocates a disk, if there is none yet."""


def options(vm: Settings) -> list[Option]:
    """Return the options of the first `qm set`."""
    plain = {key: value for key, value in confs.plain(vm).items() if key != "name" and value}
    found = [Option(key, value) for key, value in plain.items()]
    found += [Option("description", vm.description)] if vm.description else []
    found.append(Option("tags", ";".join(sorted({MARK, *(vm.tags or ())}))))
    for key, card in vm.net.items():
        found.append(Option(key, confs.written(key, card.card()), "" if card.mac else "net"))
        if vm.cloud_init and card.addresses:
            where = f"ipconfig{key.removeprefix('net')}"
            found.append(Option(where, confs.written(where, card.addresses)))
    for key, disk in vm.disks.items():
        text = confs.spelled(disk.options)
        found.append(Option(key, text, "disk", "" if key == BOOT_DISK else disk.allocation))
    for name in ("efi", "tpm"):
        found += [Option(key, text, "state") for key, text in changes.state(vm, name).items()]
    if vm.cloud_init:
        found.append(Option(DRIVE, f"{vm.cloud_init.storage}:cloudinit", "state"))
    return found + [
        Option(key, confs.written(key, pci.properties(vm.hosts_pci[key]))) for key, pci in vm.pci.items()
    ]


def gone(vm: Settings) -> list[str]:
    """Return what the template has and the machine should not."""
    found = ["description"] if not vm.description else []
    return found + [key for key, value in confs.plain(vm).items() if not value]


def storages(vm: Settings) -> list[str]:
    """Return the storages its disks lie on."""
    found = [disk.storage for disk in vm.disks.values() if disk.storage]
    found += [one.storage for one in (vm.efi, vm.tpm, vm.cloud_init) if one]
    return list(dict.fromkeys(found))


def steps(vm: Settings, scripts: Scripts) -> Iterator[Step | Refusal]:
    """Yield everything from nothing to a machine that runs."""
    if not vm.image:
        reason = f"there is no machine {vm.vmid}, and no `image` says what to make it from"
        yield Refusal("present", reason)
        return
    own = f"conf:{vm.vmid}"
    locks = tuple(f"storage:{name}" for name in storages(vm))
    yield Step(shlex.join(create_argv(vm)), execute=scripts["create"], locks=(own, *locks), lasts=True)
    if vm.cloud_init:
        yield changes.seed(vm, scripts["seed"])
    words = [word for one in options(vm) for word in (f"--{one.key}", one.text)]
    title = shlex.join(["qm", "set", vm.vmid, *words])
    yield Step(title, execute=scripts["configure"], locks=(own, *locks))
    disk = vm.disks.get(BOOT_DISK)
    if disk and disk.size:
        yield changes.resize(vm, scripts["resize"], BOOT_DISK, property_string.spelled_size(disk.size))
    yield changes.note(vm, scripts["note"])
    if vm.state == "running":
        yield changes.start(vm, scripts["start"])


def removal(vmid: str, called: str, destroy: Artifact, volumes: list[str] | None = None) -> Step:
    """Return the step that shuts a machine down and destroys it; `volumes` are those that go with it."""
    lost = ["the disk it starts from", *(f"the disk {volume}" for volume in volumes or ())]
    return Step(
        f"qm shutdown {vmid}; qm destroy {vmid}",
        execute=destroy,
        arguments=(vmid, "all" if volumes is not None else "keep"),
        effect=Effect.RESTART,
        interrupts=called,
        destroys=f"{called}: {', '.join(lost)}",
        locks=(f"conf:{vmid}", f"clone:{vmid}"),
    )


def destroy_script() -> Artifact:
    """Return the script that destroys any machine: it is called with its VMID."""
    return script("vm", "destroy", "destroy.sh.j2")


def volumes_of(conf: qemu_conf.Conf) -> list[str]:
    """Return the disks of a machine besides the one it starts from, and what belongs to that."""
    own = (BOOT_DISK, DRIVE, "efidisk0", "tpmstate0")
    return [volume for key, volume in qemu_properties.volumes(conf.keys).items() if key not in own]
