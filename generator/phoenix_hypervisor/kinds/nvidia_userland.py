"""NVIDIA's libraries and programs in a guest."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..dialects.nvidia import Release
from ..resource import Artifact, Change, Fetch, Kind, Offer, Refusal, Samples, Step, Want, made, script

NOTE = made("nvidia_userland", "libraries")
"""Our note of the version that we installed."""
NO_DRIVER = (
    "its node declares no `nvidia_driver` with a `sha256`: a guest's libraries come from that runfile, "
    "whatever the node's own driver comes from"
)


class NvidiaUserland(Kind):
    """NVIDIA's user-space libraries and `nvidia-smi` in a guest, of the very version of its node's driver.

    There is no version of its own to declare: it is the driver's, and follows it. While the node's driver
    is not right (it waits for a reboot, say) nothing is changed here: libraries that do not fit the loaded
    module work for nobody. They come out of the driver's runfile on the node, without a kernel module. A
    clone has its layer's, and gets its own only when they are of another version. A guest without a card,
    such as a layer, has them all the same. Libraries that came from packages are left alone, and said.
    """

    singleton = True
    scope = "host"

    @property
    def release(self) -> Release:
        """The version of the node's driver, and its runfile."""
        given = (one.value for one in self.given("nvidia_driver") if one.key == "release")
        return next(given, Release("", "", ""))

    @property
    def runfile(self) -> Fetch:
        """The driver's runfile, as the node has it."""
        return Fetch(self.release.url, self.release.sha256)

    @property
    def note(self) -> str:
        """The path of our note."""
        return NOTE

    def provides(self) -> Iterable[Offer]:
        yield Offer("nvidia_userland", "version", self.release.version)

    def consumes(self) -> Iterable[Want]:
        required = self.present
        yield Want(
            "nvidia_driver", "release", "state", NO_DRIVER, exact=True, required=required, where="node"
        )
        # the installer asks for modprobe, although it loads nothing
        yield Want("package", "kmod", "state", "", exact=True, required=False, soft=True)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, "install", "install.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield removal()
            return
        if "source" in change:
            said = f"libraries from {change['source'].actual} are there, which Phoenix did not install"
            yield Refusal("source", f"{said}: remove these first")
            return
        if change.creates or "version" in change or "version installed" in change:
            install, _ = self.artifacts()
            title = f"fetch {self.release.url}, sh NVIDIA-Linux-x86_64-{self.release.version}.run "
            yield Step(
                f"{title}--silent --no-kernel-modules", execute=install, fetch=(self.runfile,), lasts=True
            )
        elif "cards" in change:
            said = f"the guest has the nodes of {_words(change['cards'].desired)}, and its libraries reach "
            said += f"{_words(change['cards'].actual)}: restart the guest"
            yield Refusal("cards", f"{said}; the numbers of device nodes may be others since it was started")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield removal()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        debian = {"suites": ["trixie"], "signed_by": "/usr/share/keyrings/proxmox-archive-keyring.gpg"}
        pve = {
            "uris": ["http://download.proxmox.com/debian/pve"],
            "components": ["pve-no-subscription"],
            **debian,
        }
        driver = {
            "version": "580.76.05",
            "sha256": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
        }
        rootfs: dict[str, Any] = {"storage": "tank-disks", "size": "1G"}
        disks = ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]
        file = "ubuntu-24.04-standard_24.04-2_amd64.tar.zst"
        around = {
            "apt_repository": {"pve": pve},
            "nvidia_driver": driver,
            "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": disks}]}},
            "zfs_dataset": {"tank/disks": {}, "tank/iso": {}},
            "pve_storage": {
                "tank-disks": {"type": "zfspool", "pool": "tank/disks", "content": ["rootdir"]},
                "tank-iso": {"type": "dir", "path": "/tank/iso", "content": ["vztmpl"]},
            },
            "ct_template": {"base": {"storage": "tank-iso", "file": file}},
            "guests": {"120-server": {"lxc": {"template": "base", "rootfs": rootfs, "gpus": ["gpu0"]}}},
        }
        yield Samples("", {}, {}, around, inside="120-server")


def _words(cards: list[str]) -> str:
    return ", ".join(cards) or "none"


def removal() -> Step:
    """Return the step that takes out what we installed."""
    words = ("nvidia_userland", "remove", "remove.sh.j2")
    return Step("nvidia-uninstall, if we installed it", execute=script(*words), arguments=(NOTE,))
