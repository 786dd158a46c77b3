"""Folders of an NFS server."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ..dialects import systemd
from ..fields import AbsolutePath
from ..firewall.ports import FACT
from ..resource import EVERY, Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, run
from ..units import UnitFile, scripts

Option = Annotated[str, Field(pattern=r"^[a-z_]+(=[A-Za-z0-9_.:/-]+)?$")]
WAITS = ("_netdev", "nofail")
"""A host boots without its server; what needs the folder waits for it."""


class NfsMount(Kind):
    """A folder of an NFS server, mounted here and at every boot, named by where it is mounted.

    Without `server` it is an export of the node on which the guest lives: declared there, with this guest's
    address among its clients. It is a mount unit of systemd's, in a file of ours; a host whose server is away
    boots all the same. What lies in the folder below is left alone. A change of source or options mounts
    it anew, which fails while anybody uses it, and says so.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"

    name: AbsolutePath
    export: AbsolutePath
    """The path that the server exports."""
    server: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")] | None = None
    """Its address or name; None: the node on which this guest lives."""
    options: tuple[Option, ...] = ("vers=4.2",)

    @property
    def source(self) -> str:
        """What is mounted: `10.0.0.13:/tank/models`."""
        server = self.server or self._node_address
        return f"[{server}]:{self.export}" if ":" in server else f"{server}:{self.export}"

    @property
    def _node_address(self) -> str:
        """The address of the node that exports it; its name, where the files say none."""
        node = next((one.ref.host for one in self.given("export") if one.ref), "")
        network = next((one.value for one in self.given(FACT[0])), None)
        addresses = network.addresses.get(node, ()) if network else ()
        return next(iter(addresses), node or "nowhere.invalid")

    @property
    def unit(self) -> UnitFile:
        """The unit; systemd wants its name to be the path."""
        name = systemd.mount_name(self.name)
        text = systemd.text(
            {
                "Unit": {
                    "Description": f"{self.export} of {self.server or 'the node'}",
                    "Wants": "network-online.target",
                    "After": "network-online.target",
                },
                "Mount": {
                    "What": self.source,
                    "Where": self.name,
                    "Type": "nfs",
                    "Options": ",".join((*self.options, *WAITS)),
                },
                "Install": {"WantedBy": "remote-fs.target"},
            }
        )
        return UnitFile(self.kind, name, name, text)

    def consumes(self) -> Iterable[Want]:
        lacks = "nothing here mounts NFS: declare `apt_package: {nfs-common: {}}`"
        yield Want("package", "nfs-common", "name", lacks, exact=True)
        if self.server is None:
            missing = f"its node exports no `{self.export}`: declare an nfs_export there, or say `server`"
            yield Want("export", self.export, "export", missing, where="node", exact=True)
            yield Want(FACT[0], EVERY, "server", "", required=False)

    def provides(self) -> Iterable[Offer]:
        yield Offer("path", self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.unit.path, "unit.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        unit = self.unit
        if change.removes:
            yield unit.remove()
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{change['foreign'].actual}: take it away, or choose another folder")
            return
        written = change.creates or any("." in name for name in change.attributes)
        if written:
            yield unit.write()
        elif "daemon_reload" in change:
            yield run("systemctl", "daemon-reload")
        enable = change.creates or "enabled" in change
        if written or {"waiting", "active", "source"} & change.attributes.keys():
            fresh = change.creates or "active" in change
            yield unit.start("restart", enable=enable, fresh=fresh)
        elif enable:
            yield run("systemctl", "enable", unit.unit)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails, the server was away)
        yield self.unit.start("restart")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        unit = systemd.mount_name(name)
        yield UnitFile("nfs_mount", unit, unit).remove()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        around: dict[str, Any] = {"apt_package": {"nfs-common": {}}}
        yield Samples(
            "/mnt/datasets",
            {"export": "/tank/models", "server": "10.0.0.9", "options": ["vers=4.2", "ro"]},
            {"export": "/tank/data", "server": "nas.example.org", "options": ["vers=4.1", "hard"]},
            around,
        )
