"""ZFS pools."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..dialects import disks, zfs
from ..fields import OnOff
from ..resource import STATE_FOLDER, Artifact, Change, Kind, Offer, Refusal, Samples, Step, run, script

DiskName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]*$")]


class Vdev(BaseModel):
    """A group of disks: `mirror`, `raidz1` to `raidz3`, or `stripe` for disks on their own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["stripe", "mirror", "raidz1", "raidz2", "raidz3"]
    disks: Annotated[tuple[DiskName, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _enough_disks(self) -> "Vdev":
        least = {"stripe": 1, "mirror": 2}.get(self.type, zfs.PARITY[self.type] + 2)
        if len(self.disks) < least:
            raise ValueError(f"a {self.type} needs at least {least} disks")
        return self


class ZfsPool(Kind):
    """A pool of whole, blank disks, addressed by their names below /dev/disk/by-id.

    Created only when every disk is there and blank; a disk that holds anything is refused with its
    contents named. What our own `zpool create` left when the power failed is gone on with. Managed
    afterwards: `autotrim`, `autoexpand`, `comment`, `failmode`. Compared and reported but never changed:
    the layout, `ashift`, the health. Phoenix never runs `zpool add`, `attach`, `replace`, `import -f` or
    `destroy`, whatever the files say. Properties of the root dataset are those of a `zfs_dataset` with
    the pool's name.
    """

    can_be_absent = False

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$")]
    vdevs: Annotated[tuple[Vdev, ...], Field(min_length=1)]
    ashift: Annotated[int, Field(ge=9, le=16)] = 12
    autotrim: OnOff = "on"
    autoexpand: OnOff = "off"
    failmode: Literal["wait", "continue", "panic"] = "wait"
    comment: Annotated[str, Field(pattern=r"^[ -~]{0,32}$")] | None = None

    @model_validator(mode="after")
    def _name_is_free(self) -> "ZfsPool":
        if self.name.startswith(("mirror", "raidz", "draid", "spare", "log", "special", "dedup", "cache")):
            raise ValueError(f"`{self.name}` is a name ZFS keeps for itself")
        return self

    @property
    def disks(self) -> tuple[str, ...]:
        """The by-id names of all disks, in order."""
        return tuple(disk for vdev in self.vdevs for disk in vdev.disks)

    @property
    def layout(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The vdevs as `zpool list -v` shows them: disks of a stripe each stand alone."""
        found: list[tuple[str, tuple[str, ...]]] = []
        for vdev in self.vdevs:
            found += (
                [("stripe", (disk,)) for disk in vdev.disks]
                if vdev.type == "stripe"
                else [(vdev.type, vdev.disks)]
            )
        return tuple(found)

    @property
    def properties(self) -> dict[str, str]:
        """What `zpool get` should say of the properties that can be changed."""
        wanted = {"autotrim": self.autotrim, "autoexpand": self.autoexpand, "failmode": self.failmode}
        return wanted if self.comment is None else {**wanted, "comment": self.comment or "-"}

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes the pool; never with -f."""
        argv = ["zpool", "create", "-o", f"ashift={self.ashift}"]
        for name, value in self.properties.items():
            argv += ["-o", f"{name}={value}"]
        argv += ["-O", f"{zfs.POOL_MANAGED}=yes", self.name]
        for vdev in self.vdevs:
            argv += [] if vdev.type == "stripe" else [vdev.type]
            argv += [f"/dev/disk/by-id/{disk}" for disk in vdev.disks]
        return tuple(argv)

    @property
    def import_argv(self) -> tuple[str, ...]:
        """The command for a pool that is whole already: imported from its disks alone, never with -f."""
        places = [word for disk in self.disks for word in ("-d", f"/dev/disk/by-id/{disk}-part1")]
        return ("zpool", "import", *places, self.name)

    @property
    def mark_argv(self) -> tuple[str, ...]:
        """The command by which it is known as ours later."""
        return ("zfs", "set", f"{zfs.POOL_MANAGED}=yes", self.name)

    @property
    def begun(self) -> str:
        """The path of our note that the pool is being made; in it its disks, which were all blank then."""
        return f"{STATE_FOLDER}/begun/{self.kind}/{self.name}"

    def usable(self, disks: Iterable[object]) -> int:
        """Return about how many bytes the pool holds, from the node's declared disks (`id`, `size`)."""
        size = {disk.id: disk.size for disk in disks}  # type: ignore[attr-defined]
        return sum(zfs.usable(kind, [size.get(disk, 0) for disk in members]) for kind, members in self.layout)

    def provides(self) -> Iterable[Offer]:
        yield Offer("dataset", self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "create.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        import shlex

        if change.creates:
            bad = {disk: change[disk].actual for disk in self.disks if disk in change}
            if bad:
                said = "; ".join(f"{disk}: {state}" for disk, state in bad.items())
                yield Refusal("disks", f"only blank disks are taken, but {said}")
                return
            whole = "begun" in change and change["begun"].actual == disks.COMPLETE
            argv = self.import_argv if whole else self.create_argv
            yield Step(shlex.join(argv), execute=next(iter(self.artifacts())))
            return
        if "begun" in change:
            title = f"{shlex.join(self.mark_argv)}; rm -f {self.begun}"
            yield Step(title, execute=next(iter(self.artifacts())))
        for attribute, why in (
            ("layout", "a pool's layout is never changed: compare the cables and the files"),
            ("ashift", "ashift is fixed when a disk joins the pool"),
            ("health", "look at `zpool status`: a disk may need a person"),
        ):
            if attribute in change:
                yield Refusal(attribute, why)
        for name in self.properties:
            if name in change:
                yield run(
                    "zpool",
                    "set",
                    f"{name}={change[name].desired if change[name].desired != '-' else ''}",
                    self.name,
                )

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Refusal(
            "present", f"pool `{name}` is no longer declared; Phoenix never destroys or exports a pool"
        )

    @classmethod
    def samples(cls) -> Samples:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        vdevs = [{"type": "mirror", "disks": disks}]
        return Samples(
            "tank",
            {"vdevs": vdevs, "autotrim": "on", "autoexpand": "off", "failmode": "wait", "comment": "one"},
            {"vdevs": vdevs, "autotrim": "off", "autoexpand": "on", "failmode": "continue", "comment": "two"},
            refused=({"vdevs": [{"type": "stripe", "disks": disks}]}, {"ashift": 13}),
        )
