"""Making a container, and removing one: scripts, for what they meet is known on the node only."""

import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..dialects import lxc_conf, property_string
from ..resource import Artifact, Effect, Refusal, Step, script
from . import changes, idmap, seen
from . import conf as confs
from .parts import Mount, allocation, switch
from .settings import MARK, Settings

OWN = idmap.delegated(idmap.DEFAULT).subuid
"""What Proxmox's installer has written into /etc/subuid and /etc/subgid."""
NOT_BY_SET = frozenset({"unprivileged", "hostname"})
"""Settings that a container is made with."""


class Several(NamedTuple):
    """One of several settings of a kind: its key's number is found on the node."""

    kind: str
    """`net`, `mp` or `dev`."""
    sign: str
    """The property by which it is known: `name=eth0`."""
    text: str
    """Its value; of a volume's, what comes behind the volume."""
    storage: str = ""
    """What allocates its volume, if there is none of that sign yet."""

    @property
    def target(self) -> str:
        """Where a mount is inside."""
        return self.sign.removeprefix("mp=")


def create_argv(lxc: Settings) -> tuple[str, ...]:
    """Return the command that makes the container, without bind mounts: a clone of those is refused."""
    marked = ("--hostname", lxc.own_hostname)
    if lxc.clone:
        layer = lxc.parent
        source = ("pct", "clone", layer.vmid if layer else lxc.clone, lxc.vmid, *marked)
        if lxc.clone_mode == "linked":
            return source
        snapshot = ("--snapname", layer.snapshot) if layer and layer.snapshot else ()
        storage = ("--storage", lxc.rootfs.storage) if lxc.rootfs and lxc.rootfs.storage else ()
        return (*source, *snapshot, "--full", "1", *storage)
    argv = ["pct", "create", lxc.vmid, template_of(lxc), *marked, "--unprivileged", switch(lxc.unprivileged)]
    if lxc.rootfs:
        volume = allocation(lxc.rootfs.storage or "", lxc.rootfs.size or 0)
        form = property_string.ROOTFS
        argv += ["--rootfs", property_string.write({"volume": volume, **lxc.rootfs.options}, form)]
    for key in ("arch", "ostype"):
        value = getattr(lxc, key)
        argv += [f"--{key}", value] if value else []
    return (*argv, "--tags", MARK)


def template_of(lxc: Settings) -> str:
    """Return the volume of the archive it is made from."""
    return str(next((given.value["volume"] for given in lxc.given("ct_template")), lxc.template or ""))


def origin(lxc: Settings) -> str:
    """Return what is noted of where it comes from."""
    if lxc.clone:
        return f"from {lxc.parent.vmid} {lxc.parent.fingerprint}" if lxc.parent else f"from {lxc.clone}"
    return f"from {template_of(lxc)}"


def first_options(lxc: Settings) -> tuple[str, ...]:
    """Return the options of the first `pct set` that stand alone."""
    plain = {key: value for key, value in confs.plain(lxc).items() if key not in NOT_BY_SET}
    if lxc.description is not None:
        plain["description"] = lxc.description
    words = [word for key, value in plain.items() if value for word in (f"--{key}", value)]
    gone = [key for key, value in plain.items() if not value]
    words += ["--tags", ";".join(sorted({MARK, *(lxc.tags or ())}))]
    return (*words, *(("--delete", ",".join(gone)) if gone else ()))


def several(lxc: Settings) -> list[Several]:
    """Return its interfaces, mounts and devices for the first `pct set`."""
    found = [
        Several("net", f"name={name}", _text("net", net.properties(name))) for name, net in lxc.net.items()
    ]
    found += [_mount(target, mount) for target, mount in lxc.all_mounts.items()]
    return found + [
        Several("dev", f"path={path}", _text("dev", device.properties(path)))
        for path, device in lxc.all_devices.items()
    ]


def _mount(target: str, mount: Mount) -> Several:
    if mount.source is not None:
        return Several("mp", f"mp={target}", _text("mp", mount.properties(target, mount.source)))
    options = {"mp": target, **mount.options}
    return Several("mp", f"mp={target}", _text("mp", options), mount.allocation)


def _text(kind: str, values: Mapping[str, str]) -> str:
    return property_string.write(values, property_string.form_of(kind) or property_string.Form())


def steps(lxc: Settings, scripts: changes.Scripts) -> Iterator[Step | Refusal]:
    """Yield everything from nothing to a container that runs."""
    if not lxc.template and not lxc.clone:
        reason = (
            f"there is no container {lxc.vmid}, and neither `template` nor `clone` says what to make it from"
        )
        yield Refusal("present", reason)
        return
    if lxc.clone_mode == "linked" and lxc.parent and lxc.parent.mode != "template":
        reason = f"the layer `{lxc.clone}` is no template, and only of one there are linked clones"
        yield Refusal("present", f"{reason}: leave out `clone_mode`, or make it one")
        return
    own = f"conf:{lxc.vmid}"
    locks = [f"clone:{lxc.parent.vmid}"] if lxc.parent else []
    locks += [f"storage:{name}" for name in storages(lxc)]
    yield Step(shlex.join(create_argv(lxc)), execute=scripts["create"], locks=(own, *locks))
    words = [
        word
        for one in several(lxc)
        for word in (f"--{one.kind}N", ",".join(filter(None, (one.storage, one.text))))
    ]
    title = shlex.join(["pct", "set", lxc.vmid, *first_options(lxc), *words])
    yield Step(title, execute=scripts["configure"], locks=(own, *locks[bool(lxc.parent) :]))
    if lxc.clone and lxc.rootfs and lxc.rootfs.size:
        size = property_string.spelled_size(lxc.rootfs.size)
        yield changes.resize(lxc, scripts["resize"], "rootfs", size)
    shared = {file: [line for line in lines if line not in OWN] for file, lines in lxc.delegated.items()}
    if any(shared.values()):
        yield changes.delegate(shared)
    if lxc.clone or any(lxc.raw_lines.values()):
        yield changes.raw(lxc, scripts["raw"], list(lxc.raw_lines))
    for target, mount in lxc.mounts.items():
        if mount.uid is not None or mount.gid is not None:
            yield changes.own_folder(lxc, target)
    yield changes.note(lxc, scripts["note"])
    if lxc.state == "running":
        yield changes.start(lxc, scripts["start"])


def storages(lxc: Settings) -> list[str]:
    """Return the storages its volumes lie on."""
    found = [lxc.rootfs.storage] if lxc.rootfs and lxc.rootfs.storage else []
    found += [mount.storage for mount in lxc.mounts.values() if mount.storage]
    return list(dict.fromkeys(found))


def removal(vmid: str, called: str, destroy: Artifact, volumes: list[str] | None = None) -> Step:
    """Return the step that shuts a container down and destroys it; `volumes` are those that go with it."""
    lost = ["its root file system", *(f"the volume {volume}" for volume in volumes or ())]
    return Step(
        f"pct shutdown {vmid}; pct destroy {vmid}",
        execute=destroy,
        arguments=(vmid, "all" if volumes is not None else "keep"),
        effect=Effect.RESTART,
        interrupts=called,
        destroys=f"{called}: {', '.join(lost)}",
        locks=(f"conf:{vmid}", f"clone:{vmid}"),
    )


def destroy_script() -> Artifact:
    """Return the script that destroys any container: it is called with its VMID."""
    return script("lxc", "destroy", "destroy.sh.j2")


def volumes_of(conf: lxc_conf.Conf) -> list[str]:
    """Return the volumes of a container besides its root file system."""
    keys = [key for key in conf.keys if key.rstrip("0123456789") in ("mp", "unused")]
    found = [seen.meaning(conf.keys[key], key.rstrip("0123456789")).get("volume", "") for key in keys]
    return [volume for volume in found if volume and not volume.startswith("/")]
