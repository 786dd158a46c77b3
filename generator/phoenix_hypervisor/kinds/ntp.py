"""Where the clock gets its time from."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..resource import (
    PENDING_FOLDER,
    Artifact,
    Change,
    Effect,
    Kind,
    Refusal,
    Samples,
    Step,
    Want,
    reload,
    run,
)

CHRONY = "/etc/chrony/sources.d/phoenix.sources"
TIMESYNCD = "/etc/systemd/timesyncd.conf.d/zz-phoenix.conf"
Server = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")]


class Ntp(Kind):
    """The time servers of a node, for chrony (which Proxmox brings) or systemd-timesyncd.

    They are in a file of ours beside the service's own; chrony reads it without being restarted. Servers
    that chrony's own files name are left alone and used as well; for systemd-timesyncd, which uses one
    server only, ours take the place of others. A container has the clock of its node, so this is declared
    for nodes.
    """

    singleton = True

    service: Literal["chrony", "systemd-timesyncd"] = "chrony"
    servers: tuple[Server, ...] = ()
    pools: tuple[Server, ...] = ()
    """Names that stand for several servers each; chrony only."""

    @model_validator(mode="after")
    def _something_to_ask(self) -> "Ntp":
        if not self.servers and not self.pools:
            raise ValueError("needs `servers` or `pools`")
        if self.pools and self.service != "chrony":
            raise ValueError(f"{self.service} knows no `pools`: name them as `servers`")
        return self

    @property
    def file(self) -> str:
        """Our file for the service."""
        return CHRONY if self.service == "chrony" else TIMESYNCD

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of our file."""
        if self.service == "chrony":
            pools, servers = (
                (f"pool {name} iburst" for name in self.pools),
                (f"server {n} iburst" for n in self.servers),
            )
            return (*pools, *servers)
        # the empty one forgets what earlier files say
        return ("[Time]", "NTP=", f"NTP={' '.join(self.servers)}")

    @property
    def sources(self) -> tuple[str, ...]:
        """What the service should know of, by the names it is declared with."""
        return tuple(sorted((*self.pools, *self.servers)))

    def consumes(self) -> Iterable[Want]:
        yield Want("package", self.service, "service", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        template = "phoenix.sources.j2" if self.service == "chrony" else "timesyncd.conf.j2"
        yield Artifact(self.file, template)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        written = change.creates or "lines" in change
        if written:
            conf = next(iter(self.artifacts()))
            yield Step(f"write {conf.path}", push=conf, pending=self.service)
        if "leftover" in change:
            yield run("rm", "-f", TIMESYNCD if self.service == "chrony" else CHRONY)
        if change.creates or "active" in change or "enabled" in change:
            yield run("systemctl", "enable", "--now", self.service)
        if written or "sources" in change or "waiting" in change:
            yield read_again(self.service)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (there is one probe)
        yield reload(self.service)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        gone = f"rm -f {CHRONY} {TIMESYNCD}"
        act = (
            f"[ ! -e {CHRONY} ] || {{ rm -f {CHRONY} && chronyc reload sources; }}\n"
            f"[ ! -e {TIMESYNCD} ] || {{ rm -f {TIMESYNCD} && systemctl try-restart systemd-timesyncd; }}"
        )
        yield Step(f"{gone}, and have it read", argv=("sh", "-ec", act), effect=Effect.RELOAD)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples(
            "",
            {"servers": ["192.0.2.1"], "pools": ["pool.example.org"]},
            {"servers": ["192.0.2.2", "time.example.org"], "pools": ["pool.example.net"]},
        )
        yield Samples(
            "", {"servers": ["192.0.2.1"]}, {"servers": ["192.0.2.2"], "service": "systemd-timesyncd"}
        )


def read_again(service: str) -> Step:
    """Return the step that makes the service use our file as it is now, and forgets that it has to."""
    act = "chronyc reload sources" if service == "chrony" else f"systemctl restart {service}"
    effect = Effect.RELOAD if service == "chrony" else Effect.RESTART
    forget = f"{act} && rm -f {PENDING_FOLDER}/{service}"
    interrupts = f"the service {service}" if effect is Effect.RESTART else ""
    return Step(act, argv=("sh", "-c", forget), effect=effect, interrupts=interrupts)
