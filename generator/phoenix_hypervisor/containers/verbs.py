"""What people do with a container by hand: `pct`, and our own scripts where it takes more."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..guestverbs import Said, Sight, journalctl, misnamed
from ..resource import Artifact, Effect, Kind, Refusal, Step, run, script
from . import changes
from . import sight as seen
from .settings import Settings

RECREATE = script("lxc", "recreate", "recreate.sh.j2")
"""Takes any container away for a new one: called with VMID, seconds for the shutdown, and its snapshots."""
UNTIE = """\
set -eu
id=$1 conf=/etc/pve/lxc/$1.conf gone=
set -- "$id"
while IFS= read -r line; do
    key=${line%%:*} value=${line#*: }
    source=${value%%,*} source=${source#volume=}
    case $line in
        "["*) break ;;
        net[0-9]*)
            value=$(printf %s "$value" | sed "s/,link_down=[01]//")
            set -- "$@" "--$key" "$value,link_down=1" ;;
        mp[0-9]*) case $source in /*) gone=$gone,$key ;; esac ;;
        dev[0-9]*|hookscript:*) gone=$gone,$key ;;
    esac
done <"$conf"
[ -z "$gone" ] || set -- "$@" --delete "${gone#,}"
[ $# = 1 ] || pct set "$@"
if grep -q "^lxc\\.\\(mount\\|hook\\|cgroup2\\.devices\\)\\." "$conf"; then
    kept=$(sed "/^lxc\\.\\(mount\\|hook\\|cgroup2\\.devices\\)\\./d" "$conf")
    printf "%s\\n" "$kept" >"$conf"
fi
"""
"""Called with the VMID of a container that does not run: plugs its networks out, and takes away what of the
node it would see: mounted folders, devices, hooks. Its own volumes stay."""


class ContainerVerbs:
    """The verbs of `lxc`."""

    tool = "pct"
    questions = seen.QUESTIONS

    def sights(self, guests: Iterable[Kind], answers: Sequence[Said]) -> Mapping[str, Sight]:
        """Return each container by its VMID."""
        return seen.sights(map(_settings, guests), answers)

    def addresses(self, guest: Kind) -> list[str]:
        """Return its declared addresses."""
        nets = _settings(guest).net.values()
        return [ip for net in nets for ip in (net.ip, net.ip6) if ip and ip != "manual"]

    def start(self, guest: Kind) -> Iterator[Step]:
        """Yield the start that `apply` makes, too."""
        yield changes.start(_settings(guest), _script(guest, "start.sh.j2"))

    def stop(self, guest: Kind) -> Iterator[Step]:
        """Yield the shutdown that `apply` makes, too."""
        yield changes.stop(_settings(guest))

    def kill(self, guest: Kind) -> Iterator[Step]:
        """Yield an end without a shutdown."""
        argv = ("pct", "stop", guest.name)
        yield replace(changes.stop(_settings(guest)), title=shlex.join(argv), argv=argv)

    def restart(self, guest: Kind) -> Iterator[Step]:
        """Yield a reboot, in which what waited for it comes into effect."""
        lxc = _settings(guest)
        yield replace(
            changes.start(lxc, _script(guest, "start.sh.j2")),
            title=f"pct reboot {lxc.vmid}, wait until it is ready",
            arguments=("reboot",),
            effect=Effect.RESTART,
            interrupts=lxc.called,
        )

    def snapshot(self, guest: Kind, sight: Sight, name: str) -> Iterator[Step | Refusal]:
        """Yield a snapshot of all its volumes."""
        for reason in _no_snapshot(guest, sight, name):
            yield Refusal("snapshot", reason)
            return
        argv = ("pct", "snapshot", guest.name, name)
        yield Step(shlex.join(argv), argv, locks=_locks(guest))

    def rollback(self, guest: Kind, sight: Sight, name: str) -> Iterator[Step | Refusal]:
        """Yield the way back, and a start if it runs: Proxmox ends it for that, without a shutdown."""
        for reason in _no_rollback(guest, sight, name):
            yield Refusal("snapshot", reason)
            return
        argv = ("pct", "rollback", guest.name, name)
        whose = f"{guest.name} {_settings(guest).guest_name}"
        yield Step(
            shlex.join(argv),
            argv,
            effect=Effect.RESTART if sight.running else Effect.HOT,
            interrupts=_settings(guest).called if sight.running else "",
            locks=_locks(guest),
            destroys=f"all that was written in {whose} since the snapshot {name}",
        )
        if sight.running:
            yield from self.start(guest)

    def recreate(self, guest: Kind, sight: Sight) -> Iterator[Step | Refusal]:
        """Yield its end. Volumes and settings are kept on the node: a new one of its VMID gets them back."""
        lxc = _settings(guest)
        for reason in _no_recreation(lxc, sight):
            yield Refusal("present", reason)
            return
        names = [snapshot.name for snapshot in reversed(sight.snapshots)]
        lost = ["its root file system", *(f"the snapshot {name}" for name in names)]
        yield Step(
            f"keep settings and volumes of {lxc.vmid}; pct destroy {lxc.vmid}",
            execute=RECREATE,
            arguments=(lxc.vmid, str(lxc.shutdown_seconds), *names),
            effect=Effect.RESTART if sight.running else Effect.HOT,
            interrupts=lxc.called if sight.running else "",
            destroys=f"{lxc.called}: {', '.join(lost)}",
            locks=(f"conf:{lxc.vmid}", f"clone:{lxc.vmid}"),
        )

    def restore(
        self, guest: Kind, archive: str, vmid: str, storage: str, *, start: bool
    ) -> Iterator[Step | Refusal]:
        """Yield a restore under another number, without what ties it to the node and its networks."""
        lxc = _settings(guest)
        storage = storage or (lxc.rootfs.storage if lxc.rootfs else None) or ""
        if not storage:
            yield Refusal("storage", "its file does not say where its root lies: name a `--storage`")
            return
        own = ("--unique", "1", "--onboot", "0", "--protection", "0", "--tags", "restored")
        name = f"{lxc.guest_name}-restored"
        argv = ("pct", "restore", vmid, archive, "--storage", storage, "--hostname", name, *own)
        yield Step(shlex.join(argv), argv, locks=(f"conf:{vmid}", f"storage:{storage}"))
        untie = ("sh", "-c", UNTIE, "sh", vmid)
        yield Step(f"take networks, and folders and devices of the node, from {vmid}", untie)
        if start:
            yield run("pct", "start", vmid)

    def journal(self, lines: int, place: str | None) -> str:
        """Return shell for inside; a container without systemd has files instead."""
        files = f"tail -q -n {lines} /var/log/messages /var/log/syslog 2>/dev/null"
        return f"if command -v journalctl >/dev/null; then {journalctl(lines, place)}; else {files}; fi"

    def start_log(self, guest: Kind, lines: int, place: str | None) -> str:
        """Return shell for the node: what its unit said."""
        return journalctl(lines, place, f"-u pve-container@{guest.name}.service")


def _settings(guest: Kind) -> Settings:
    assert isinstance(guest, Settings)
    return guest


def _script(guest: Kind, template: str) -> Artifact:
    return next(artifact for artifact in guest.artifacts() if artifact.template == template)


def _locks(guest: Kind) -> tuple[str, ...]:
    return (f"conf:{guest.name}",)


def _no_snapshot(guest: Kind, sight: Sight, name: str) -> Iterator[str]:
    """Yield why Proxmox would not take a snapshot, before it says so in five words."""
    yield from misnamed(sight, name)
    if sight.template:
        yield "it is a template, of which there are no snapshots"
    folders = [mount for mount in sight.mounts if mount.is_folder]
    if folders:
        behind = {mount: _dataset(guest, mount.source) for mount in folders}
        said = [
            f"{mount.target} is {mount.source}" + (f" (the dataset {dataset})" if dataset else "")
            for mount, dataset in behind.items()
        ]
        todo = "; ".join(f"zfs snapshot {one}@{name}" for one in sorted(set(behind.values()) - {""}))
        yield (
            "Proxmox takes no snapshot of a container into which folders of the node are mounted: "
            f"{', '.join(said)}. `vzdump {guest.name}` saves the rest of it"
            + (f"; for the folders, on the node: `{todo}`" if todo else "")
        )


def _dataset(guest: Kind, folder: str) -> str:
    """The declared dataset in which a folder lies; empty when there is none."""
    above = [
        (given.key, given.ref.name)
        for given in guest.given("path")
        if given.ref and f"{folder}/".startswith(f"{given.key}/")
    ]
    return max(above)[1] if above else ""


def _no_recreation(lxc: Settings, sight: Sight) -> Iterator[str]:
    """Yield why it is not made anew."""
    if not (lxc.template or lxc.clone):
        yield "neither `template` nor `clone` says what to make it from"
    elif not lxc.present:
        yield "it is declared absent"
    elif sight.protected:
        todo = (
            f"`pct set {lxc.vmid} --protection 0` takes the protection away; one that is declared comes back"
        )
        yield f"it is protected against removal: {todo}"
    elif sight.linked:
        yield f"it is the layer of linked clones, which share its files: {', '.join(sight.linked)}"


def _no_rollback(guest: Kind, sight: Sight, name: str) -> Iterator[str]:
    """Yield why it cannot go back to that snapshot."""
    names = [snapshot.name for snapshot in sight.snapshots]
    if sight.template:
        yield "it is a template, which never changes"
    elif name not in names:
        yield f"it has no snapshot `{name}`; it has {', '.join(names) or 'none at all'}"
    elif sight.newest_only and names[-1] != name:
        newer = names[names.index(name) + 1 :]
        yield (
            f"on ZFS only the newest snapshot can be gone back to, and {', '.join(newer)} "
            f"{'is' if len(newer) == 1 else 'are'} newer: go back to `{names[-1]}`, or first remove what is "
            f"newer ({'; '.join(f'pct delsnapshot {guest.name} {one}' for one in reversed(newer))})"
        )
