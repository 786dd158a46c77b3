"""Where the journals of other hosts arrive and are kept."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..containers.samples import around_a_guest
from ..dialects import sizes, systemd
from ..dialects.journal import FOLDER, JOURNALS, NUMBER, PACKAGE, PROGRAMS, RECEIVER, SOCKET
from ..fields import Size
from ..firewall.ports import PORT, Port
from ..gateway.settings import Client
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, run
from ..units import UnitFile, scripts

CONFIG = "/etc/systemd/journal-remote.conf.d/zz-phoenix.conf"
CLEANED = "/etc/tmpfiles.d/phoenix-journal-remote.conf"
SINCE = 253
"""The systemd that first kept limits of what is received."""
GUEST = "135-journals"


class JournalReceiver(Kind):
    """Debian's systemd-journal-remote: it receives the journals of other hosts, each into files of its own.

    They lie in /var/log/journal/remote, where `journalctl -D` reads them, and are left alone when it is
    declared no longer. Who sends (`journal_sender`) finds it by itself, and firewalls open its port (19532)
    to those, and to nobody else. It speaks HTTP, without passwords and in the clear: whoever gets through
    may write, and nobody may read. Limits are the receiver's own, which systemd has since 253: with an
    older one a limit is refused. The package is for `apt_package` to declare. Its probe asks whether it
    answers; one that does not is restarted once.
    """

    singleton: ClassVar[bool] = True
    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"clients"})

    clients: tuple[Client, ...] = ()
    """Who else may send: hosts that are not declared here."""
    max_use: Size | None = None
    """How much all of it may take; without, a tenth of the file system and 4G at most."""
    keep_free: Size | None = None
    """How much of the file system stays free; without, 15 % of it."""
    max_file_size: Size | None = None
    """After how much a new file is begun: only finished ones are removed."""
    keep_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """After how many days without a new line a file is removed; never, unless it is said."""

    @property
    def config(self) -> str:
        """What its settings say."""
        limits = {
            "MaxUse": self.max_use,
            "KeepFree": self.keep_free,
            "MaxFileSize": self.max_file_size,
        }
        written = {key: sizes.show(value) for key, value in limits.items() if value is not None}
        return systemd.text({"Remote": {"SplitMode": "host", **written}})

    @property
    def limited(self) -> bool:
        """Whether a limit is declared."""
        return any(one is not None for one in (self.max_use, self.keep_free, self.max_file_size))

    @property
    def cleaned(self) -> str:
        """What systemd-tmpfiles is told: by the time of the last line, as reading is no use of a file."""
        return f"e {FOLDER} - - - m:{self.keep_days}d\n" if self.keep_days else ""

    @property
    def unit(self) -> UnitFile:
        """Our drop-in for its unit."""
        argv = [PROGRAMS[RECEIVER], "--listen-http=-3", f"--output={FOLDER}/"]
        sections: dict[str, dict[str, systemd.Setting]] = {
            # the first, empty value takes away what the package's own unit says
            "Service": {
                "ExecStart": ("", systemd.command_line(argv)),
                "Restart": "on-failure",
                "RestartSec": 5,
            },
            "Install": {"WantedBy": "multi-user.target"},
        }
        return UnitFile(self.kind, "receiver", RECEIVER, systemd.text(sections), drop_in=True)

    @property
    def address(self) -> str:
        """Where it answers, on its host."""
        return f"http://127.0.0.1:{NUMBER}/upload"

    def provides(self) -> Iterable[Offer]:
        yield Offer(PORT, f"{NUMBER}/tcp", Port(str(NUMBER), clients=self.clients))
        yield Offer(JOURNALS, self.name)

    def consumes(self) -> Iterable[Want]:
        yield Want("package", PACKAGE, "clients", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(CONFIG, "journal-remote.conf.j2")
        if self.keep_days:
            yield Artifact(CLEANED, "tmpfiles.conf.j2")
        yield Artifact(self.unit.path, "unit.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{change['foreign'].actual}: move it away")
            return
        if "limits" in change:
            yield Refusal("limits", f"{change['limits'].actual}: take them out, or upgrade the host")
            return
        names = change.attributes.keys()
        told = change.creates or any(name.startswith("Remote.") for name in names)
        written = any(name.startswith(("Service.", "Install.")) for name in names)
        yield from self._files(told=told, cleaned=change.creates or "kept" in change)
        yield from self.unit.steps(change, written=written, told=told, settle=1)

    def _files(self, *, told: bool, cleaned: bool) -> Iterator[Step]:
        config, *rest = self.artifacts()
        if told:
            yield Step(f"write {CONFIG}", push=config, pending=RECEIVER)
        if self.keep_days and cleaned:
            yield Step(f"write {CLEANED}", push=rest[0])
        elif cleaned:
            yield run("rm", "-f", CLEANED)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (it has one)
        yield self.unit.start(settle=1)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one on a host)
        unit = UnitFile("journal_receiver", "receiver", RECEIVER)
        yield unit.stop(SOCKET)
        yield unit.remove()
        yield run("rm", "-f", CONFIG, CLEANED)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        packages: dict[str, object] = {PACKAGE: {}, "curl": {}}
        first = {"max_use": "4G", "keep_free": "2G", "max_file_size": "64M", "keep_days": 90}
        second = {"max_use": "1G", "keep_free": "1G", "max_file_size": "16M", "keep_days": 30}
        around = around_a_guest(GUEST, {"apt_package": packages})
        yield Samples("", first, {**second, "clients": ["any"]}, around, inside=GUEST)
