"""Cloud images: the disks that virtual machines are cloned from."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from ..budgets import TAKES, Takes, storage
from ..containers.parts import GIB, Storage
from ..containers.settings import HostName
from ..fields import Sha256, Size, WebAddress
from ..machines.seen import IMAGE
from ..machines.settings import MARK
from ..resource import (
    Artifact,
    Change,
    Fetch,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    downloaded,
    made,
    script,
)


class Sight(NamedTuple):
    """What there is besides the template itself."""

    clones: tuple[str, ...]
    """VMIDs of linked clones, whose disks are partly its."""


class VmImage(Kind):
    """A cloud image as a template that virtual machines are cloned from: its name is the template's.

    The image is fetched once to the node, by address and checksum, and imported to a storage with the
    content `images`. The template carries a fingerprint of all that it was made of. When that is another
    one now, the template is made anew; never while linked clones share its disk, which are named then.
    Full clones live on their own and are left alone. It has no address, no user and no network: those belong
    to its clones, and an address that somebody gave it is taken away.
    """

    manners: ClassVar[frozenset[str]] = frozenset({"url", "room"})

    name: HostName
    url: WebAddress
    sha256: Sha256
    vmid: Annotated[int, Field(ge=100, le=999999999)]
    storage: Storage
    room: Size = 4 * GIB
    """How much of the storage is counted for it."""

    @property
    def fingerprint(self) -> str:
        """What the template would be made of, if it were made now."""
        text = "\0".join([self.sha256, self.storage, *self.create_argv])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def sign(self) -> str:
        """The template's description: whose it is, and of what."""
        return f"{IMAGE}{self.fingerprint}"

    @property
    def file(self) -> str:
        """Where the image lies on the node."""
        return downloaded(self.sha256)

    @property
    def note(self) -> str:
        """The path of our note that we began to make it: its VMID."""
        return made(self.kind, self.name)

    @property
    def create_argv(self) -> tuple[str, ...]:
        """The command that makes what becomes the template."""
        disk = f"{self.storage}:0,import-from={self.file},discard=on"
        argv: tuple[str, ...] = (
            "qm",
            "create",
            str(self.vmid),
            "--name",
            self.name,
            "--memory",
            "1024",
            "--ostype",
            "l26",
        )
        argv += ("--scsihw", "virtio-scsi-single", "--scsi0", disk, "--boot", "order=scsi0", "--agent", "1")
        return (*argv, "--serial0", "socket", "--tags", MARK, "--description", f"{IMAGE}being made")

    def provides(self) -> Iterable[Offer]:
        found = {"vmid": str(self.vmid), "fingerprint": self.fingerprint, "storage": self.storage}
        yield Offer("vm_image", self.name, found)
        yield Offer(TAKES, storage(self.storage), Takes(self.room, "room"))

    def consumes(self) -> Iterable[Want]:
        # Proxmox has storages of its own, and the node files of its own
        yield Want("storage", self.storage, "storage", "", exact=True, required=False)
        if self.url.startswith("file://"):
            yield Want("file", self.url.removeprefix("file://"), "url", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "make.sh.j2")
        yield remove_script()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            who = change["foreign"].actual
            yield Refusal("foreign", f"VMID {self.vmid} is taken by {who}: move it, or choose another VMID")
            return
        found: Sight | None = change.seen
        anew = change.creates or "fingerprint" in change
        if anew and not change.creates and found is not None and found.clones:
            said = f"linked clones share the present template ({', '.join(found.clones)})"
            todo = "declare the new one under another name and VMID, or destroy those first"
            yield Refusal("fingerprint", f"{said}: {todo}")
            anew = False
        if anew:
            make = next(iter(self.artifacts()))
            fetch = (Fetch(self.url, self.sha256),)
            title = f"fetch {self.url}; {shlex.join(self.create_argv)}; qm template {self.vmid}"
            locks = (f"conf:{self.vmid}", f"storage:{self.storage}")
            yield Step(title, execute=make, fetch=fetch, locks=locks, lasts=True)
        elif "addresses" in change and not change.creates:
            argv = ("qm", "set", str(self.vmid), "--delete", ",".join(change["addresses"].actual))
            yield Step(shlex.join(argv), argv, locks=(f"conf:{self.vmid}",))

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"qm destroy: the template of {name}",
            execute=remove_script(),
            arguments=(name, made(cls.kind, name)),
            destroys=f"the template of {name}",
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        sources = {f"/srv/phoenix-{n}": {"content": f"{n}\n"} for n in ("one", "two")}
        around = {
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/one": {}, "tank/two": {}},
            "pve_storage": {
                f"tank-{n}": {"type": "zfspool", "pool": f"tank/{n}", "content": ["images"]}
                for n in ("one", "two")
            },
            "host_file": sources,
        }

        def of(number: str) -> dict[str, object]:
            digest = hashlib.sha256(f"{number}\n".encode()).hexdigest()
            where = {"url": f"file:///srv/phoenix-{number}", "sha256": digest, "storage": f"tank-{number}"}
            return {**where, "vmid": 9000, "room": "4G" if number == "one" else "5G"}

        yield Samples("sample-image", of("one"), of("two"), around, refused=({"vmid": 9001},))


def remove_script() -> Artifact:
    """Return the script that destroys the template of an image."""
    return script("vm_image", "remove", "remove.sh.j2")
