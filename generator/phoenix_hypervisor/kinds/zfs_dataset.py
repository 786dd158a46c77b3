"""ZFS file systems."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, model_validator

from ..dialects import sizes, zfs
from ..fields import AbsolutePath, Account, Mode, OnOff, Size
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, run, script


def _quota(value: object) -> int | str:
    return "none" if value == "none" else sizes.parse(value)


Quota = Annotated[int | str, PlainValidator(_quota)]
"""A size in bytes, or `none`."""
Compression = Annotated[
    str, Field(pattern=r"^(on|off|lz4|lzjb|zle|gzip(-[1-9])?|zstd(-(1[0-9]|[1-9]))?|zstd-fast(-\d+)?)$")
]


class ZfsDataset(Kind):
    """A file system of a pool, named `pool/name`; the pool's root dataset is named like the pool.

    Only declared properties are set; with `exact: true` the other ones this kind knows are reset to
    what they inherit when somebody set them on the dataset itself. The mountpoint is `/<name>` unless
    declared. `owner`, `group` and `mode` are those of the mountpoint's own directory, never of what is
    in it. Left alone: snapshots, children, encryption, zvols, user properties of others. Removed only
    with `--allow-destroy`, and never with children or snapshots.
    """

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)*$", max_length=255)
    ]
    recordsize: Size | None = None
    compression: Compression | None = None
    sync: Literal["standard", "always", "disabled"] | None = None
    quota: Quota | None = None
    refquota: Quota | None = None
    reservation: Quota | None = None
    refreservation: Quota | None = None
    atime: OnOff | None = None
    relatime: OnOff | None = None
    xattr: Literal["on", "off", "sa", "dir"] | None = None
    acltype: Literal["off", "noacl", "posix", "posixacl", "nfsv4"] | None = None
    dnodesize: Literal["legacy", "auto", "1k", "2k", "4k", "8k", "16k"] | None = None
    logbias: Literal["latency", "throughput"] | None = None
    primarycache: Literal["all", "none", "metadata"] | None = None
    secondarycache: Literal["all", "none", "metadata"] | None = None
    redundant_metadata: Literal["all", "most", "some", "none"] | None = None
    special_small_blocks: Size | None = None
    snapdir: Literal["hidden", "visible"] | None = None
    exec: OnOff | None = None
    setuid: OnOff | None = None
    devices: OnOff | None = None
    mountpoint: AbsolutePath | Literal["none", "legacy"] | None = None
    canmount: Literal["on", "off", "noauto"] | None = None
    owner: Account | None = None
    group: Account | None = None
    mode: Mode | None = None
    exact: bool = False

    @model_validator(mode="after")
    def _sizes_fit(self) -> "ZfsDataset":
        size = self.recordsize
        if size is not None and (size & (size - 1) or not 512 <= size <= 16 * 1024**2):
            raise ValueError("`recordsize` must be a power of 2 from 512B to 16M")
        if not self.mounts and (self.owner or self.group or self.mode):
            raise ValueError("`owner`, `group` and `mode` need a mountpoint")
        return self

    @property
    def pool(self) -> str:
        """The pool it lies in."""
        return self.name.partition("/")[0]

    @property
    def parent(self) -> str:
        """The dataset it lies in; empty for a root dataset."""
        return self.name.rpartition("/")[0]

    @property
    def path(self) -> str:
        """Where it is mounted, `none` or `legacy`."""
        return self.mountpoint or f"/{self.name}"

    @property
    def mounts(self) -> bool:
        """Whether ZFS itself should have it mounted."""
        return self.path.startswith("/") and self.canmount in (None, "on")

    @property
    def properties(self) -> dict[str, str]:
        """The declared properties as `zfs get -p` should read them, the mountpoint always among them."""
        declared = {name: getattr(self, name) for name in zfs.PROPERTIES}
        wanted = {name: zfs.canonical(name, value) for name, value in declared.items() if value is not None}
        return {**wanted, "mountpoint": self.path}

    @property
    def settings(self) -> dict[str, str]:
        """The same, as a person would write them for `zfs create -o` and `zfs set`."""
        return {name: self._written(name, value) for name, value in self.properties.items()}

    def _written(self, name: str, value: str) -> str:
        # `sa` reads back as `on`; what is set must stay what was declared
        declared = getattr(self, name, None)
        return str(declared) if name in ("xattr", "acltype") and declared else zfs.spelled(name, value)

    def needs(self) -> Iterable[str]:
        yield f"zfs_pool:{self.pool}"
        if self.parent and self.parent != self.pool:
            yield f"zfs_dataset:{self.parent}"

    def provides(self) -> Iterable[Offer]:
        yield Offer("dataset", self.name)
        if self.parent and self.path.startswith("/"):
            yield Offer("path", self.path)

    def consumes(self) -> Iterable[Want]:
        # an account that nobody here makes is the node's own
        for attribute in ("owner", "group"):
            if getattr(self, attribute):
                yield Want("account", getattr(self, attribute), attribute, "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name.replace(".", "%2E").replace("/", "."), "converge.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.creates and not self.parent:
            # a root dataset comes with its pool; only its properties are left to set
            yield run("zfs", "set", *(f"{name}={value}" for name, value in self.settings.items()), self.name)
            return
        if change.creates:
            yield Step(shlex.join(self.create_argv), execute=next(iter(self.artifacts())))
            return
        if change.removes:
            yield from self.remove(self.name)
            return
        yield from self._properties(change)
        if "mounted" in change:
            yield run("zfs", "mount", self.name)
        if "owner" in change or "group" in change:
            yield run("chown", f"{self.owner or ''}{':' + self.group if self.group else ''}", self.path)
        if "mode" in change:
            yield run("chmod", str(self.mode), self.path)

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes the dataset, marked as ours."""
        argv = ["zfs", "create", "-o", f"{zfs.MANAGED}=yes"]
        for name, value in self.settings.items():
            argv += ["-o", f"{name}={value}"]
        return (*argv, self.name)

    def _properties(self, change: Change) -> Iterator[Step | Refusal]:
        full = "room" in change
        if full:
            used = change["room"]
            yield Refusal(
                "quota", f"quota {used.desired} is below what is used ({used.actual}): make room first"
            )
        changed = [
            f"{name}={value}"
            for name, value in self.settings.items()
            if name in change and not (full and name == "quota")
        ]
        if changed:
            yield run("zfs", "set", *changed, self.name)
        for name in zfs.PROPERTIES:
            if name not in self.properties and name in change:
                yield run("zfs", "inherit", name, self.name)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        if "/" not in name:
            yield Refusal("present", f"`{name}` is a pool's root dataset: it lives as long as its pool")
            return
        yield run("zfs", "destroy", name, destroys=f"all data in the dataset {name}")

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        around = {"zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}}}
        both = {
            "recordsize": ("128K", "1M"),
            "compression": ("lz4", "zstd"),
            "sync": ("standard", "always"),
            "quota": ("1G", "none"),
            "refquota": ("1G", "2G"),
            "reservation": ("1M", "2M"),
            "refreservation": ("1M", "none"),
            "atime": ("off", "on"),
            "relatime": ("off", "on"),
            "xattr": ("sa", "off"),
            "acltype": ("posixacl", "off"),
            "dnodesize": ("auto", "legacy"),
            "logbias": ("latency", "throughput"),
            "primarycache": ("all", "metadata"),
            "secondarycache": ("all", "none"),
            "redundant_metadata": ("all", "most"),
            "special_small_blocks": ("0", "4K"),
            "snapdir": ("hidden", "visible"),
            "exec": ("on", "off"),
            "setuid": ("on", "off"),
            "devices": ("on", "off"),
            "mountpoint": ("/tank/sample", "/srv/sample"),
            "owner": ("root", "www-data"),
            "group": ("root", "backup"),
            "mode": ("0755", "0750"),
        }
        first, second = ({name: values[n] for name, values in both.items()} for n in (0, 1))
        yield Samples("tank/sample", first, second, around)
        # what is not mounted has no owner, and `exact` says something only of what is not declared
        yield Samples(
            "tank/bare", {"canmount": "on", "atime": "off"}, {"canmount": "noauto", "exact": True}, around
        )
