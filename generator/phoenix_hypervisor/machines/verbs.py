"""What people do with a machine by hand: `qm`, and our own scripts where it takes more."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..guestverbs import Said, Sight, journalctl, misnamed
from ..resource import Artifact, Effect, Kind, Refusal, Step, run
from . import changes, making
from . import sight as seen
from .settings import Settings

RESTORE = """\
set -eu
id=$1 name=$2 conf=/etc/pve/qemu-server/$1.conf gone=
shift 2
"$@"
set -- "$id" --name "$name" --onboot 0 --protection 0 --tags restored
while IFS= read -r line; do
    key=${line%%:*} value=${line#*: }
    case $line in
        "["*) break ;;
        net[0-9]*)
            value=$(printf %s "$value" | sed "s/,link_down=[01]//")
            set -- "$@" "--$key" "$value,link_down=1" ;;
        hostpci[0-9]*|usb[0-9]*|virtiofs[0-9]*|hookscript:*|args:*|cicustom:*) gone=$gone,$key ;;
        ide[0-9]*|sata[0-9]*|scsi[0-9]*)
            case $value in *-cloudinit*) gone=$gone,$key ;; esac ;;
    esac
done <"$conf"
# protection first: it keeps drives from being taken away
qm set "$@"
[ -z "$gone" ] || qm set "$id" --delete "${gone#,}"
"""
"""Called with a free VMID, a name and the command that makes a machine of it: plugs its networks out, takes
from it devices and hooks of the node, and the drive with which cloud-init would do all once more."""


class MachineVerbs:
    """The verbs of `vm`."""

    tool = "qm"
    questions = seen.QUESTIONS

    def sights(self, guests: Iterable[Kind], answers: Sequence[Said]) -> Mapping[str, Sight]:
        """Return each machine by its VMID."""
        return seen.sights(map(_settings, guests), answers)

    def addresses(self, guest: Kind) -> list[str]:
        """Return its declared addresses."""
        return [ip for card in _settings(guest).net.values() for ip in (card.ip, card.ip6) if ip]

    def start(self, guest: Kind) -> Iterator[Step]:
        """Yield the start that `apply` makes, too."""
        yield changes.start(_settings(guest), _script(guest, "start.sh.j2"))

    def stop(self, guest: Kind) -> Iterator[Step]:
        """Yield the shutdown that `apply` makes, too."""
        yield changes.stop(_settings(guest), _script(guest, "stop.sh.j2"))

    def kill(self, guest: Kind) -> Iterator[Step]:
        """Yield an end without a shutdown."""
        argv = ("qm", "stop", guest.name)
        stop = changes.stop(_settings(guest), _script(guest, "stop.sh.j2"))
        yield replace(stop, title=shlex.join(argv), argv=argv, execute=None, lasts=False)

    def restart(self, guest: Kind) -> Iterator[Step]:
        """Yield a reboot, in which what waited for it comes into effect."""
        yield changes.restart(_settings(guest), _script(guest, "start.sh.j2"))

    def snapshot(self, guest: Kind, sight: Sight, name: str) -> Iterator[Step | Refusal]:
        """Yield a snapshot of all its disks."""
        for reason in misnamed(sight, name):
            yield Refusal("snapshot", reason)
            return
        argv = ("qm", "snapshot", guest.name, name)
        yield Step(shlex.join(argv), argv, locks=_locks(guest))

    def rollback(self, guest: Kind, sight: Sight, name: str) -> Iterator[Step | Refusal]:
        """Yield the way back, and a start if it runs: Proxmox ends it for that, without a shutdown."""
        for reason in _no_rollback(guest, sight, name):
            yield Refusal("snapshot", reason)
            return
        argv = ("qm", "rollback", guest.name, name)
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
        """Yield its end. Further disks and addresses of cards are kept: a new one gets them back."""
        vm = _settings(guest)
        for reason in _no_recreation(vm, sight):
            yield Refusal("present", reason)
            return
        names = [snapshot.name for snapshot in reversed(sight.snapshots)]
        lost = ["the disk it starts from", *(f"the snapshot {name}" for name in names)]
        yield Step(
            f"keep further disks of {vm.vmid}; qm destroy {vm.vmid}",
            execute=making.destroy_script(),
            arguments=(vm.vmid, "keep", str(vm.shutdown.seconds), *names),
            effect=Effect.RESTART if sight.running else Effect.HOT,
            interrupts=vm.called if sight.running else "",
            destroys=f"{vm.called}: {', '.join(lost)}",
            locks=(f"conf:{vm.vmid}", f"clone:{vm.vmid}"),
            lasts=True,
        )

    def restore(
        self, guest: Kind, archive: str, vmid: str, storage: str, *, start: bool
    ) -> Iterator[Step | Refusal]:
        """Yield a restore under another number, without what ties it to the node and its networks."""
        where = ("--storage", storage) if storage else ()
        argv = ("qmrestore", archive, vmid, *where, "--unique", "1")
        vm = _settings(guest)
        disks = [storage] if storage else [disk.storage for disk in vm.disks.values() if disk.storage]
        yield Step(
            f"{shlex.join(argv)}; take networks, devices of the node and cloud-init from {vmid}",
            # one act: a copy with the addresses of the one that runs is never left behind
            ("sh", "-c", RESTORE, "sh", vmid, f"{vm.guest_name}-restored", *argv),
            locks=(f"conf:{vmid}", *(f"storage:{name}" for name in dict.fromkeys(disks))),
        )
        if start:
            yield run("qm", "start", vmid)

    def journal(self, lines: int, place: str | None) -> str:
        """Return shell for inside."""
        return journalctl(lines, place)

    def start_log(self, guest: Kind, lines: int, place: str | None) -> str:
        """Return shell for the node: what was said of its scope."""
        return journalctl(lines, place, f"-u {guest.name}.scope")


def _settings(guest: Kind) -> Settings:
    assert isinstance(guest, Settings)
    return guest


def _script(guest: Kind, template: str) -> Artifact:
    return next(artifact for artifact in guest.artifacts() if artifact.template == template)


def _locks(guest: Kind) -> tuple[str, ...]:
    return (f"conf:{guest.name}",)


def _no_recreation(vm: Settings, sight: Sight) -> Iterator[str]:
    if not vm.image:
        yield "no `image` says what to make it from"
    elif not vm.present:
        yield "it is declared absent"
    elif sight.protected:
        todo = f"`qm set {vm.vmid} --protection 0` takes the protection away; one that is declared comes back"
        yield f"it is protected against removal: {todo}"


def _no_rollback(guest: Kind, sight: Sight, name: str) -> Iterator[str]:
    names = [snapshot.name for snapshot in sight.snapshots]
    if name not in names:
        yield f"it has no snapshot `{name}`; it has {', '.join(names) or 'none at all'}"
    elif sight.newest_only and names[-1] != name:
        newer = names[names.index(name) + 1 :]
        todo = "; ".join(f"qm delsnapshot {guest.name} {one}" for one in reversed(newer))
        yield f"on ZFS only the newest snapshot can be gone back to: `{names[-1]}`, or first {todo}"
