"""NVIDIA's driver of a node."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from ..dialects.nvidia import Release
from ..fields import Sha256, WebAddress
from ..resource import (
    EVERY,
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
    reboot,
    run,
    script,
)

SERVER = "https://us.download.nvidia.com/XFree86/Linux-x86_64"
OFF = "/etc/modprobe.d/zz-phoenix-nvidia.conf"
"""Our file that keeps nouveau from the cards."""
NOTE = made("nvidia_driver", "driver")
"""Our note of what we installed: `driver <source> <version>`, and `package <name>` for tools it needed."""
NODES, PERSISTENCE = "phoenix-nvidia.service", "phoenix-nvidia-persistence.service"
UNITS = "/etc/systemd/system"
CAPABILITIES = "/proc/driver/nvidia/capabilities/mig"
CONTROL = 255
"""The number of nvidiactl, of all versions of the driver."""
SHARED = ("nvidiactl", "nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1",
          "nvidia-caps/nvidia-cap2")  # fmt: skip


class Seen(NamedTuple):
    """What of a node matters for how its driver is changed."""

    users: tuple[str, ...]
    """Who uses a card at this moment."""


class NvidiaDriver(Kind):
    """NVIDIA's driver on a node: one version of module and programs, for the node and its containers.

    It is fetched and its checksum compared first, then its modules are built by DKMS for every kernel that
    has headers; only when that went well is anything replaced. Nouveau is kept from the cards, a unit of
    ours makes the device nodes before any guest starts, another keeps the cards initialised. While anybody
    uses a card, a loaded module is left alone: the new one waits for a reboot, which is asked for, and no
    container is stopped. Each card of the node's `hardware: gpus:` must be there; what is not is said. A
    driver that came another way is never replaced. When it is declared no longer, it goes with what we
    installed for it, unless somebody uses a card.
    """

    singleton = True
    manners = frozenset({"url", "sha256"})

    version: Annotated[str, Field(pattern=r"^\d{3}\.\d{1,3}(\.\d{1,3})?$")]
    source: Literal["runfile", "packages"] = "runfile"
    modules: Literal["open", "proprietary"] = "open"
    """Which of its kernel modules: cards since Blackwell (RTX 50) need `open`, those before Turing cannot."""
    url: WebAddress | None = None
    """Of the runfile: a mirror, or a file of the node's; otherwise NVIDIA's own server."""
    sha256: Sha256 | None = None
    """Of the runfile: containers get their libraries from it, whatever the node's driver comes from."""
    packages: dict[
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$")],
        Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9.+:~-]*$")],
    ] = Field(default_factory=dict)
    """Name → version to the letter, all of them held; one of them brings the modules' sources for DKMS."""
    persistence: bool = True

    @model_validator(mode="after")
    def _one_source(self) -> "NvidiaDriver":
        if self.present and self.source == "runfile" and not self.sha256:
            raise ValueError("a runfile needs `sha256`: it is run as root")
        if self.present and (self.source == "packages") != bool(self.packages):
            raise ValueError("`packages` and `source: packages` belong together")
        if self.url and not self.sha256:
            raise ValueError("`url` is that of a runfile, which needs `sha256`")
        return self

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """The cards of the node that are its own driver's, by name."""
        given = {one.key: one.value for one in self.given("gpu")}
        return {name: card for name, card in given.items() if card.get("owner", "host") == "host"}

    @property
    def runfile(self) -> str:
        """Where the runfile is kept on the node."""
        return downloaded(self.sha256 or "")

    @property
    def address(self) -> str:
        """Where the runfile comes from."""
        return self.url or f"{SERVER}/{self.version}/NVIDIA-Linux-x86_64-{self.version}.run"

    @property
    def module(self) -> str:
        """The module as a check sees it: version and sort."""
        return f"{self.version} {self.modules}"

    @property
    def dkms(self) -> str:
        """The version that DKMS has: both sorts of one version may be there, built beside each other."""
        return f"{self.version}-{self.modules}" if self.source == "runfile" else self.version

    @property
    def nodes(self) -> list[str]:
        """The device nodes there must be."""
        return [f"/dev/{name}" for name in (*(f"nvidia{n}" for n in range(len(self.cards))), *SHARED)]

    @property
    def off(self) -> tuple[str, ...]:
        """The lines that keep nouveau from the cards."""
        return ("blacklist nouveau", "options nouveau modeset=0")

    @property
    def note(self) -> str:
        """The path of our note."""
        return NOTE

    @property
    def units(self) -> dict[str, tuple[str, ...]]:
        """Our units: name → lines."""
        own = [f"-c {minor}" for minor in (*range(len(self.cards)), CONTROL)]
        caps = [f"-f {CAPABILITIES}/{name}" for name in ("config", "monitor")]
        nodes = (
            "[Unit]",
            "Description=Device nodes of NVIDIA's driver",
            "After=systemd-modules-load.service",
            f"Before={PERSISTENCE} pve-guests.service",
            "[Service]",
            "Type=oneshot",
            "RemainAfterExit=yes",
            f"ExecStart=nvidia-modprobe {' '.join([*own, '-m', *caps])}",
            "ExecStart=nvidia-modprobe -u -c 0",
            "[Install]",
            "WantedBy=multi-user.target",
        )
        daemon = (
            "[Unit]",
            "Description=NVIDIA's cards stay initialised",
            f"After={NODES}",
            "Before=pve-guests.service",
            "[Service]",
            "Type=forking",
            "ExecStart=nvidia-persistenced",
            "[Install]",
            "WantedBy=multi-user.target",
        )
        return {NODES: nodes} | ({PERSISTENCE: daemon} if self.persistence else {})

    def provides(self) -> Iterable[Offer]:
        yield Offer("nvidia_driver", "version", self.version)
        if self.sha256:
            yield Offer("nvidia_driver", "release", Release(self.version, self.sha256, self.address))

    def consumes(self) -> Iterable[Want]:
        yield Want("gpu", EVERY, "version", "", exact=True, required=False)
        if self.url and self.url.startswith("file://"):
            yield Want("file", self.url.removeprefix("file://"), "url", "", exact=True, required=False)

    @property
    def _scripts(self) -> dict[str, Artifact]:
        own = ("build", "install") if self.source == "runfile" else ("packages",)
        return {
            stem: script(self.kind, stem, f"{stem}.sh.j2") for stem in ("headers", *own, "load", "remove")
        }

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(OFF, "modprobe.conf.j2")
        yield from self._unit_files.values()
        yield from self._scripts.values()

    @property
    def _unit_files(self) -> dict[str, Artifact]:
        templates = {NODES: "nodes.service.j2", PERSISTENCE: "persistence.service.j2"}
        return {name: Artifact(f"{UNITS}/{name}", templates[name]) for name in self.units}

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield removal()
            return
        refusals = list(self._refused(change))
        yield from refusals
        if any(refusal.attribute in ("source", "version") for refusal in refusals):
            return
        names = set(change.attributes)
        whole = change.creates or any(
            name.startswith(("version", "package ", "nvidia_smi")) for name in names
        )
        again = whole or any(name.startswith(("module ", "dkms", "headers")) for name in names)
        if again:
            yield from self._built()
        if change.creates or "nouveau_off" in names:
            yield Step(f"write {OFF}", push=Artifact(OFF, "modprobe.conf.j2"))
        if change.creates or names & {"nouveau_off", "initramfs"}:
            yield run("update-initramfs", "-u", "-k", "all")
        if again:
            yield self._put_in_place(whole=whole)
        units = [name for name in self.units if change.creates or f"unit {name}" in names]
        for name in units:
            yield Step(f"write {UNITS}/{name}", push=self._unit_files[name])
        yield from self._taken_up(change, whole=whole, units=bool(units))

    def _built(self) -> Iterator[Step]:
        """Bring all that is needed, and build: nothing of what works is touched."""
        if self.source == "runfile":
            runfile = Fetch(self.address, self.sha256 or "")
            yield Step(f"fetch {self.address}, check its sha256", fetch=(runfile,))
        yield Step(
            "apt-get install dkms gcc make, and the headers of each kernel", execute=self._scripts["headers"]
        )
        if self.source == "runfile":
            said = f"dkms build nvidia/{self.dkms}, for each kernel that has headers"
            yield Step(said, execute=self._scripts["build"], lasts=True)

    def _put_in_place(self, *, whole: bool) -> Step:
        if self.source == "packages":
            wanted = " ".join(f"{name}={version}" for name, version in self.packages.items())
            return Step(f"apt-get install {wanted}, apt-mark hold", execute=self._scripts["packages"])
        programs = f"sh {self.runfile} --silent --no-kernel-modules, " if whole else ""
        return Step(f"{programs}dkms install nvidia/{self.dkms}", execute=self._scripts["install"])

    def _taken_up(self, change: Change, *, whole: bool, units: bool) -> Iterator[Step]:
        """Load it now if nobody notices; otherwise that is for the next boot."""
        names = set(change.attributes)
        load = self._scripts["load"]
        users = change.seen.users if change.seen else change["in_use"].actual if "in_use" in change else ()
        why = ""
        if "taken" in names:
            why = f"another driver has {', '.join(change['taken'].actual)}"
        elif users and (whole or "loaded" in names):
            why = f"{', '.join(users)} would lose the driver that is loaded now"
        if why:
            enabled = any(name.startswith("enabled ") for name in names)
            if whole or units or enabled:
                yield Step(
                    "systemctl enable what loads it at the next boot", execute=load, arguments=("later",)
                )
            yield reboot(f"the driver {self.module} is to be loaded: {why}")
        elif whole or units or any(name.startswith(RUNNING) for name in names):
            yield Step(f"load the driver {self.module}, make its device nodes", execute=load)

    def _refused(self, change: Change) -> Iterator[Refusal]:
        if "source" in change:
            found = change["source"].actual
            said = f"a driver from {found} is there, which Phoenix did not install that way"
            yield Refusal("source", f"{said}: remove it first, or declare `source: {found}`")
        wrong = [name for name, version in self.packages.items() if self.version not in version]
        if wrong and "version" in change:
            yield Refusal("version", f"`packages` has {wrong[0]} of another version: declare one for all")
        for name in sorted(change.attributes):
            sort, _, card = name.partition(" ")
            difference = change[name]
            if sort == "card":
                said = f"the driver shows {difference.actual}, not {difference.desired}"
                yield Refusal(name, f"{card}: {said}: is it plugged in, and right in `hardware: gpus:`?")
            elif sort == "cards":
                said = f"the driver has {', '.join(difference.actual)}, which the files do not name"
                yield Refusal(name, f"{said}: declare it in `hardware: gpus:`")

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
        server = "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/"
        key = "/usr/share/keyrings/proxmox-archive-keyring.gpg"
        around = {
            "apt_repository": {"pve": pve, "cuda": {"uris": [server], "suites": ["/"], "signed_by": key}},
        }
        first = {"version": "570.153.02", "sha256": RUNFILES["570.153.02"], "persistence": False}
        packages = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-modprobe", "nvidia-persistenced")

        def from_packages(version: str) -> dict[str, Any]:
            exact = dict.fromkeys(packages, f"{version}-1")
            return {"version": version, "source": "packages", "sha256": None, "packages": exact}

        yield Samples(
            "",
            {**first, "url": f"{SERVER}/570.153.02/NVIDIA-Linux-x86_64-570.153.02.run"},
            {"version": "580.76.05", "sha256": RUNFILES["580.76.05"], "modules": "proprietary"},
            around,
            refused=({**from_packages("570.153.02"), "url": None},),
        )
        yield Samples("", from_packages("575.57.08"), from_packages("580.65.06"), around)


RUNNING = ("loaded", "nodes", "persistence ", "enabled ", "active ", "module ")
"""What loading it and starting its units puts right."""
RUNFILES = {
    "570.153.02": "148886e4f69576fa8fa67140e6e5dd6e51f90b2ec74a65f1a7a7334dfa5de1b6",
    "580.76.05": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
}
"""SHA-256 of two of NVIDIA's runfiles."""


def removal() -> Step:
    """Return the step that takes out what we installed."""
    words = ("nvidia_driver", "remove", "remove.sh.j2")
    return Step(
        "remove the driver that we installed, and what came with it",
        execute=script(*words),
        arguments=(NOTE,),
    )
