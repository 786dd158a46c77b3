"""NFS exports."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ..dialects import exports
from ..fields import AbsolutePath
from ..firewall.ports import ANY, PORT, Port
from ..firewall.words import is_network
from ..resource import Artifact, Change, Effect, Kind, Offer, Refusal, Samples, Step, Want, reload, run


def _client(text: str) -> str:
    if not text or any(char in ' \t()"#\\' for char in text) or text.startswith("-"):
        raise ValueError("must be an address, a network, a host name or `*`")
    return text


def _known(words: tuple[str, ...]) -> tuple[str, ...]:
    exports.options(words)
    return words


Client = Annotated[str, AfterValidator(_client)]
Options = Annotated[tuple[str, ...], AfterValidator(_known)]


class NfsExport(Kind):
    """A directory exported over NFS, named by its path, in a file of its own in /etc/exports.d.

    Each client has its options; what is not written is exports(5)'s default. The server's table is
    refreshed with `exportfs -ra` only when something changed; the server itself is not restarted.
    Exports of others, in /etc/exports or in files there, are left alone; one that exports the same
    path to the same client is reported. Owner and mode of the directory are the dataset's matter.
    """

    name: AbsolutePath
    clients: Annotated[dict[Client, Options], Field(min_length=1)]

    @property
    def path(self) -> str:
        """The directory."""
        return self.name

    @property
    def table(self) -> dict[str, str]:
        """client → options in canonical form."""
        return {client: exports.options(words) for client, words in self.clients.items()}

    @property
    def file(self) -> str:
        """Our file for it."""
        return file_of(self.name)

    @property
    def line(self) -> str:
        """The path as exports(5) wants it."""
        return exports.quoted(self.name)

    def consumes(self) -> Iterable[Want]:
        missing = f"`{self.name}` does not lie under a declared dataset's mountpoint"
        yield Want("path", self.name, "name", missing, "V-28")

    def provides(self) -> Iterable[Offer]:
        # a client that is a host's name has no address here that a firewall's rule could name
        named = tuple(ANY if client == "*" else client for client in self.clients)
        known = all(client == ANY or is_network(client) for client in named)
        yield Offer("export", self.name, tuple(self.clients))
        yield Offer(PORT, "2049/tcp", Port("2049", "tcp", named if known else None))

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "exports.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal(
                "foreign", f"somebody else exports {self.name} already, to {change['foreign'].actual}"
            )
            return
        if change.creates or any(client.startswith("file ") for client in change.attributes):
            yield Step(f"write {self.file}", push=next(iter(self.artifacts())))
        own = (name for name in change.attributes if not name.startswith("file "))
        if set(own) - {"active", "enabled"}:
            yield refresh()
        if "active" in change or "enabled" in change:
            yield run("systemctl", "enable", "--now", "nfs-server")

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails, the server may be stuck)
        yield reload("nfs-server")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", file_of(name))
        yield refresh()

    @classmethod
    def samples(cls) -> Samples:
        around = {
            "zfs_pool": {
                "tank": {"vdevs": [{"type": "mirror", "disks": ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]}]}
            },
            "zfs_dataset": {"tank/shared": {}},
        }
        first = {"clients": {"10.0.0.0/24": ["rw", "sync", "no_root_squash"]}}
        second = {"clients": {"10.0.0.0/24": ["ro", "async"], "10.1.0.5": ["rw"]}}
        return Samples("/tank/shared", first, second, around)


def file_of(path: str) -> str:
    """Return the path of our exports file for a directory."""
    return f"/etc/exports.d/phoenix-{exports.slug(path)}.exports"


def refresh() -> Step:
    """Return the step that brings the files into the server's table."""
    return Step("exportfs -ra", argv=("exportfs", "-ra"), effect=Effect.RELOAD, once=True)
