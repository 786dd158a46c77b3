"""NVIDIA's container toolkit: graphics cards for containers of Docker."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from ..compose.samples import PACKAGES as DOCKER
from ..containers.samples import around_a_guest
from ..dialects import docker, nvidia
from ..resource import (
    PENDING_FOLDER,
    STATE_FOLDER,
    Artifact,
    Change,
    Effect,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    made,
    script,
)
from ..secrets import Text

CONFIG = "/etc/nvidia-container-runtime/config.toml"
FILE = "/etc/docker/daemon.json"
NOTE = made("nvidia_container_toolkit", "toolkit")
"""Our note: `maker <host>`, `package <name>`, `held <name>`, `set <path in JSON>`, `file <its sha256>`."""
KEPT = f"{STATE_FOLDER}/kept/nvidia_container_toolkit/daemon.json"
"""What of daemon.json is somebody else's: put back when ours goes."""
WAITING = f"{PENDING_FOLDER}/nvidia_container_toolkit"
THEIRS, END = "-- theirs --\n", "-- it ends here --\n"
PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
RUNTIME = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}
"""Of daemon.json: as `nvidia-ctk runtime configure` would have it."""


class Seen(NamedTuple):
    """What matters of the actual for the steps."""

    text: str
    """daemon.json as it is; empty where there is none."""
    digest: str
    """Its SHA-256, or `-`."""
    set: tuple[docker.Path, ...]
    """What of it we set, as our note has it."""
    ours: bool
    """Whether we installed the toolkit on this host."""


class NvidiaContainerToolkit(Kind):
    """NVIDIA's container toolkit in a guest with Docker: it gives graphics cards to containers.

    Its packages are installed in the declared version, to the letter, and held. In an unprivileged guest it
    must not touch the control groups of devices: `no_cgroups` says so in its own config.toml, by its own
    tool, and all else in there is left as it is. The runtime `nvidia` is merged into Docker's daemon.json,
    whose other settings are left as they are; Docker must accept the file before it takes its place, is
    restarted when it does not know the runtime yet, and gets the file of before when it does not start.
    Versions that let containers out are refused. When it is declared no longer, the packages go that we
    installed, and the runtime; what its config.toml says stays. Its probe runs a tiny image with all cards
    of the guest.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    singleton = True
    manners: ClassVar[frozenset[str]] = frozenset({"repository", "probe_image"})

    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(~rc\.[0-9]+)?-[0-9]+$")]
    """Of all its packages, to the letter: `1.17.8-1`."""
    repository: str | None = None
    """The `apt_repository` they come from: that is made first."""
    no_cgroups: bool = True
    """Right in an unprivileged container, where the node gives out devices; `false` in a virtual machine."""
    probe_image: Annotated[str, Field(pattern=docker.PINNED)] = docker.HELLO

    @model_validator(mode="after")
    def _keeps_containers_in(self) -> "NvidiaContainerToolkit":
        if said := nvidia.toolkit_known_bad(self.version):
            raise ValueError(f"version {self.version} {said}")
        return self

    @property
    def packages(self) -> Mapping[str, str]:
        """Name → version."""
        return dict.fromkeys(PACKAGES, self.version)

    @property
    def wanted(self) -> Mapping[str, Any]:
        """What daemon.json must say."""
        return RUNTIME

    @property
    def declares(self) -> str:
        """The same in one line."""
        return docker.written(self.wanted).replace("\n", " ").strip()

    @property
    def config(self) -> str:
        """The toolkit's own file."""
        return CONFIG

    @property
    def note(self) -> str:
        """The path of our note."""
        return NOTE

    @property
    def waiting(self) -> str:
        """The path of the note that the daemon is still to be told of the runtime."""
        return WAITING

    @property
    def kept(self) -> str:
        """Where somebody else's part of daemon.json is kept."""
        return KEPT

    def needs(self) -> Iterable[str]:
        if self.repository:
            yield f"apt_repository:{self.repository}"

    def provides(self) -> Iterable[Offer]:
        yield Offer("docker_gpus", "toolkit")

    def consumes(self) -> Iterable[Want]:
        # declared beside it, or brought by the layer: that one of both has it, a rule sees to
        yield Want("docker", "engine", "version", "", exact=True, required=False)
        yield Want("nvidia_userland", "version", "version", "", exact=True, required=False)
        for name in PACKAGES:
            yield Want("package", name, "version", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        for stem in ("install", "config", "daemon", "restart", "remove"):
            yield script(self.kind, stem, f"{stem}.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        found = change.seen or Seen("", "-", (), ours=True)
        if change.removes:
            yield removal("" if found.ours else "the packages of the toolkit, which we did not install")
            return
        refusals = list(self._refused(change))
        yield from refusals
        if refusals:
            return
        install, config, daemon, restart, _ = self.artifacts()
        if change.creates or any(name.startswith("package ") for name in change.attributes):
            said = " ".join(f"{name}={version}" for name, version in self.packages.items())
            yield Step(f"apt-get install {said}, apt-mark hold", execute=install)
        if change.creates or "no-cgroups" in change:
            value = str(self.no_cgroups).lower()
            yield Step(f"nvidia-ctk config --set nvidia-container-cli.no-cgroups={value}", execute=config)
        written = change.creates or "runtime nvidia" in change
        if written:
            text, theirs = self._merged(found)
            paths = [docker.spelled(path) for path, _ in docker.leaves(self.wanted)]
            yield Step(
                f"merge the runtime `nvidia` into {FILE}",
                execute=daemon,
                arguments=(found.digest, *paths),
                stdin=Text(text, THEIRS, theirs, END),
            )
        if written or "loaded" in change:
            yield Step(
                "systemctl restart docker", execute=restart, effect=Effect.RESTART, interrupts="docker"
            )

    def _merged(self, found: Seen) -> tuple[str, str]:
        """The whole file with ours in it, and what of it is somebody else's."""
        theirs = docker.merged(docker.settings(found.text), {}, found.set)
        return docker.written(docker.merged(theirs, self.wanted, ())), docker.written(theirs)

    @staticmethod
    def _refused(change: Change) -> Iterator[Refusal]:
        if "config" in change:
            yield Refusal("config", f"{CONFIG} {change['config'].actual}: mend it, or move it away")
        if "file" in change:
            yield Refusal("file", f"{FILE} {change['file'].actual}: mend it, or move it away")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield removal()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        repositories = {
            "docker": {
                "uris": ["https://download.docker.com/linux/ubuntu"],
                "suites": ["noble"],
                "components": ["stable"],
            },
            "nvidia": {
                "uris": ["https://nvidia.github.io/libnvidia-container/stable/deb/amd64"],
                "suites": ["/"],
            },
        }
        inside = {
            "apt_repository": repositories,
            "docker_engine": {"repository": "docker", "packages": DOCKER},
            "nvidia_userland": {},
        }
        pve = {
            "uris": ["http://download.proxmox.com/debian/pve"],
            "suites": ["trixie"],
            "components": ["pve-no-subscription"],
            "signed_by": "/usr/share/keyrings/proxmox-archive-keyring.gpg",
        }
        driver = {
            "version": "580.76.05",
            "sha256": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
        }
        # where ids are not mapped, both ways work
        own: dict[str, Any] = {"features": {"nesting": True}, "gpus": ["gpu0"], "unprivileged": False}
        yield Samples(
            "",
            {"repository": "nvidia", "version": "1.17.8-1"},
            {"repository": "nvidia", "version": "1.18.0-1", "no_cgroups": False},
            {
                **around_a_guest(GUEST, inside, **own),
                "apt_repository": {"pve": pve},
                "nvidia_driver": driver,
            },
            inside=GUEST,
        )


GUEST = "127-cards"


def removal(destroys: str = "") -> Step:
    """Return the step that takes out what we installed, and what is ours in both files."""
    return Step(
        "remove the packages of the toolkit that we installed, and the runtime `nvidia` of Docker's",
        execute=script("nvidia_container_toolkit", "remove", "remove.sh.j2"),
        arguments=(NOTE, KEPT),
        effect=Effect.RESTART,
        interrupts="docker",
        destroys=destroys,
    )
