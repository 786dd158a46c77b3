"""Appliance templates: the archives that containers are made from."""

from collections.abc import Iterable, Iterator
from hashlib import sha256, sha512
from typing import Annotated, Any

from pydantic import Field

from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, made, script

LOCAL = "file://"
"""An address that is a file of the node's: a disk that was carried there, a mounted share."""


class CtTemplate(Kind):
    """An archive of a root file system on a storage with the content `vztmpl`.

    It is fetched with `pveam download` from Proxmox's own list, or from `url` (https, http, or file:
    one that lies on the node). A declared checksum is compared on the node, at every look; what came
    with another one is removed at once, and nothing is made from it. An archive of that name that
    somebody else put there is taken when its checksum fits, and otherwise left alone and reported.
    Archives that were fetched for an earlier declaration stay until the template itself goes.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    storage: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]$")]
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~-]*\.tar\.(gz|xz|zst|bz2)$")]
    sha512: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    url: Annotated[str, Field(pattern=r"^(https?://|file:///)[!-~]+$")] | None = None

    @property
    def volume(self) -> str:
        """Its id as Proxmox writes it."""
        return f"{self.storage}:vztmpl/{self.file}"

    @property
    def checksums(self) -> dict[str, str]:
        """The declared ones: algorithm → digest."""
        both = {"sha512": self.sha512, "sha256": self.sha256}
        return {name: digest for name, digest in both.items() if digest is not None}

    @property
    def note(self) -> str:
        """The path of our note which archives we fetched for it; the last line is the present one."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("ct_template", self.name, {"volume": self.volume})

    def consumes(self) -> Iterable[Want]:
        # Proxmox has storages of its own, and the node files of its own
        yield Want("storage", self.storage, "storage", "", exact=True, required=False)
        if self.url and self.url.startswith(LOCAL):
            yield Want("file", self.url.removeprefix(LOCAL), "url", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "fetch.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield removal(self.note, self.volume)
            return
        if "foreign" in change:
            said = f"{change['foreign'].actual} has another checksum, and we did not fetch it"
            todo = f"remove it (`pveam remove {self.volume}`), or mend the checksum"
            yield Refusal("foreign", f"{said}: {todo}")
            return
        fetch, _ = self.artifacts()
        ours = f"pveam download {self.storage} {self.file}"
        source = f"fetch {self.url} as {self.volume}" if self.url else ours
        checked = f", check its {' and '.join(self.checksums)}" if self.checksums else ""
        yield Step(source + checked, execute=fetch)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield removal(made(cls.kind, name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        kept = {"type": "dir", "content": ["iso", "vztmpl"], "is_mountpoint": True}
        sources = {f"/srv/phoenix-{n}": {"content": f"{n}\n"} for n in ("one", "two")}
        around = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/one": {}, "tank/two": {}},
            "pve_storage": {f"tank-{n}": {**kept, "path": f"/tank/{n}"} for n in ("one", "two")},
        }

        def fetched(number: str, digest: Any, **settings: str) -> dict[str, str]:
            found = digest(f"{number}\n".encode())
            return {"url": f"file:///srv/phoenix-{number}", found.name: found.hexdigest(), **settings}

        yield Samples(
            "sample-base",
            {"storage": "tank-one", "file": "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"},
            {"storage": "tank-two", "file": "debian-12-standard_12.12-1_amd64.tar.zst"},
            around,
        )
        yield Samples(
            "sample-mirrored",
            fetched("one", sha256, storage="tank-one", file="one_1_amd64.tar.gz"),
            fetched("two", sha256, storage="tank-two", file="two_2_amd64.tar.xz"),
            {**around, "host_file": sources},
        )
        same = {"storage": "tank-one", "file": "same_1_amd64.tar.gz"}
        yield Samples(
            "sample-renewed",
            fetched("one", sha512, **same),
            fetched("two", sha512, **same),
            {**around, "host_file": sources},
        )


def removal(note: str, *volumes: str) -> Step:
    """Return the step that removes what was fetched for a template, and the volumes besides."""
    name = note.rpartition("/")[2]
    which = volumes[0] if volumes else f"what was fetched for {name}"
    return Step(
        f"pveam remove: {which}",
        execute=script("ct_template", "remove", "remove.sh.j2"),
        arguments=(note, *volumes),
        destroys=f"the archive {volumes[0]}" if volumes else f"the archives that were fetched for {name}",
    )
