"""The limit of ZFS's cache in memory."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field, model_validator

from ..budgets import MEMORY, TAKES, Takes
from ..fields import Size
from ..resource import Artifact, Change, Kind, Offer, Samples, Step, run, script

CONF = "/etc/modprobe.d/zz-phoenix-zfs_arc.conf"
"""Sorted last: of a parameter that several files set, the kernel takes the last."""


class ZfsArc(Kind):
    """How much memory ZFS's cache (the ARC) may take, now and after the next boot.

    Three places agree: the running module, a file of ours in /etc/modprobe.d, and the initramfs, which
    is rebuilt when it is older than that file. Files of others there are left alone; ours counts last.
    """

    singleton = True

    max: Annotated[Size, Field(ge=64 * 1024**2)]
    min: Annotated[Size, Field(ge=32 * 1024**2)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ZfsArc":
        if self.min is not None and self.min >= self.max:
            raise ValueError("`min` must be below `max`")
        return self

    @property
    def parameters(self) -> dict[str, str]:
        """The module's parameters, in bytes."""
        return {"zfs_arc_max": str(self.max)} | (
            {"zfs_arc_min": str(self.min)} if self.min is not None else {}
        )

    def provides(self) -> Iterable[Offer]:
        yield Offer(TAKES, MEMORY, Takes(self.max, "max"))

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(CONF, "modprobe.conf.j2")
        yield script(self.kind, "limit", "limit.sh.j2")

    def converge(self, change: Change) -> Iterator[Step]:
        if change.removes:
            yield from self.remove(self.name)
            return
        conf, limit = self.artifacts()
        if change.creates or "boot_zfs_arc_max" in change or "boot_zfs_arc_min" in change:
            yield Step(f"write {conf.path}", push=conf)
        if any(name in change for name in self.parameters) or change.creates:
            said = ", ".join(f"{name} = {value}" for name, value in self.parameters.items())
            yield Step(f"set {said}", execute=limit)
        if change.creates or any(name.startswith(("boot_", "initramfs")) for name in change.attributes):
            yield run("update-initramfs", "-u", "-k", "all")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:  # noqa: ARG003  (there is one for each host)
        yield run("rm", "-f", CONF)
        yield run("update-initramfs", "-u", "-k", "all")

    @classmethod
    def samples(cls) -> Samples:
        return Samples("", {"max": "4G", "min": "1G"}, {"max": "8G", "min": "2G"})
