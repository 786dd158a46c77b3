"""Units of systemd."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from ..budgets import GPU, TAKES, Takes
from ..containers.samples import around_a_guest
from ..dialects import systemd
from ..firewall.ports import REACHES, Reach
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, run
from ..services import ON_CARDS, USES, OnCards, Uses
from ..units import OnChange, UnitFile, scripts

TYPES = "service|timer|socket|path|mount|automount|swap|slice|target"
NAME = rf"^[A-Za-z0-9][A-Za-z0-9:_.-]*(@[A-Za-z0-9:_.-]*)?\.({TYPES})$"
Section = Annotated[str, Field(pattern=r"^(X-)?[A-Z][A-Za-z0-9-]*$")]
Key = Annotated[str, Field(pattern=r"^(X-)?[A-Z][A-Za-z0-9-]*$")]
Line = Annotated[StrictStr, Field(pattern=r"^[^\n\r\x00]*$")]
Value = StrictBool | StrictInt | Line | tuple[StrictInt | Line, ...]
FOR_ALL = ("Unit", "Install")


class Answers(BaseModel):
    """What must answer once a service runs: a page by HTTP, or a remote desktop that offers TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    http: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9\[][^\s'\"]*$")] | None = None
    """An address, as the host itself reaches it, that answers with 200."""
    says: Annotated[str, Field(pattern=r"^[^\n]+$")] | None = None
    """A text that the page has in it."""
    rdp: Annotated[int, Field(ge=1, le=65535)] | None = None
    """A port on which a remote desktop (RDP) confirms a connection, and offers TLS for it."""
    seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long it may take until then."""

    @model_validator(mode="after")
    def _one_of_them(self) -> "Answers":
        if (self.http is None) == (self.rdp is None):
            raise ValueError("needs one of `http` and `rdp`")
        if self.says is not None and self.http is None:
            raise ValueError("`says` belongs to `http`")
        return self


class SystemdUnit(Kind):
    """A unit of systemd, in a file of ours in /etc/systemd/system, named as systemctl(1) names it.

    What is in it is declared as `sections`, or as the whole text in `content`. With `drop_in` it is an
    addition to somebody else's unit: a file of ours beside it, and the unit itself is left alone. What has an
    [Install] section is enabled and running, unless `enabled` and `active` say otherwise; of a drop-in's unit
    both are left as they are unless declared. systemd-analyze(1) must accept a unit before it takes its
    place, where there is one. systemd reads its files again only when one of them changed, and only what runs
    is told, as `on_change` says. A unit that dies within `watch_seconds` of its start is told with the last
    lines of its journal. With `answers` it is used, too: what runs and does not answer is started anew once.
    Somebody else's unit of that name is reported, and left alone.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset(
        {"on_change", "watch_seconds", "drop_in", "gpu_memory_fraction", "answers", "uses"}
    )

    name: Annotated[str, Field(pattern=NAME)]
    sections: dict[Section, dict[Key, Value]] | None = None
    content: Annotated[str, Field(min_length=1)] | None = None
    drop_in: bool = False
    enabled: bool | None = None
    active: bool | None = None
    on_change: OnChange = "restart"
    """What is done to what runs when the file has changed: a daemon may know `reload`."""
    watch_seconds: Annotated[int, Field(ge=0, le=60)] = 1
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """How much of each card of its guest it takes, added to others' shares; with 1 nobody else has them."""
    uses: tuple[Uses, ...] = ()
    """To whom it connects: firewalls let it through; with `role`, it is refused when nobody serves that."""
    answers: Answers | None = None
    """How one sees that it works, not only runs; looked at after an apply, and by `phoenix verify`."""

    @model_validator(mode="after")
    def _makes_sense(self) -> "SystemdUnit":
        if self.present and (self.sections is None) == (self.content is None):
            raise ValueError("needs one of `sections` and `content`")
        if self.content is not None and "\0" in self.content:
            raise ValueError("`content` must be text, without NUL")
        own = systemd.OF_TYPE[systemd.type_of(self.name)]
        others = {*systemd.OF_TYPE.values()} - {own, ""}
        wrong = sorted(section for section in self._sections if section in others)
        if wrong:
            raise ValueError(f"[{wrong[0]}] does not belong into {self.name}")
        nothing = sorted(key for key, values in systemd.parse(self.text).items() if not values)
        if nothing:
            raise ValueError(f"`{nothing[0].rpartition('.')[2]}` is no setting: a line is `Key=value`")
        if self.enabled and not (self.drop_in or "Install" in self._sections):
            raise ValueError("`enabled: true` needs an [Install] section: it says by what it is started")
        if self.running and self._is_over_at_once:
            raise ValueError("a oneshot without RemainAfterExit is never active: say `active: false`")
        return self

    @property
    def text(self) -> str:
        """What is in the file."""
        if self.content is not None:
            return self.content if self.content.endswith("\n") else f"{self.content}\n"
        return systemd.text(self.sections or {})

    @property
    def _sections(self) -> set[str]:
        return {name.partition(".")[0] for name in systemd.parse(self.text)}

    @property
    def _is_over_at_once(self) -> bool:
        """Whether it runs once and leaves nothing running."""
        found = systemd.parse(self.text)
        stays = found.get("Service.RemainAfterExit", ("no",))[-1:]
        return found.get("Service.Type", ())[-1:] == ("oneshot",) and stays[0] not in (
            "yes",
            "true",
            "1",
            "on",
        )

    @property
    def is_template(self) -> bool:
        """Whether it is what instances are made of, and runs itself never."""
        return "@." in self.name

    @property
    def starts(self) -> bool | None:
        """Whether it is to be enabled; None: that is left as it is."""
        if self.enabled is not None or self.drop_in or self.is_template:
            return self.enabled
        return "Install" in self._sections or None

    @property
    def running(self) -> bool | None:
        """Whether it is to run; None: that is left as it is."""
        if self.active is not None or self.drop_in or self.is_template:
            return self.active
        return True if "Install" in self._sections else None

    @property
    def unit(self) -> UnitFile:
        """The file."""
        return UnitFile(self.kind, self.name, self.name, self.text, self.drop_in)

    def provides(self) -> Iterable[Offer]:
        if not self.drop_in:
            yield Offer("unit", self.name)
        share = self.gpu_memory_fraction
        if share is not None:
            field = "gpu_memory_fraction"
            yield Offer(TAKES, GPU, Takes(share, field))
            yield Offer(ON_CARDS, self.name, OnCards(share=share, alone=share == 1, field=field))
        for number, use in enumerate(self.uses):
            yield Offer(REACHES, use.guest, Reach(str(use.port)))
            if use.role is not None:
                yield Offer(USES, f"uses.{number}", use)

    def consumes(self) -> Iterable[Want]:
        # what it starts, where somebody declares that; a program of the system's own is nobody's here
        for line in systemd.parse(self.text).get("Service.ExecStart", ()):
            program = line.lstrip("-@:+!|").split(" ")[0]
            if program.startswith("/"):
                yield Want("file", program, "sections", "", exact=True, required=False)
                if environment := program.rpartition("/bin/")[0]:
                    yield Want("python_environment", environment, "sections", "", exact=True, required=False)
        service = f"{self.name.rpartition('.')[0]}.service"
        if systemd.type_of(self.name) in ("timer", "socket", "path"):
            yield Want("unit", service, "name", "", exact=True, required=False)
        for name in ("owner", "group"):
            key = {"owner": "User", "group": "Group"}[name]
            for account in systemd.parse(self.text).get(f"Service.{key}", ()):
                yield Want("account", account, "sections", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.unit.path, "unit.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        unit = self.unit
        if change.removes:
            if change.seen is not None and not change.seen.noted:
                yield Refusal("present", f"{unit.path} is not ours: it is not removed")
            else:
                yield unit.remove()
            return
        if "foreign" in change:
            said = str(change["foreign"].actual)
            yield Refusal("foreign", f"{said}: give yours another name, or say `drop_in: true`")
            return
        written = change.creates or any("." in name for name in change.attributes)
        if written:
            yield unit.write(waits=self.on_change != "nothing" and self.running is not False)
        elif "daemon_reload" in change:
            yield run("systemctl", "daemon-reload")
        yield from self._switched(change, written=written)

    def _switched(self, change: Change, *, written: bool) -> Iterator[Step]:
        """Enable and start it, or the other way round; tell what runs of the change."""
        unit = self.unit
        enable = self.starts is True and (change.creates or "enabled" in change)
        if self.starts is False and "enabled" in change:
            yield run("systemctl", "disable", unit.unit)
        if self.running is False and "active" in change:
            yield Step(f"systemctl stop {unit.unit}", ("systemctl", "stop", unit.unit))
        elif self.running and (change.creates or "active" in change):
            yield unit.start("restart", settle=self.watch_seconds, enable=enable, fresh=True)
        elif self.on_change != "nothing" and self.running is not False and (written or "waiting" in change):
            # what is left as it is may not run: then there is nothing to tell
            verb = self.on_change if self.running else TRIED[self.on_change]
            yield unit.start(verb, settle=self.watch_seconds if self.running else 0, enable=enable)
        elif enable:
            yield run("systemctl", "enable", unit.unit)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (it has one)
        if self.on_change != "nothing":
            yield self.unit.start("restart", settle=self.watch_seconds)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield UnitFile("systemd_unit", name, name).remove()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        def unit(description: str, program: str) -> dict[str, dict[str, object]]:
            return {
                "Unit": {"Description": description, "After": "network-online.target"},
                "Service": {"ExecStart": program, "Restart": "on-failure", "Environment": ["A=1", "B=2"]},
                "Install": {"WantedBy": "multi-user.target"},
            }

        yield Samples(
            "phoenix-sample.service",
            {"sections": unit("A sample", "/usr/bin/sleep infinity"), "watch_seconds": 0},
            {
                "sections": unit("Another", "/usr/bin/sleep 1000"),
                "enabled": False,
                "active": False,
                "watch_seconds": 0,
            },
        )
        timer = "[Timer]\nOnCalendar={}\n[Install]\nWantedBy=timers.target\n"
        tick = {"Service": {"Type": "oneshot", "ExecStart": "/usr/bin/true"}}
        around = {"systemd_unit": {"phoenix-tick.service": {"sections": tick}}}
        yield Samples(
            "phoenix-tick.timer",
            {"content": timer.format("daily"), "watch_seconds": 0},
            {"content": timer.format("hourly"), "on_change": "nothing", "watch_seconds": 0},
            around,
        )
        desk = {"drop_in": True, "watch_seconds": 0}
        yield Samples(
            "xrdp.service",
            {
                **desk,
                "sections": {"Service": {"SupplementaryGroups": "ssl-cert", "MemoryMax": "1G"}},
                "enabled": True,
                "active": True,
                "answers": {"rdp": 3389, "seconds": 20},
            },
            {**desk, "sections": {"Service": {"MemoryMax": "2G"}}, "enabled": False, "active": False},
            around_a_guest("127-desk", {"apt_package": {"xrdp": {}}}),
            inside="127-desk",
        )


TRIED = {"restart": "try-restart", "reload": "try-reload-or-restart"}
