"""Virtual machines."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from ..budgets import TAKES
from ..dialects import qemu_conf
from ..machines import changes, making, refusals, seen
from ..machines import conf as confs
from ..machines import samples as tried
from ..machines.settings import Settings
from ..machines.verbs import MachineVerbs
from ..resource import STATE_FOLDER, Artifact, Change, Offer, Refusal, Samples, Step, Want, made, script

SCRIPTS = ("create", "configure", "seed", "resize", "note", "wait", "start", "stop")


class Vm(Settings):
    """A virtual machine, as its node sees it: one section of a guest's file, whose name says VMID and guest.

    It is cloned from the template of a `vm_image`; one that is there already is only changed. All that
    differs goes into one `qm set` with the digest of what was seen. What takes effect only at the next start
    is told as `pending`, and `restart` says when that is. Disks are named as they hang (`scsi0` is the
    image's), and never made smaller. A setting that is not declared is left alone, and so are disks, cards,
    PCI devices, tags and snapshots of others; a network card keeps its address. What cloud-init does, it does
    once, at the first start: a difference afterwards is said. A graphics card is given by name, with all its
    functions, once a `vfio_device` has given it away. Destroyed only with `--allow-destroy`; its further
    disks stay then, unless `destroy_volumes` says otherwise.
    """

    entered: ClassVar[Literal["attach", "agent"]] = "agent"
    verbs: ClassVar[Any] = MachineVerbs()

    @property
    def conf(self) -> str:
        """The conf that Proxmox would write, with placeholders for what only the node knows."""
        return confs.rendered(self)

    @property
    def note(self) -> str:
        """The path of our note that we made it: from what."""
        return made(self.kind, self.name)

    @property
    def kept_volumes(self) -> str:
        """The path of our note which disks of a machine of that VMID were kept."""
        return f"{STATE_FOLDER}/kept/vm/{self.name}"

    @property
    def origin(self) -> str:
        """What is noted of where it comes from."""
        return making.origin(self)

    @property
    def template_vmid(self) -> str:
        """The number of the template it is cloned from."""
        found = making.image(self)
        return found.vmid if found else ""

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes it."""
        return making.create_argv(self)

    @property
    def first_options(self) -> list[making.Option]:
        """The options of the first `qm set`."""
        return making.options(self)

    @property
    def first_gone(self) -> list[str]:
        """What the template has and the machine should not."""
        return making.gone(self)

    @property
    def passwords(self) -> list[str]:
        """The users that get a password."""
        return list(self.cloud_init.secrets) if self.cloud_init else []

    @property
    def noted_parts(self) -> list[str]:
        """What is noted as ours."""
        return sorted(self.parts)

    @property
    def lock_holders(self) -> dict[str, str]:
        """What Proxmox's locks mean."""
        return changes.HOLDERS

    def provides(self) -> Iterable[Offer]:
        yield Offer("guest_up", self.guest_name)
        yield from (Offer(TAKES, key, takes) for key, takes in self.takes())

    def consumes(self) -> Iterable[Want]:
        if self.image:
            missing = f"there is no vm_image `{self.image}` on this node"
            yield Want("vm_image", self.image, "image", missing, "V-13", exact=True, making=True)
        # Proxmox has storages of its own; a rule says which must be declared
        for storage in making.storages(self):
            yield Want("storage", storage, "disks", "", exact=True, required=False)
        if self.cloud_init:
            yield Want("storage", self.cloud_init.snippets, "cloud_init", "", exact=True, required=False)
        for key, pci in self.pci.items():
            wanted = pci.gpu or (pci.address and (pci.address if "." in pci.address else f"{pci.address}.0"))
            if wanted:
                missing = (
                    f"the node keeps `{wanted}` for itself, or has none: give it away with a `vfio_device`"
                )
                yield Want("vfio", wanted, f"pci.{key}", missing, "V-36", exact=True)
        if any(pci.gpu for pci in self.pci.values()):
            yield Want("gpus", "node", "pci", "", exact=True, required=False)
        for guest in self.after:
            missing = f"there is no guest `{guest}` on this node"
            yield Want("guest_up", guest, "after", missing, "V-16", exact=True)

    @property
    def _scripts(self) -> dict[str, Artifact]:
        own = {stem: script(self.kind, f"{self.name}-{stem}", f"{stem}.sh.j2") for stem in SCRIPTS}
        if self.cloud_init is None:
            del own["seed"]
        return {**own, "destroy": making.destroy_script()}

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(f"{qemu_conf.FOLDER}/{self.name}.conf", "conf.j2", 0o640)
        yield from self._scripts.values()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield self._removal(change)
        elif "place" in change or "foreign" in change:
            name = "place" if "place" in change else "foreign"
            who = change[name].actual
            yield Refusal(name, f"VMID {self.name} is taken by {who}: move it, or choose another VMID")
        elif change.creates:
            yield from list(refusals.refused_to_make(self, change)) or making.steps(self, self._scripts)
        else:
            known = Change(change.attributes, change.seen or seen.NOTHING)
            yield from changes.steps(self, known, self._scripts)

    def _removal(self, change: Change) -> Step:
        volumes = None
        if self.destroy_volumes:
            volumes = making.volumes_of(change.seen.conf) if change.seen else []
        strange = change.seen is not None and not seen.marked(change.seen.conf)
        called = f"{self.called}, which we did not make" if strange else self.called
        return making.removal(self.name, called, making.destroy_script(), volumes)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield making.removal(name, f"vm:{name}", making.destroy_script())

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield from tried.sets()
