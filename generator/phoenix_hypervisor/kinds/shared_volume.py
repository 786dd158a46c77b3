"""Folders of the node that several guests see."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..containers import idmap
from ..fields import AbsolutePath, Mode
from ..resource import (
    Artifact,
    Change,
    GuestFacts,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    made,
    run,
    script,
)

Id = Annotated[int, Field(ge=0, le=65535)]
GuestName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class SharedMount(BaseModel):
    """How one guest sees the folder: where, and whose it is there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    path: AbsolutePath
    read_only: bool = False
    uid: Id | None = None
    gid: Id | None = None


class SharedVolume(Kind):
    """A folder of a declared dataset, and the guests it is mounted in: said once, in one place.

    The folder is made when it is missing. `uid` and `gid` say whose it is inside a guest; on the node
    it then belongs to the id that stands for that one. `mode` and owner are those of the folder itself;
    what is in it is left alone. With another `path`, the former folder stays with all that is in it.
    Taken out of the files, the guests lose the mount, and the folder goes only when it is empty and we
    made it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    path: AbsolutePath
    guests: Annotated[dict[GuestName, SharedMount], Field(min_length=1)]
    mode: Mode | None = None

    @property
    def note(self) -> str:
        """The path of our note that we made the folder."""
        return made(self.kind, self.name)

    def owners(self) -> dict[str, tuple[int | None, int | None]]:
        """Return guest → uid and gid on the node of who owns the folder in that guest, as far as it says so.

        None stands for what it does not say. Raises ValueError for an id that the guest does not have.
        """
        facts = {given.key: given.value for given in self.given("guest")}
        return {
            name: _on_the_node(name, mount, facts.get(name))
            for name, mount in self.guests.items()
            if mount.uid is not None or mount.gid is not None
        }

    @property
    def access(self) -> dict[str, str]:
        """Declared owner, group and mode on the node, as numbers."""
        found = {"mode": self.mode} if self.mode is not None else {}
        for uid, gid in self.owners().values():
            found |= {"owner": str(uid)} if uid is not None else {}
            found |= {"group": str(gid)} if gid is not None else {}
        return found

    def provides(self) -> Iterable[Offer]:
        for name, mount in self.guests.items():
            settings = {"read_only": mount.read_only, "uid": mount.uid, "gid": mount.gid}
            yield Offer("mounts", name, {"target": mount.path, "source": self.path, **settings})

    def consumes(self) -> Iterable[Want]:
        missing = f"`{self.path}` does not lie under a declared dataset's mountpoint"
        yield Want("path", self.path, "path", missing, "V-30")
        for name in self.guests:
            missing = f"there is no guest `{name}` on this node"
            yield Want("guest", name, f"guests.{name}", missing, "V-27", exact=True)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "make.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if change.creates or "path" in change:
            make, _ = self.artifacts()
            yield Step(f"mkdir -p {self.path}, owned as declared", execute=make)
            return
        if "owner" in change or "group" in change:
            owner, group = self.access.get("owner", ""), self.access.get("group", "")
            yield run("chown", f"{owner}:{group}" if group else owner, self.path)
        if "mode" in change:
            yield run("chmod", str(self.mode), self.path)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        forget = script(cls.kind, "remove", "remove.sh.j2")
        yield Step(f"forget the folder of {name}, rmdir it if it is empty", execute=forget,
                   arguments=(made(cls.kind, name),))  # fmt: skip

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        around = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/one": {}, "tank/two": {}},
            "guests": {"101-sample": {"lxc": {"state": "absent"}}},
        }
        first = {"path": "/models", "uid": 0, "gid": 0}
        second = {"path": "/data", "read_only": True, "uid": 7, "gid": 8}
        yield Samples(
            "models",
            {"path": "/tank/one/models", "mode": "0755", "guests": {"sample": first}},
            {"path": "/tank/two/models", "mode": "0750", "guests": {"sample": second}},
            around,
        )


def _on_the_node(name: str, mount: SharedMount, facts: GuestFacts | None) -> tuple[int | None, int | None]:
    uid, gid = _map_of(facts.own if facts else {}).mapped(mount.uid or 0, mount.gid or 0)
    for what, inside, outside in (("uid", mount.uid, uid), ("gid", mount.gid, gid)):
        if inside is not None and outside is None:
            raise ValueError(f"guest `{name}` has no {what} {inside}")
    return uid if mount.uid is not None else None, gid if mount.gid is not None else None


def _map_of(own: Mapping[str, Any]) -> idmap.IdMap:
    """Who is who in a guest, by the settings of its own section."""
    if not own.get("unprivileged", True):
        return idmap.SAME
    shared = own.get("shared_ids") or {}
    return idmap.solve(shared.get("uids") or {}, shared.get("gids") or {})
