"""Proxmox storages."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..dialects import storage_cfg
from ..fields import AbsolutePath
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, made, run, script

Content = Literal["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import"]
OF_A_POOL = frozenset({"images", "rootdir"})
FIXED = {"type": "type", "pool": "pool", "path": "path"}


class PveStorage(Kind):
    """An entry of /etc/pve/storage.cfg, changed with `pvesm`, matched by its exact id.

    `zfspool` storages lie on a declared dataset, `dir` storages on a declared dataset's mountpoint.
    Managed: content, nodes, shared, is_mountpoint, sparse, disable, as far as declared. Type, pool and
    path cannot be changed by Proxmox: a difference is reported. Storages that are not declared are
    left alone; one that we made is an orphan when it is taken out, and its removal never removes data.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$")]
    type: Literal["zfspool", "dir"]
    pool: str | None = None
    path: AbsolutePath | None = None
    content: Annotated[frozenset[Content], Field(min_length=1)]
    nodes: frozenset[str] | None = None
    shared: bool | None = None
    is_mountpoint: bool | None = None
    sparse: bool | None = None
    disable: bool | None = None

    @model_validator(mode="after")
    def _fields_of_the_type(self) -> "PveStorage":
        own, other = ("pool", "path") if self.type == "zfspool" else ("path", "pool")
        if getattr(self, own) is None:
            raise ValueError(f"a {self.type} storage needs `{own}`")
        wrong = [other] + (["shared", "is_mountpoint"] if self.type == "zfspool" else ["sparse"])
        for name in wrong:
            if getattr(self, name) is not None:
                raise ValueError(f"`{name}` does not belong to a {self.type} storage")
        if self.type == "zfspool" and not self.content <= OF_A_POOL:
            extra = ", ".join(sorted(self.content - OF_A_POOL))
            raise ValueError(f"a zfspool storage holds only images and rootdir, not {extra}")
        return self

    @property
    def options(self) -> dict[str, str]:
        """The declared options in storage.cfg's spelling, without type, pool and path."""
        found = {"content": ",".join(sorted(self.content))}
        if self.nodes is not None:
            found["nodes"] = ",".join(sorted(self.nodes))
        for name in ("shared", "is_mountpoint", "sparse", "disable"):
            value = getattr(self, name)
            if value is not None:
                found[name] = storage_cfg.canonical(name, "1" if value else "0")
        return found

    @property
    def place(self) -> dict[str, str]:
        """The option that cannot be changed: where the storage lies."""
        return {"pool": self.pool} if self.pool is not None else {"path": str(self.path)}

    @property
    def add_argv(self) -> tuple[str, ...]:
        """The command that registers the storage."""
        argv = ["pvesm", "add", self.type, self.name]
        for name, value in {**self.place, **self.options}.items():
            argv += [f"--{name}", value]
        return tuple(argv)

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("storage", self.name, {"type": self.type, "content": self.content, **self.place})

    def consumes(self) -> Iterable[Want]:
        if self.pool is not None:
            missing = f"`{self.pool}` is not a declared dataset"
            yield Want("dataset", self.pool, "pool", missing, "V-17", exact=True)
        else:
            missing = f"`{self.path}` does not lie under a declared dataset's mountpoint"
            yield Want("path", str(self.path), "path", missing, "V-30", exact=bool(self.is_mountpoint))

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "add.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.creates:
            yield Step(shlex.join(self.add_argv), execute=next(iter(self.artifacts())))
            return
        if change.removes:
            yield from self.remove(self.name)
            return
        for name in FIXED:
            if name in change:
                found = change[name]
                differs = f"storage `{self.name}` has {name} {found.actual}, not {found.desired}"
                yield Refusal(name, f"{differs}; Proxmox cannot change it")
                return
        changed = [
            part for name, value in self.options.items() if name in change for part in (f"--{name}", value)
        ]
        if changed:
            yield run("pvesm", "set", self.name, *changed)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("pvesm", "remove", name)
        yield run("rm", "-f", made(cls.kind, name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        around = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/one": {}, "tank/two": {}},
        }
        folder = {"type": "dir", "path": "/tank/one", "content": ["iso"], "nodes": ["pve1"]}
        pool = {"type": "zfspool", "pool": "tank/one", "content": ["images"]}
        yield Samples(
            "tank-iso",
            {**folder, "shared": False, "is_mountpoint": True, "disable": False},
            {
                **folder,
                "content": ["iso", "vztmpl"],
                "nodes": ["pve1", "pve2"],
                "shared": True,
                "is_mountpoint": False,
                "disable": True,
            },
            around,
            refused=({"path": "/tank/two"},),
        )
        yield Samples(
            "tank-disks",
            {**pool, "sparse": True},
            {**pool, "content": ["images", "rootdir"], "sparse": False},
            around,
            refused=({"pool": "tank/two"}, {**folder, "pool": None, "sparse": None}),
        )
