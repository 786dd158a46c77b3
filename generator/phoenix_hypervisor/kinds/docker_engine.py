"""Docker's engine."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue, model_validator

from ..dialects import docker
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

FILE = "/etc/docker/daemon.json"
NOTE = made("docker_engine", "engine")
"""Our note: `maker <host>`, `package <name>`, `held <name>`, `set <path in JSON>`, `file <its sha256>`."""
KEPT = f"{STATE_FOLDER}/kept/docker_engine/daemon.json"
"""What of daemon.json is somebody else's: put back when ours goes."""
WAITING = f"{PENDING_FOLDER}/docker.service"
THEIRS, END = "-- theirs --\n", "-- it ends here --\n"
DRIVER = "storage-driver"
UNITS = ("containerd.service", "docker.service")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$")]
Version = Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$")]


class Seen(NamedTuple):
    """What matters of the actual for the steps."""

    text: str
    """daemon.json as it is; empty where there is none."""
    digest: str
    """Its SHA-256, or `-`."""
    set: tuple[docker.Path, ...]
    """What of it we set, as our note has it."""
    ours: bool
    """Whether we installed it on this host."""


class DockerEngine(Kind):
    """Docker's engine, in a container or a virtual machine: pinned packages, its settings, its service.

    The packages are installed in the declared versions, to the letter, and held. Versions that are known
    not to start containers inside an LXC container are refused, unless `accepts` says that the node has
    what helps. `settings` are merged into daemon.json key by key: what others have set there is left as it
    is, and put back when ours goes. The daemon must accept the file before it takes its place; one with
    which it does not start is taken back. With another storage driver, all images and containers would be
    out of sight: that is said, and nothing is done. When it is declared no longer, the packages go that we
    installed, unless a container runs; images, containers and volumes in /var/lib/docker are never touched.
    Its probe runs a tiny image, which is fetched once and kept.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    singleton = True
    manners: ClassVar[frozenset[str]] = frozenset({"repository", "accepts", "probe_image"})

    packages: Annotated[dict[Name, Version], Field(min_length=1)]
    """Name → version, to the letter: the engine, its command line, containerd, Compose, all of one day."""
    repository: str | None = None
    """The `apt_repository` they come from: that is made first."""
    storage_driver: Literal["overlay2", "fuse-overlayfs"] = "overlay2"
    """`overlay2` works unprivileged on ext4, XFS, and ZFS from 2.2 on; `fuse-overlayfs` is for all else."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Of daemon.json."""
    accepts: tuple[Literal["runc-apparmor"], ...] = ()
    """Known defects that do no harm here, in writing."""
    probe_image: Annotated[str, Field(pattern=docker.PINNED)] = docker.HELLO

    @model_validator(mode="after")
    def _works(self) -> "DockerEngine":
        engines = [name for name in docker.ENGINES if name in self.packages]
        if len(engines) != 1:
            raise ValueError(f"`packages` needs one of {', '.join(docker.ENGINES)}")
        if DRIVER in self.settings:
            raise ValueError(f"`{DRIVER}` is not among `settings`: say `storage_driver`")
        if docker.value_at(self.settings, ("runtimes", "nvidia")) is not None:
            raise ValueError(
                "`runtimes: nvidia` is not among `settings`: `nvidia_container_toolkit` writes it"
            )
        if self.storage_driver == "fuse-overlayfs" and "fuse-overlayfs" not in self.packages:
            raise ValueError("`fuse-overlayfs` needs the package of that name among `packages`")
        for name, version in self.packages.items():
            bad = docker.known_bad(name, version)
            if bad is not None and bad.id not in self.accepts:
                said = f"{name} {version} is known not to work here: {bad.why}"
                raise ValueError(f"{said}; take {bad.instead}, or, if it has that, say `accepts: [{bad.id}]`")
        return self

    @property
    def engine(self) -> str:
        """The package that is the daemon."""
        return next(name for name in docker.ENGINES if name in self.packages)

    @property
    def wanted(self) -> Mapping[str, Any]:
        """What daemon.json must say."""
        return {**self.settings, DRIVER: self.storage_driver}

    @property
    def declares(self) -> str:
        """The same in one line."""
        return docker.written(self.wanted).replace("\n", " ").strip()

    @property
    def note(self) -> str:
        """The path of our note."""
        return NOTE

    @property
    def waiting(self) -> str:
        """The path of the note that the daemon is still to be told of its new settings."""
        return WAITING

    @property
    def kept(self) -> str:
        """Where somebody else's part of daemon.json is kept."""
        return KEPT

    def needs(self) -> Iterable[str]:
        if self.repository:
            yield f"apt_repository:{self.repository}"

    def provides(self) -> Iterable[Offer]:
        needs = ("nesting", "keyctl", *(["fuse"] if self.storage_driver == "fuse-overlayfs" else []))
        yield Offer("docker", "engine", needs)

    def consumes(self) -> Iterable[Want]:
        for name in self.packages:
            yield Want("package", name, "packages", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        for stem in ("install", "daemon", "restart", "remove"):
            yield script(self.kind, stem, f"{stem}.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        found = change.seen or Seen("", "-", (), ours=True)
        if change.removes:
            yield removal("" if found.ours else "the packages of Docker, which we did not install")
            return
        refusals = list(self._refused(change))
        yield from refusals
        if refusals:
            return
        install, daemon, restart, _ = self.artifacts()
        names = set(change.attributes)
        packages = [name for name in names if name.startswith("package ")]
        # the settings come first: a daemon that is started by its package has them at once
        if change.creates or any(name.startswith(("set ", "left")) for name in names):
            text, theirs = self._merged(found)
            paths = [docker.spelled(path) for path, _ in docker.leaves(self.wanted)]
            yield Step(
                f"merge {len(paths)} settings into {FILE}",
                execute=daemon,
                arguments=(found.digest, *paths),
                stdin=Text(text, THEIRS, theirs, END),
            )
        if change.creates or packages:
            said = " ".join(f"{name}={version}" for name, version in self.packages.items())
            # that one is no longer held is nothing that the daemon would notice
            hot = change.creates or all(
                f"{change[name].actual}, held" == change[name].desired for name in packages
            )
            yield Step(
                f"apt-get install {said}, apt-mark hold",
                execute=install,
                effect=Effect.HOT if hot else Effect.RESTART,
                interrupts="" if hot else "docker",
            )
            if hot and names == {*packages}:
                return
        yield Step(
            "systemctl enable docker, systemctl restart docker",
            execute=restart,
            effect=Effect.HOT if change.creates else Effect.RESTART,
            interrupts="" if change.creates else "docker",
        )

    def _merged(self, found: Seen) -> tuple[str, str]:
        """The whole file with ours in it, and what of it is somebody else's."""
        actual = docker.settings(found.text)
        theirs = docker.merged(actual, {}, found.set)
        return docker.written(docker.merged(theirs, self.wanted, ())), docker.written(theirs)

    def _refused(self, change: Change) -> Iterator[Refusal]:
        if "foreign" in change:
            said = change["foreign"].actual
            yield Refusal("foreign", f"{said} is installed, which is another Docker: remove it first")
        if "file" in change:
            yield Refusal("file", f"{FILE} {change['file'].actual}: mend it, or move it away")
        if "driver" in change and change["driver"].actual != "no answer":
            actual = change["driver"].actual
            said = (
                f"it uses {actual}; with {self.storage_driver}, all images and containers were out of sight"
            )
            yield Refusal("driver", f"{said}: build the guest anew, or go on with {actual}")

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (it has one)
        _, _, restart, _ = self.artifacts()
        yield Step("systemctl restart docker", execute=restart, effect=Effect.RESTART, interrupts="docker")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield removal()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        repository = {
            "uris": ["https://download.docker.com/linux/debian"],
            "suites": ["trixie"],
            "components": ["stable"],
            "signed_by": "/usr/share/keyrings/proxmox-archive-keyring.gpg",
        }
        older, newer = "5:28.5.1-1~debian.13~trixie", "5:28.5.2-1~debian.13~trixie"
        others = {"containerd.io": "1.7.28-1~debian.13~trixie", "fuse-overlayfs": "1.14-1"}
        compose = "2.40.3-1~debian.13~trixie"
        yield Samples(
            "",
            {
                "repository": "docker",
                "packages": {"docker-ce": older, "docker-ce-cli": older, **others},
                "settings": {"log-driver": "json-file", "log-opts": {"max-size": "10m"}},
            },
            {
                "repository": "docker",
                "packages": {
                    "docker-ce": newer,
                    "docker-ce-cli": newer,
                    "docker-compose-plugin": compose,
                    **others,
                },
                "settings": {"log-driver": "local", "live-restore": True},
            },
            {"apt_repository": {"docker": repository}},
            refused=(
                {"storage_driver": "fuse-overlayfs"},
                {"packages": {"docker.io": "26.1.5+dfsg1-9+b9"}, "repository": None},
            ),
        )


def removal(destroys: str = "") -> Step:
    """Return the step that takes out what we installed, and our part of daemon.json."""
    return Step(
        "remove the packages of Docker that we installed, our part of daemon.json",
        execute=script("docker_engine", "remove", "remove.sh.j2"),
        arguments=(NOTE, KEPT),
        effect=Effect.RESTART,
        interrupts="docker",
        destroys=destroys,
    )
