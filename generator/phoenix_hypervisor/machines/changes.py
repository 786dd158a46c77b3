"""What differs in a machine becomes steps: one `qm set`, a resize, its seed, power. Nothing is run here.

What is hot and what waits for a start is Proxmox's own table (`vmconfig_hotplug_pending` in PVE::QemuServer
of qemu-server 8.3 and 9.0).
"""

import shlex
from collections.abc import Iterator, Mapping

from ..containers.changes import Scripts
from ..dialects import qemu_conf, qemu_properties
from ..resource import Artifact, Change, Difference, Effect, Refusal, Step, run
from ..secrets import Text
from . import conf as confs
from . import refusals, seen
from .settings import DRIVE, MARK, Settings

AT_ONCE = frozenset(
    {"description", "hookscript", "name", "onboot", "protection", "startup", "tags", "cpulimit", "cpuunits",
     "hotplug", "noted", "seed", "cicustom", "efi", "tpm"}
)  # fmt: skip
"""Settings that take effect while the machine runs, or have none in it."""
STATES = {"efi": "efidisk0", "tpm": "tpmstate0"}
BEFORE_START = ("cache", "discard", "iothread", "ro", "ssd")
"""Of a disk: what a running machine cannot take."""
HOLDERS = {
    "backup": "a backup of it is running",
    "create": "it is being made or restored",
    "clone": "it is being cloned",
    "migrate": "it is on its way to another node",
    "rollback": "it is being rolled back",
    "snapshot": "a snapshot of it is being taken",
    "snapshot-delete": "a snapshot of it is being removed",
    "suspending": "it is being suspended",
    "suspended": "it is suspended to disk (qm resume)",
}
"""What Proxmox's locks mean (`lock` in qm.conf(5))."""


def steps(vm: Settings, change: Change, scripts: Scripts) -> Iterator[Step | Refusal]:
    """Yield what turns a machine that is there into the declared one."""
    now: seen.Seen = change.seen
    refused = refusals.refused(vm, change)
    yield from refused.values()
    left = {name: found for name, found in change.attributes.items() if name not in refused}
    if now.note.parts ^ vm.parts <= refused.keys():  # what it does not get is not noted either
        left.pop("noted", None)
    acts = [*_acts(vm, left, now, scripts), *_power(vm, left, now, scripts, bool(refused))]
    leaving = _leaving(left, now)
    if leaving and any(isinstance(act, Step) and act.effect is Effect.RESTART for act in acts):
        acts.append(note(vm, scripts["note"]))
    lock = now.conf.keys.get("lock", "")
    if lock and any(isinstance(act, Step) for act in acts):
        title = f"wait up to {vm.lock_wait} s for the lock `{lock}` of {vm.vmid}"
        yield Step(title, execute=scripts["wait"], waits=True)
    yield from acts


def _acts(vm: Settings, left: Mapping[str, Difference], now: seen.Seen, scripts: Scripts) -> Iterator[Step]:
    own = (f"conf:{vm.vmid}",)
    if "seed" in left and vm.cloud_init:
        yield seed(vm, scripts["seed"])
    free = "protection" in left and left["protection"].desired == "0"
    if free:
        left = {name: found for name, found in left.items() if name != "protection"}
        yield run("qm", "set", vm.vmid, "--protection", "0")
    grown = [name for name, found in left.items() if name.endswith(".size") and found.actual]
    for name in grown:
        yield resize(vm, scripts["resize"], name.split(".")[1], str(left[name].desired))
    words, storages = _set(vm, left, now.conf)
    if words:
        digest = () if grown or free else ("--digest", qemu_conf.digest(now.text))
        locks = (*own, *(f"storage:{name}" for name in storages))
        title = shlex.join(["qm", "set", vm.vmid, *words])
        yield Step(title, argv=("qm", "set", vm.vmid, *digest, *words), locks=locks)
    leaving = _leaving(left, now)
    if (words or "noted" in left) and vm.parts.union(leaving) != now.note.parts:
        yield note(vm, scripts["note"], leaving)


def seed(vm: Settings, script: Artifact) -> Step:
    """Return the step that writes user-data and meta-data; passwords come on its stdin."""
    secrets = vm.cloud_init.secrets if vm.cloud_init else {}
    parts: list[object] = []
    for name, secret in secrets.items():
        parts += [f"{name}:", secret, "\n"]
    stdin = Text(*parts) if parts else None  # type: ignore[arg-type]  # texts and secrets in turn
    said = "".join(f", with the password {secret} of {name}" for name, secret in secrets.items())
    return Step(f"write {vm.seed}{said}", execute=script, stdin=stdin)


def note(vm: Settings, script: Artifact, leaving: tuple[str, ...] = ()) -> Step:
    """Return the step that notes what of the machine is ours."""
    return Step(f"note which parts of {vm.vmid} are ours", execute=script, arguments=leaving)


def _leaving(left: Mapping[str, Difference], now: seen.Seen) -> tuple[str, ...]:
    """Return what it gives up at its next start: noted until then, or nobody would wait for it."""
    gone = {name for name, found in left.items() if found.desired is None and is_late(name, found, now.conf)}
    return tuple(sorted(gone & now.note.parts)) if now.running else ()


def resize(vm: Settings, script: Artifact, disk: str, size: str) -> Step:
    """Return the step that makes a disk larger."""
    title = f"qm resize {vm.vmid} {disk} {size}"
    return Step(title, execute=script, arguments=(disk, size), locks=(f"conf:{vm.vmid}",))


# qm set


def _set(vm: Settings, left: Mapping[str, Difference], conf: qemu_conf.Conf) -> tuple[list[str], list[str]]:
    """Return the options for `qm set`, and the storages on which it allocates."""
    values: dict[str, str] = {}
    gone: list[str] = []
    now = {**conf.keys, **confs.upcoming(conf)}
    for name, found in left.items():
        if name.startswith("disks.") and name.endswith((".size", ".storage")):
            continue  # it grows by a command of its own; a new one is made there
        said = _alone(vm, name, conf, found) or _of_several(vm, name, now, left)
        values |= {key: text for key, text in said.items() if text}
        gone += [key for key, text in said.items() if not text]
    disks = [name.removeprefix("disks.") for name in left if name.startswith("disks.")]
    new = [vm.disks[key].storage for key in disks if key in vm.disks and key not in now]
    words = [word for key, value in values.items() for word in (f"--{key}", value)]
    return words + (["--delete", ",".join(gone)] if gone else []), [name for name in new if name]


def _alone(vm: Settings, name: str, conf: qemu_conf.Conf, found: Difference) -> dict[str, str]:
    """Return the option for a setting there is one of; empty text for one that should go."""
    plain = confs.plain(vm)
    if name in plain:
        return {name: plain[name]}
    if name == "description":
        return {name: vm.description or ""}
    if name == "tags":
        return {name: ";".join(_tags(vm, conf, found))}
    if name in ("efi", "tpm"):
        return state(vm, name) or {STATES[name]: ""}
    if name == "cloud_init.storage" and vm.cloud_init:
        return {DRIVE: f"{vm.cloud_init.storage}:cloudinit"}
    return {}


def _of_several(
    vm: Settings, name: str, now: Mapping[str, str], left: Mapping[str, Difference]
) -> dict[str, str]:
    """Return the option for a card, its addresses, a disk or a PCI device; empty text for one that goes."""
    part, _, key = name.partition(".")
    if part == "net":
        if key not in vm.net:
            return {key: ""}
        card = vm.net[key].card(qemu_properties.mac_of(now.get(key, "")))
        return {key: confs.written(key, {**confs.kept(now.get(key, ""), key), **card})}
    if part == "addresses":
        where = f"ipconfig{key.removeprefix('net')}"
        return {where: confs.written(where, vm.net[key].addresses) if key in vm.net else ""}
    if part == "disks":
        larger = left.get(f"{name}.size")
        size = str(larger.desired) if larger else ""
        return {key: _disk(vm, key, now.get(key, ""), size) if key in vm.disks else ""}
    if part == "pci":
        return {key: confs.written(key, vm.pci[key].properties(vm.hosts_pci[key])) if key in vm.pci else ""}
    return {}


def state(vm: Settings, name: str) -> dict[str, str]:
    """Return the option that makes the firmware's variables or the TPM's state."""
    if name == "efi" and vm.efi:
        return {"efidisk0": confs.written("efidisk0", {"file": f"{vm.efi.storage}:1", **vm.efi.options})}
    if name == "tpm" and vm.tpm:
        return {"tpmstate0": confs.written("tpmstate0", {"file": f"{vm.tpm.storage}:1", **vm.tpm.options})}
    return {}


def _tags(vm: Settings, conf: qemu_conf.Conf, found: Difference) -> list[str]:
    """Return the tags as they should be: those of others stay, and ours where it is."""
    there = seen.tags(confs.upcoming(conf))
    lost = set(found.actual or ()) - set(vm.tags or ())
    return sorted({*(tag for tag in there if tag not in lost), *(vm.tags or ())}) or [MARK]


def _disk(vm: Settings, key: str, text: str, size: str) -> str:
    """Return a disk's option: the volume it has stays, and what is not declared of it; `size` if it grew."""
    declared = vm.disks[key]
    found = qemu_properties.parse(key, text) if text else {}
    if "file" not in found:
        return confs.written(key, {"file": declared.allocation, **declared.options})
    same: dict[str, str] = {name: found[name] for name in ("file", "size") if name in found}
    same |= {"size": size} if size else {}
    return confs.written(key, {**confs.kept(text, key), **declared.options, **same})


# power


def _power(
    vm: Settings, left: Mapping[str, Difference], now: seen.Seen, scripts: Scripts, refused: bool
) -> Iterator[Step | Refusal]:
    if "power" in left:
        if left["power"].desired == "stopped":
            yield stop(vm, scripts["stop"])
        elif not refused:
            yield start(vm, scripts["start"])
        return
    late = _late(vm, left, now) if now.running else []
    if not late:
        return
    name = "pending" if "pending" in left else late[0]
    wait = f"{', '.join(late)} {'wait' if len(late) > 1 else 'waits'} for the next start of {vm.guest_name}"
    if vm.restart == "auto" or (vm.restart == "window" and now.window):
        yield restart(vm, scripts["start"])
    elif vm.restart == "window":
        yield Refusal(name, f"{wait}: done between {vm.restart_window} by the node's clock")
    else:
        yield Refusal(name, f"{wait}: `phoenix restart {vm.guest_name}`")


def _late(vm: Settings, left: Mapping[str, Difference], now: seen.Seen) -> list[str]:
    """Return what a running machine takes only when it is started anew."""
    before = confs.active(vm, now)
    late = [
        name
        for name, found in left.items()
        if name != "pending" and is_late(name, found, now.conf) and before.get(name) != found.desired
    ]
    waits = list(left["pending"].actual) if "pending" in left else []
    return [*late, *(name for name in waits if name not in left)]


def is_late(name: str, found: Difference, conf: qemu_conf.Conf) -> bool:
    """Tell whether a running machine takes a difference only at its next start."""
    part, _, key = name.partition(".")
    plugged = qemu_properties.plain("hotplug", conf.keys.get("hotplug", "1")).split(",")
    if name in AT_ONCE or name.endswith(".size") or name == "cloud_init.storage":
        return False
    if part == "disks":
        return "disk" not in plugged or key.startswith("sata") or _is_another_disk(found)
    if name == "balloon":
        return "0" in (found.actual, found.desired)
    return {"net": "network", "memory": "memory"}.get(part, "") not in plugged


def _is_another_disk(found: Difference) -> bool:
    """Tell whether a disk that is there differs in what it is attached with."""
    if found.actual is None or found.desired is None:
        return False
    one, other = (_options(str(side)) for side in (found.actual, found.desired))
    return any(one.get(option) != other.get(option) for option in BEFORE_START)


def _options(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def start(vm: Settings, script: Artifact) -> Step:
    """Return the step that starts the machine and waits until it is ready."""
    title = f"qm start {vm.vmid}, wait until it is ready"
    return Step(title, execute=script, locks=(f"conf:{vm.vmid}",), lasts=True)


def restart(vm: Settings, script: Artifact) -> Step:
    """Return the step that starts the machine anew and waits until it is ready."""
    return Step(
        f"qm reboot {vm.vmid}, wait until it is ready",
        execute=script,
        arguments=("reboot",),
        effect=Effect.RESTART,
        interrupts=vm.called,
        locks=(f"conf:{vm.vmid}",),
        lasts=True,
    )


def stop(vm: Settings, script: Artifact) -> Step:
    """Return the step that shuts the machine down."""
    return Step(
        f"qm shutdown {vm.vmid} --timeout {vm.shutdown.seconds}",
        execute=script,
        effect=Effect.RESTART,
        interrupts=vm.called,
        locks=(f"conf:{vm.vmid}",),
        lasts=True,
    )
