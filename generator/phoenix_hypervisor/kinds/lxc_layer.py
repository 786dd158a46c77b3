"""Layers: containers that are finished once, and cloned."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

from ..containers import changes, fingerprint
from ..resource import Artifact, Change, GuestFacts, Kind, Offer, Refusal, Samples, Step, Want, made, script


class LxcLayer(Kind):
    """The seal on a container that others are cloned from.

    When everything inside is right, the container is shut down and sealed: with the snapshot
    `phoenix_layer` (clones of it are full), or by making it a template (clones of it may be linked).
    The seal carries a fingerprint of all that clones take over; when that is another one now, a snapshot
    is made anew. A layer that was itself cloned keeps the fingerprint of what it was cloned from: a new
    seal makes nothing newer than it is. A template cannot be changed, nor turned back: it is said, and
    `phoenix recreate` builds another. Clones that are there, and snapshots of others, are left alone.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "guest"

    mode: Literal["snapshot", "template"] = "snapshot"

    @property
    def layer(self) -> str:
        """How the seal is made."""
        return self.mode

    @property
    def guest(self) -> GuestFacts:
        """What the files say of the container."""
        alone = GuestFacts(f"CT{self.name}", self.name, "", self.mode, "")
        return next((given.value for given in self.given("guest")), alone)

    @property
    def own(self) -> str:
        """The digest of what is declared for the container, without the layer below it."""
        return fingerprint.own(self.guest.own, self.guest.content)

    @property
    def parent(self) -> str:
        """The fingerprint of the layer below, as the files have it."""
        return next((str(given.value["fingerprint"]) for given in self.given("layer")), "")

    @property
    def fingerprint(self) -> str:
        """What the container would be made of, were it built now: what its clones are compared with."""
        return fingerprint.joined(self.own, self.parent)

    def fingerprint_with(self, origin: str) -> str:
        """Return what it is made of, having been made from what our note says: that may be an older seal."""
        return fingerprint.joined(self.own, fingerprint.cloned_from(origin, self.parent))

    @property
    def origin_note(self) -> str:
        """The path of the note from what the container was made."""
        return made("lxc", self.name)

    @property
    def note(self) -> str:
        """The path of our note with a template's fingerprint: it has no snapshot that could carry it."""
        return made(self.kind, self.name)

    @property
    def lock_wait(self) -> int:
        """How long to wait for Proxmox's lock on the container, in seconds."""
        return int(self.guest.own.get("lock_wait", 0))

    @property
    def lock_holders(self) -> dict[str, str]:
        """What Proxmox's locks mean."""
        return changes.HOLDERS

    def provides(self) -> Iterable[Offer]:
        seal = {"vmid": self.name, "mode": self.mode, "fingerprint": self.fingerprint}
        yield Offer(
            "layer",
            self.guest.name,
            {**seal, "snapshot": fingerprint.SNAPSHOT if self.mode == "snapshot" else ""},
        )

    def consumes(self) -> Iterable[Want]:
        parent = self.guest.own.get("clone")
        if parent:  # that there is one, the container itself asks for
            yield Want("layer", parent, "mode", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "seal.sh.j2")
        yield script(self.kind, "unseal", "unseal.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{self.guest.name}: {change['foreign'].actual}")
            return
        if "mode" in change or (self.mode == "template" and "fingerprint" in change):
            said = "a template cannot be changed, and is not made of what others are cloned from: "
            said += f"`phoenix recreate {self.guest.name}` builds another"
            yield Refusal("mode" if "mode" in change else "fingerprint", said)
            return
        seal, _ = self.artifacts()
        says = fingerprint.seal(change.seen.fingerprint if change.seen is not None else self.fingerprint)
        act = f"pct snapshot {self.name} {fingerprint.SNAPSHOT} --description '{says}'"
        act = act if self.mode == "snapshot" else f"pct template {self.name}"
        locks = (f"clone:{self.name}", f"conf:{self.name}")
        yield Step(f"pct shutdown {self.name}; {act}", execute=seal, locks=locks)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"pct delsnapshot {name} {fingerprint.SNAPSHOT}",
            execute=script("lxc_layer", "unseal", "unseal.sh.j2"),
            arguments=(name, made("lxc_layer", name)),
            locks=(f"clone:{name}", f"conf:{name}"),
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        file = "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"
        container = {
            "template": "base",
            "rootfs": {"storage": "tank-disks", "size": "1G"},
            "state": "stopped",
        }
        around = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/disks": {}, "tank/iso": {}},
            "pve_storage": {
                "tank-disks": {"type": "zfspool", "pool": "tank/disks", "content": ["rootdir"]},
                "tank-iso": {"type": "dir", "path": "/tank/iso", "content": ["vztmpl"]},
            },
            "ct_template": {"base": {"storage": "tank-iso", "file": file}},
            "guests": {"900-sample": {"lxc": container}},
        }
        snapshot, template = {"mode": "snapshot"}, {"mode": "template"}
        yield Samples("900", snapshot, snapshot, around, refused=(template,))
        yield Samples("900", template, template, around, refused=(snapshot,))
