"""What is logged here, sent to where the site's journals arrive."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..containers.samples import around_a_guest
from ..dialects import systemd
from ..dialects.journal import JOURNALS, NUMBER, PACKAGE, PROGRAMS, SENDER
from ..firewall.ports import FACT, NOTHING, REACHES, Reach
from ..resource import EVERY, Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want
from ..units import UnitFile, scripts

LOOPBACK = "127.0.0.1"
GUEST, OTHER = "136-speaker", "137-collector"


class JournalSender(Kind):
    """Debian's systemd-journal-upload: it sends this host's journal to a `journal_receiver`, line by line.

    To the site's one, unless `receiver` says to which. The journal here is left as it is. How far it has come
    is kept: what could not be sent, because the receiver was away, is sent later, as long as the
    journal here still has it. The program ends when nobody receives; our drop-in starts it again, for ever.
    The package is for `apt_package` to declare, and a container needs `features: {nesting: true}` for its
    unit's hardening. Its probe logs a line, and waits until the receiver has taken it; where that does not
    happen, it is restarted once.
    """

    singleton: ClassVar[bool] = True
    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"probe_seconds"})

    receiver: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = None
    """The guest or node that receives; without, the only one of the site that does."""
    retry_seconds: Annotated[int, Field(ge=1, le=60)] = 15
    """After how long it tries again when nobody receives."""
    probe_seconds: Annotated[int, Field(ge=1, le=240)] = 60
    """How long it is waited for until a line has arrived."""

    @property
    def receivers(self) -> tuple[str, ...]:
        """The hosts it could send to: one, unless the files are wrong."""
        return tuple(sorted({given.key for given in self.given(JOURNALS)}))

    @property
    def target(self) -> str:
        """The address it sends to; empty where the files say none."""
        network = next((given.value for given in self.given(FACT[0])), NOTHING)
        found = next(iter(self.receivers), "")
        return LOOPBACK if found == self.name else next(iter(network.addresses.get(found, ())), "")

    @property
    def url(self) -> str:
        """The same as the program takes it."""
        host = f"[{self.target}]" if ":" in self.target else self.target
        return f"http://{host or 'nowhere.invalid'}:{NUMBER}"

    @property
    def unit(self) -> UnitFile:
        """Our drop-in for its unit."""
        argv = [PROGRAMS[SENDER], "--save-state", f"--url={self.url}"]
        sections: dict[str, dict[str, systemd.Setting]] = {
            # no limit: else five failures in ten seconds end it for good
            "Unit": {"StartLimitIntervalSec": 0},
            "Service": {
                # the first, empty value takes away what the package's own unit says
                "ExecStart": ("", systemd.command_line(argv)),
                "Restart": "always",
                "RestartSec": self.retry_seconds,
                # while it waits for a host that says nothing at all, it does not hear that it is to stop
                "TimeoutStopSec": 10,
            },
        }
        return UnitFile(self.kind, "sender", SENDER, systemd.text(sections), drop_in=True)

    def provides(self) -> Iterable[Offer]:
        yield Offer(REACHES, self.receiver or EVERY, Reach(str(NUMBER)))

    def consumes(self) -> Iterable[Want]:
        # soft, as it goes on without: what is logged meanwhile is sent later. That there is one, a rule asks.
        key = self.receiver or EVERY
        yield Want(JOURNALS, key, "receiver", "", exact=True, required=False, where="site", soft=True)
        yield Want(*FACT, "receiver", "", exact=True, required=False)
        yield Want("package", PACKAGE, "receiver", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.unit.path, "unit.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{change['foreign'].actual}: move it away")
            return
        yield from self.unit.steps(change, written=any("." in name for name in change.attributes))

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (it has one)
        yield self.unit.start()

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one on a host)
        unit = UnitFile("journal_sender", "sender", SENDER)
        yield unit.stop()
        yield unit.remove()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        packages: dict[str, object] = {PACKAGE: {}, "curl": {}}
        inside = {"apt_package": packages, "journal_receiver": {}}
        nets = {
            stem: {"eth0": {"bridge": "vmbr0", "ip": f"10.0.0.{stem[:3]}/24", "gw": "10.0.0.1"}}
            for stem in (GUEST, OTHER)
        }
        around = around_a_guest(GUEST, inside, net=nets[GUEST])
        around["guests"] |= around_a_guest(OTHER, inside, net=nets[OTHER])["guests"]
        first = {"receiver": "collector", "retry_seconds": 15, "probe_seconds": 15}
        second = {"receiver": "speaker", "retry_seconds": 30, "probe_seconds": 16}
        yield Samples("", first, second, around, inside=GUEST)
