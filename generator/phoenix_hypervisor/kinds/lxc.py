"""Containers."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ..budgets import TAKES
from ..containers import changes, making, refusals, seen
from ..containers import conf as confs
from ..containers import samples as tried
from ..containers.settings import Settings
from ..containers.verbs import RECREATE, ContainerVerbs
from ..dialects import lxc_conf
from ..resource import (
    PENDING_FOLDER,
    STATE_FOLDER,
    Artifact,
    Change,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    made,
    script,
)

SCRIPTS = ("create", "configure", "raw", "resize", "note", "wait", "start")


class Lxc(Settings):
    """A container, as its node sees it: one section of a guest's file, whose name says VMID and guest.

    It is made from a template (`template`) or cloned from a layer (`clone`); one that is there already is
    only changed. All that differs goes into one `pct set` with the digest of what was seen; `raw` lines
    are written under Proxmox's own lock. What takes effect only at the next start is told as `pending`,
    and `restart` says when that is. A setting that is not declared is left alone, and so are mounts,
    interfaces, devices, volumes, tags, snapshots and raw lines of others; an interface keeps its address.
    Volumes are never made smaller, and no container is replaced to change it. Destroyed only with
    `--allow-destroy`; its further volumes stay then, unless `destroy_volumes` says otherwise.
    """

    verbs: ClassVar[Any] = ContainerVerbs()

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
        """The path of our note which volumes of a container of that VMID were kept."""
        return f"{STATE_FOLDER}/kept/lxc/{self.name}"

    @property
    def waiting_note(self) -> str:
        """The path of our note that raw lines were changed while it runs."""
        return f"{PENDING_FOLDER}/lxc-{self.name}"

    @property
    def origin(self) -> str:
        """What is noted of where it comes from."""
        return making.origin(self)

    @property
    def layer(self) -> str:
        """The VMID of the layer it is cloned from."""
        return self.parent.vmid if self.parent else ""

    @property
    def layer_note(self) -> str:
        """The path of the note with that layer's fingerprint, if it is a template."""
        return made("lxc_layer", self.layer)

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes it."""
        return making.create_argv(self)

    @property
    def first_options(self) -> tuple[str, ...]:
        """The options of the first `pct set`."""
        return making.first_options(self)

    @property
    def several(self) -> list[making.Several]:
        """Interfaces, mounts and devices of the first `pct set`."""
        return making.several(self)

    @property
    def raw_wanted(self) -> list[str]:
        """All declared raw keys, each followed by its lines."""
        return [
            line
            for key, values in self.raw_lines.items()
            for line in (key, *(f"{key}: {value}" for value in values))
        ]

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
        if self.template:
            missing = f"there is no ct_template `{self.template}` on this node"
            yield Want("ct_template", self.template, "template", missing, "V-13", exact=True, making=True)
        if self.clone:
            missing = f"`{self.clone}` is no layer on this node: a layer's file has a section `lxc_layer`"
            yield Want("layer", self.clone, "clone", missing, "V-13", exact=True, making=True)
        # Proxmox has storages of its own; a rule says which must be declared
        for storage in making.storages(self):
            yield Want("storage", storage, "rootfs", "", exact=True, required=False)
        for mount in self.mounts.values():
            if mount.source is not None:
                missing = f"`{mount.source}` does not lie under a declared dataset's mountpoint"
                yield Want("path", mount.source, "mounts", missing, "V-30")
        for card in self.gpus:
            missing = f"there is no `{card}` in the node's `hardware: gpus:`"
            yield Want("gpu", card, "gpus", missing, "V-36", exact=True)
        if self.gpus:  # a node whose driver is somebody else's matter has one all the same
            yield Want("nvidia_driver", "version", "gpus", "", exact=True, required=False)
        yield Want("mounts", self.guest_name, "mounts", "", exact=True, required=False)
        for guest in self.after:
            missing = f"there is no guest `{guest}` on this node"
            yield Want("guest_up", guest, "after", missing, "V-16", exact=True)

    @property
    def _scripts(self) -> dict[str, Artifact]:
        own = {stem: script(self.kind, f"{self.name}-{stem}", f"{stem}.sh.j2") for stem in SCRIPTS}
        shared = {"destroy": making.destroy_script(), "delegate": changes.delegate_script()}
        return {**own, **shared, "recreate": RECREATE}

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(f"{lxc_conf.FOLDER}/{self.name}.conf", "conf.j2", 0o640)
        yield from self._scripts.values()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield self._removal(change)
        elif "place" in change:
            where = change["place"].actual
            yield Refusal("place", f"VMID {self.name} is taken by {where}: move it, or choose another VMID")
        elif "foreign" in change:
            who = change["foreign"].actual
            yield Refusal("foreign", f"VMID {self.name} is taken by {who}: move it, or choose another VMID")
        elif change.creates:
            yield from list(refusals.in_the_way(self, change)) or making.steps(self, self._scripts)
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
        yield making.removal(name, f"lxc:{name}", making.destroy_script())

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield from tried.sets()
