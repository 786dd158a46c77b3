"""What differs in a container becomes steps: one `pct set`, a resize, raw lines, power. Nothing is run here.

What is hot and what waits for a start is Proxmox's own table (`vmconfig_hotplug_pending` in
PVE::LXC::Config of pve-container 5.2 and 6.0).
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping

from ..dialects import lxc_conf, property_string
from ..resource import Artifact, Change, Difference, Effect, Refusal, Step, run, script
from . import conf as confs
from . import idmap, refusals, seen
from .parts import Mount
from .settings import MARK, Settings

AT_ONCE = frozenset(
    {"description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags"}
)
HOT = AT_ONCE | {"cpulimit", "cpuunits", "memory", "swap"}
"""Settings that take effect while the container runs."""
HOLDERS = {
    "backup": "a backup of it is running",
    "create": "it is being made or restored",
    "clone": "it is being cloned",
    "disk": "it is being cloned, or a volume of it is being moved",
    "migrate": "it is on its way to another node",
    "mounted": "somebody has its root mounted (pct unmount ends that)",
    "rollback": "it is being rolled back",
    "snapshot": "a snapshot of it is being taken",
    "snapshot-delete": "a snapshot of it is being removed",
    "fstrim": "its volumes are being trimmed",
    "destroyed": "its removal was begun and not finished",
}
"""What Proxmox's locks mean (`lock` in pct.conf(5))."""

Scripts = Mapping[str, Artifact]
"""Our scripts by the names of their templates, without `.sh.j2`."""


def steps(lxc: Settings, change: Change, scripts: Scripts) -> Iterator[Step | Refusal]:
    """Yield what turns a container that is there into the declared one."""
    now: seen.Seen = change.seen
    refused = refusals.refused(lxc, change)
    yield from refused.values()
    left = {name: found for name, found in change.attributes.items() if name not in refused}
    if f"raw.{idmap.KEY}" in refused:  # it keeps its map, and nobody needs the ids of another
        left = {name: found for name, found in left.items() if not name.startswith("delegated.")}
    if now.note.parts ^ lxc.parts <= refused.keys():  # what it does not get is not noted either
        left.pop("noted", None)
    acts = [*_acts(lxc, left, now, scripts), *_power(lxc, left, now, scripts, bool(refused))]
    if _leaving(left, now) and any(isinstance(act, Step) and act.effect is Effect.RESTART for act in acts):
        acts.append(note(lxc, scripts["note"]))
    lock = now.conf.keys.get("lock", "")
    if lock and any(isinstance(act, Step) for act in acts):
        title = f"wait up to {lxc.lock_wait} s for the lock `{lock}` of {lxc.vmid}"
        yield Step(title, execute=scripts["wait"], waits=True)
    yield from acts


def _acts(lxc: Settings, left: Mapping[str, Difference], now: seen.Seen, scripts: Scripts) -> Iterator[Step]:
    own = (f"conf:{lxc.vmid}",)
    free = "protection" in left and left["protection"].desired == "0" and bool(refusals.of_volumes(left))
    if free:
        left = {name: found for name, found in left.items() if name != "protection"}
        yield run("pct", "set", lxc.vmid, "--protection", "0")
    # first: what `pct set` writes of a volume that waits for a start has its size in it
    grown = dict(_grown(left, now.conf))
    for disk, size in grown.items():
        yield resize(lxc, scripts["resize"], disk, size)
    words, storages = _set(lxc, left, now.conf, grown)
    digest = "" if grown or free else lxc_conf.digest(now.text)
    if words:
        argv = ("pct", "set", lxc.vmid, *(("--digest", digest) if digest else ()), *words)
        title = shlex.join(["pct", "set", lxc.vmid, *words])
        locks = (*own, *(f"storage:{name}" for name in storages))
        yield Step(title, argv=argv, locks=locks)
    gone = [key for key in _changed(left, "raw") if key not in lxc.raw_lines]
    lost = {name: _lost(left[f"delegated.{name}"]) for name in _changed(left, "delegated")}
    if lost:
        yield delegate(lost)
    if _changed(left, "raw"):
        yield raw(lxc, scripts["raw"], _changed(left, "raw"), ("" if words else digest, *gone))
    leaving = _leaving(left, now)
    if (words or _changed(left, "raw") or "noted" in left) and lxc.parts.union(leaving) != now.note.parts:
        yield note(lxc, scripts["note"], leaving)
    for target in _changed(left, "owners"):
        yield own_folder(lxc, target)


def note(lxc: Settings, script: Artifact, leaving: tuple[str, ...] = ()) -> Step:
    """Return the step that notes what of the container is ours."""
    return Step(f"note which parts of {lxc.vmid} are ours", execute=script, arguments=leaving)


def _leaving(left: Mapping[str, Difference], now: seen.Seen) -> tuple[str, ...]:
    """Return what it gives up at its next start: noted until then, or nobody would wait for it."""
    gone = {name for name, found in left.items() if found.desired is None and _is_late(name, found)}
    return tuple(sorted(gone & now.note.parts)) if now.running else ()


def resize(lxc: Settings, script: Artifact, disk: str, size: str) -> Step:
    """Return the step that makes a volume larger."""
    title = f"pct resize {lxc.vmid} {disk} {size}"
    return Step(title, execute=script, arguments=(disk, size), locks=(f"conf:{lxc.vmid}",))


def raw(lxc: Settings, script: Artifact, keys: list[str], arguments: tuple[str, ...] = ()) -> Step:
    """Return the step that brings the raw lines of keys into the conf."""
    lines = [f"{key}: {value}" for key in keys for value in lxc.raw_lines.get(key, ())]
    gone = [f"no {key}" for key in keys if not lxc.raw_lines.get(key)]
    title = f"write into {lxc_conf.FOLDER}/{lxc.vmid}.conf: {'; '.join([*lines, *gone])}"
    return Step(title, execute=script, arguments=arguments, locks=(f"conf:{lxc.vmid}",))


def delegate(lost: Mapping[str, Iterable[str]]) -> Step:
    """Return the step that adds lines to /etc/subuid and /etc/subgid."""
    words = [word for file, lines in lost.items() for word in (file, *lines)]
    said = "; ".join(f"{', '.join(lines)} into {file}" for file, lines in lost.items())
    return Step(
        f"write {said}", execute=delegate_script(), arguments=tuple(words), locks=("file:/etc/subuid",)
    )


def delegate_script() -> Artifact:
    """Return the script that adds lines to /etc/subuid and /etc/subgid."""
    return script("lxc", "delegate", "delegate.sh.j2")


def _lost(found: Difference) -> list[str]:
    return [line for line in found.desired if line not in found.actual]


def own_folder(lxc: Settings, target: str) -> Step:
    """Return the step that gives a mounted folder of the node the owner it should have inside."""
    mount = lxc.mounts[target]
    return run("chown", owner(lxc, mount), mount.source or "")


def owner(lxc: Settings, mount: Mount) -> str:
    """Return `uid:gid` on the node of who owns a folder inside; what is not declared is left out."""
    uid, gid = lxc.id_map.mapped(mount.uid or 0, mount.gid or 0)
    first = str(uid) if mount.uid is not None and uid is not None else ""
    return f"{first}:{gid}" if mount.gid is not None and gid is not None else first


def _changed(left: Mapping[str, Difference], part: str) -> list[str]:
    return [name.removeprefix(f"{part}.") for name in left if name.startswith(f"{part}.")]


# pct set, pct resize


def _set(
    lxc: Settings, left: Mapping[str, Difference], conf: lxc_conf.Conf, grown: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return the options for `pct set`, and the storages on which it allocates."""
    values: dict[str, str] = {}
    gone: list[str] = []
    storages: list[str] = []
    plain = confs.plain(lxc)
    slots = _Slots(conf, grown)
    for name, found in left.items():
        part, _, own = name.partition(".")
        if name in plain:
            values |= {name: plain[name]} if plain[name] else {}
            gone += [] if plain[name] else [name]
        elif name == "description":
            values |= {name: lxc.description} if lxc.description else {}
            gone += [] if lxc.description else [name]
        elif name == "tags":
            values[name] = ";".join(_tags(lxc, conf, found))
        elif name == "rootfs" and lxc.rootfs:
            values[name] = slots.rootfs(lxc.rootfs.options)
        elif part == "net" and own in lxc.net:
            values |= slots.net(own, lxc.net[own].properties(own))
        elif part == "devices" and own in lxc.all_devices:
            values |= slots.device(own, lxc.all_devices[own].properties(own))
        elif part == "mounts" and own in lxc.all_mounts:
            mount = lxc.all_mounts[own]
            values |= slots.mount(own, mount)
            storages += [mount.storage] if mount.storage and not found.actual else []
        elif part in ("net", "devices", "mounts") and found.desired is None and not own.endswith(".size"):
            gone += slots.gone(part, own)
    words = [word for key, value in values.items() for word in (f"--{key}", value)]
    return words + (["--delete", ",".join(gone)] if gone else []), storages


def _tags(lxc: Settings, conf: lxc_conf.Conf, found: Difference) -> list[str]:
    """Return the tags as they should be: those of others stay, and ours where it is."""
    there = seen.tags(confs.upcoming(conf))
    lost = set(found.actual or ()) - set(lxc.tags or ())
    return sorted({*(tag for tag in there if tag not in lost), *(lxc.tags or ())}) or [MARK]


class _Slots:
    """Which `netN`, `mpN` and `devN` there are; new ones take the first free number."""

    def __init__(self, conf: lxc_conf.Conf, grown: Mapping[str, str]) -> None:
        self._grown = grown
        self._after = confs.upcoming(conf)
        self._now = conf.keys
        self._taken: set[str] = set()

    def _find(self, kind: str, own: str, name: str) -> tuple[str, str]:
        """Return the key that has this name and what it says now; a free key and nothing if none has it."""
        for keys in (self._after, self._now):  # one that is about to go is taken back
            key = seen.slot(keys, kind, own, name)
            if key is not None:
                return key, keys[key]
        return seen.free({**self._now, **self._after}, self._taken, kind), ""

    def net(self, name: str, properties: dict[str, str]) -> dict[str, str]:
        """Return the option for an interface. Its address is kept: without one Proxmox would draw another."""
        key, text = self._find("net", "name", name)
        mac = property_string.parse(text, property_string.NET).get("hwaddr")
        kept = {"hwaddr": mac} if mac else {}
        return {key: _text("net", {**kept, **confs.kept(text, "net"), **properties})}

    def device(self, path: str, properties: dict[str, str]) -> dict[str, str]:
        """Return the option for a device."""
        key, text = self._find("dev", "path", path)
        return {key: _text("dev", {**confs.kept(text, "dev"), **properties})}

    def mount(self, target: str, mount: Mount) -> dict[str, str]:
        """Return the option for a mount; a volume is allocated only where there is none yet."""
        key, text = self._find("mp", "mp", target)
        found = property_string.parse(text, property_string.MOUNT)
        volume, size = mount.source or mount.allocation, {}
        if mount.source is None and found.get("volume", "/").partition(":")[0] == mount.storage:
            volume = found["volume"]
            size = {"size": self._grown.get(key, found["size"])} if "size" in found else {}
        return {key: _text("mp", {**confs.kept(text, "mp"), **mount.properties(target, volume), **size})}

    def rootfs(self, options: Mapping[str, str]) -> str:
        """Return the root file system's option with other options: volume and size stay."""
        text = self._after.get("rootfs", "")
        found = property_string.parse(text, property_string.ROOTFS)
        same: dict[str, str] = {key: found[key] for key in ("volume", "size") if key in found}
        same |= {"size": self._grown["rootfs"]} if "rootfs" in self._grown else {}
        return _text("rootfs", {**same, **confs.kept(text, "rootfs"), **options})

    def gone(self, part: str, name: str) -> list[str]:
        """Return the key of what should go; a volume is only detached by that, and becomes `unusedN`."""
        kind, own = {"net": ("net", "name"), "devices": ("dev", "path"), "mounts": ("mp", "mp")}[part]
        key = seen.slot(self._after, kind, own, name)
        return [key] if key else []


def _text(kind: str, values: Mapping[str, str]) -> str:
    return property_string.write(values, property_string.form_of(kind) or property_string.Form())


def _grown(left: Mapping[str, Difference], conf: lxc_conf.Conf) -> Iterator[tuple[str, str]]:
    """Yield what must be made larger, and its size; a new volume is made with its size."""
    for name, found in left.items():
        if name == "rootfs.size":
            yield "rootfs", str(found.desired)
        elif name.startswith("mounts.") and name.endswith(".size") and found.actual:
            target = name.removeprefix("mounts.").removesuffix(".size")
            key = seen.slot(confs.upcoming(conf), "mp", "mp", target)
            if key:
                yield key, str(found.desired)


# power


def _power(
    lxc: Settings, left: Mapping[str, Difference], now: seen.Seen, scripts: Scripts, refused: bool
) -> Iterator[Step | Refusal]:
    if "power" in left:
        if left["power"].desired == "stopped":
            yield stop(lxc)
        elif not refused:
            yield start(lxc, scripts["start"])
        return
    late = _late(lxc, left, now) if now.running else []
    if not late:
        return
    name = "pending" if "pending" in left else late[0]
    wait = f"{', '.join(late)} {'wait' if len(late) > 1 else 'waits'} for the next start of {lxc.guest_name}"
    if lxc.restart == "auto" or (lxc.restart == "window" and now.window):
        yield restart(lxc, scripts["start"])
    elif lxc.restart == "window":
        yield Refusal(name, f"{wait}: done between {lxc.restart_window} by the node's clock")
    else:
        yield Refusal(name, f"{wait}: `phoenix restart {lxc.guest_name}`")


def _late(lxc: Settings, left: Mapping[str, Difference], now: seen.Seen) -> list[str]:
    """Return what a running container takes only when it is started anew.

    What somebody else has changed and what waits itself is only taken back.
    """
    before = confs.active(lxc, now)
    late = [
        name
        for name, found in left.items()
        if name != "pending" and _is_late(name, found) and (_raw(name) or before.get(name) != found.desired)
    ]
    waits = list(left["pending"].actual) if "pending" in left else []
    return [*late, *(name for name in waits if name not in left)]


def _raw(name: str) -> bool:
    return name.startswith("raw.")


def _is_late(name: str, found: Difference) -> bool:
    part = name.partition(".")[0]
    if part in ("net", "noted", "owners", "delegated") or name.endswith(".size") or name in HOT:
        return False
    return not (part in ("mounts", "devices") and found.actual is None)


def start(lxc: Settings, script: Artifact) -> Step:
    """Return the step that starts the container and waits until it is ready."""
    return Step(f"pct start {lxc.vmid}, wait until it is ready", execute=script, locks=(f"conf:{lxc.vmid}",))


def restart(lxc: Settings, script: Artifact) -> Step:
    """Return the step that starts the container anew and waits until it is ready."""
    return Step(
        f"pct reboot {lxc.vmid}, wait until it is ready",
        execute=script,
        arguments=("reboot",),
        effect=Effect.RESTART,
        interrupts=lxc.called,
        locks=(f"conf:{lxc.vmid}",),
    )


def stop(lxc: Settings) -> Step:
    """Return the step that shuts the container down."""
    argv = ("pct", "shutdown", lxc.vmid, "--timeout", str(lxc.shutdown_seconds))
    return Step(
        shlex.join(argv), argv=argv, effect=Effect.RESTART, interrupts=lxc.called, locks=(f"conf:{lxc.vmid}",)
    )
