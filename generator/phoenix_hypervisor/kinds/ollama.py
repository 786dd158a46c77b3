"""Model servers: Ollama."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StrictInt, StrictStr, model_validator

from ..budgets import GPU, TAKES, Takes
from ..containers.samples import around_a_guest
from ..dialects import ollama, systemd
from ..fields import AbsolutePath
from ..firewall.ports import PORT, Port
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
    run,
    script,
)
from ..services import FETCHES_TO, ON_CARDS, SERVICE, OnCards, Service
from ..units import UnitFile, scripts

RELEASES = "https://github.com/ollama/ollama/releases/download"
HOME = "/opt/ollama"
PROGRAM = "/usr/local/bin/ollama"
UNIT = "ollama.service"


def _in_full(written: str) -> str:
    found = ollama.model(written)
    return f"{found.name}@{found.digest}" if found.digest else found.name


Model = Annotated[str, Field(pattern=ollama.NAME), AfterValidator(_in_full)]


class Ollama(Kind):
    """Ollama: one release, by its checksum, as `ollama.service`, and the models that are to be there.

    The release is unpacked into a folder of its own below /opt/ollama, and takes its place only when it is
    there as a whole; the one before it is removed when the new one runs. Models lie in `folder`, which other
    guests may share. Those of `models` are pulled where they are missing: one that was pulled in part is
    none, and goes on where it stopped. `name@digest` holds a model to what it was: when the registry has
    another by that name, it is said. Models of others are left alone, and no model is ever removed.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    singleton = True
    manners: ClassVar[frozenset[str]] = frozenset({"url", "gpu_memory_fraction", "ready_seconds"})

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+(-rc\d+)?$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of `ollama-linux-amd64.tgz`: the release's `sha256sum.txt` has it."""
    url: Annotated[str, Field(pattern=r"^(https?://|file:///)[!-~]+$")] | None = None
    address: Annotated[str, Field(pattern=r"^[0-9a-f.:]+$")] = "0.0.0.0"  # noqa: S104  (the firewall says who)
    port: Annotated[int, Field(ge=1, le=65535)] = 11434
    folder: AbsolutePath = "/ollama_models"
    models: tuple[Model, ...] = ()
    """As `ollama pull` takes them: `llama3.2:1b`."""
    settings: dict[str, StrictStr | StrictInt] = Field(default_factory=dict)
    """Of its environment: `OLLAMA_KEEP_ALIVE` and its like."""
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """How much of its card its models take at most: added to others' shares, and enforced by nobody."""
    ready_seconds: Annotated[int, Field(ge=5, le=7200)] = 300

    @model_validator(mode="after")
    def _ollama_knows_it(self) -> "Ollama":
        for name, value in self.settings.items():
            if name not in ollama.SETTINGS:
                raise ValueError(f"`settings`: Ollama reads no `{name}`")
            if any(ord(sign) < 32 for sign in str(value)):
                raise ValueError(f"`settings`: `{name}` must be one line")
        names = [model.name for model in self.wanted]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"`models`: {twice[0]} is there twice")
        return self

    @property
    def wanted(self) -> list[ollama.Model]:
        """The models that are to be there."""
        return [ollama.model(written) for written in self.models]

    @property
    def home(self) -> str:
        """Where the release is."""
        return f"{HOME}/{self.version}-{self.sha256[:12]}"

    @property
    def release(self) -> Fetch:
        """What it is unpacked from."""
        return Fetch(self.url or f"{RELEASES}/v{self.version}/ollama-linux-amd64.tgz", self.sha256)

    @property
    def program(self) -> str:
        """Where people and scripts find it."""
        return PROGRAM

    @property
    def argv(self) -> list[str]:
        """What is run."""
        return [f"{self.home}/bin/ollama", "serve"]

    @property
    def sections(self) -> dict[str, dict[str, systemd.Setting]]:
        """The unit."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        own = (f"OLLAMA_HOST={host}:{self.port}", f"OLLAMA_MODELS={self.folder}")
        settings = tuple(systemd.word(f"{name}={value}") for name, value in sorted(self.settings.items()))
        return {
            "Unit": {
                "Description": "Ollama",
                "Wants": "network-online.target",
                "After": "network-online.target",
                "RequiresMountsFor": self.folder,
                "StartLimitIntervalSec": 120,
                "StartLimitBurst": 5,
            },
            "Service": {
                "Type": "exec",
                "Environment": ("HOME=/root", *own, *settings),
                "ExecStart": systemd.command_line(self.argv),
                "Restart": "always",
                "RestartSec": 3,
                "LimitNOFILE": 65536,
                **HARDENED,
            },
            "Install": {"WantedBy": "multi-user.target"},
        }

    @property
    def unit(self) -> UnitFile:
        """The unit's file."""
        return UnitFile(self.kind, "server", UNIT, systemd.text(self.sections))

    @property
    def local(self) -> str:
        """Where it is reached from inside."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def provides(self) -> Iterable[Offer]:
        yield Offer(PORT, f"{self.port}/tcp", Port(str(self.port)))
        yield Offer(SERVICE, "ollama", Service("ollama", self.port, health="/api/version"))
        share = self.gpu_memory_fraction
        if share is not None:
            yield Offer(TAKES, GPU, Takes(share, "gpu_memory_fraction"))
        yield Offer(FETCHES_TO, self.folder)
        yield Offer(ON_CARDS, "ollama", OnCards(0, share=share, field="gpu_memory_fraction"))

    def consumes(self) -> Iterable[Want]:
        yield Want("path", self.folder, "folder", "", required=False)
        yield Want("nvidia_userland", "version", "version", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.unit.path, "unit.j2")
        for stem in ("install", "pull", "ready", "tidy"):
            yield script(self.kind, stem, f"{stem}.sh.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            if change.seen is not None and not change.seen.noted:
                yield Refusal("present", f"{self.unit.path} is not ours: it is not removed")
            else:
                yield from self.remove(self.name)
            return
        if "foreign" in change:
            said = f"{change['foreign'].actual}: Ollama was installed another way; remove that first"
            yield Refusal("foreign", said)
            return
        names = set(change.attributes)
        installed = change.creates or bool(names & {"release", "program"})
        written = change.creates or any(name.startswith(SECTIONS) for name in names)
        if installed:
            title = f"fetch {self.release.url}, check its sha256, unpack it to {self.home}"
            yield Step(title, execute=self._script("install"), fetch=(self.release,), arguments=self._places)
        if written:
            yield self.unit.write()
        elif "daemon_reload" in names:
            yield run("systemctl", "daemon-reload")
        yield from self._started(change, again=written or installed)
        if "others" in names or installed:
            yield Step(
                f"remove other releases in {HOME}", execute=self._script("tidy"), arguments=(self.home,)
            )
        yield from self._pulled(change)

    @property
    def _places(self) -> tuple[str, ...]:
        return (downloaded(self.sha256), self.home, PROGRAM)

    def _script(self, stem: str) -> Artifact:
        return script(self.kind, stem, f"{stem}.sh.j2")

    def _started(self, change: Change, *, again: bool) -> Iterator[Step]:
        enable = change.creates or "enabled" in change
        if again or "active" in change or "waiting" in change:
            yield self.unit.start(fresh=change.creates or "active" in change, enable=enable)
            yield self._wait()
        elif enable:
            yield run("systemctl", "enable", UNIT)

    def _wait(self) -> Step:
        return Step(
            f"wait until Ollama answers, {self.ready_seconds} s at most",
            execute=self._script("ready"),
            arguments=(UNIT, f"{self.local}/api/version", str(self.ready_seconds)),
            waits=True,
            lasts=True,
        )

    def _pulled(self, change: Change) -> Iterator[Step | Refusal]:
        for one in self.wanted:
            found = change.attributes.get(f"model {one.name}")
            if found is not None and found.actual != "not there" and str(found.actual).startswith("@"):
                said = f"{one.name} is {found.actual[:13]}, not @{one.digest[:12]}"
                yield Refusal(f"model {one.name}", f"{said}; declare the digest that it has now, or none")
            elif change.creates or found is not None:
                title = f"ollama pull {one.name}"
                arguments = (one.name, self.local, self.folder, one.manifest)
                yield Step(title, execute=self._script("pull"), arguments=arguments, lasts=True)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails, it is the same process)
        yield self.unit.start()
        yield self._wait()

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield UnitFile("ollama", "server", UNIT).remove()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        guest = "122-ollama"
        yield Samples(
            "",
            {
                "version": "0.12.6",
                "sha256": RELEASED["0.12.6"],
                "models": ["llama3.2:1b"],
                "ready_seconds": 6,
            },
            {
                "version": "0.12.11",
                "sha256": RELEASED["0.12.11"],
                "address": "127.0.0.1",
                "port": 11435,
                "folder": "/srv/ollama",
                "models": ["llama3.2:1b", "qwen2.5:0.5b"],
                "settings": {"OLLAMA_KEEP_ALIVE": "10m"},
                "ready_seconds": 6,
            },
            around_a_guest(guest),
            inside=guest,
        )


SECTIONS = ("Unit.", "Service.", "Install.")
HARDENED: dict[str, systemd.Setting] = {
    # Nothing that needs a mount namespace: AppArmor denies that to containers without `nesting`.
    "NoNewPrivileges": True,
    "RestrictSUIDSGID": True,
    "RestrictRealtime": True,
    "LockPersonality": True,
    "SystemCallArchitectures": "native",
    "CapabilityBoundingSet": "",
    "UMask": "0022",
}
RELEASED = {
    "0.12.6": "de82adce2ab79235115d511ff22fcb099ac53b67127870f12b80198c033ec0a1",
    "0.12.11": "fb140ea4243706d0087b0108418ee5c6f74edcebf5f14e2f289b8e36bd303d0f",
}
"""SHA-256 of two releases for amd64."""
