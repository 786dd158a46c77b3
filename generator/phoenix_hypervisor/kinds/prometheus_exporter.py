"""Exporters: what tells Prometheus of a machine, or of a service that speaks another language."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from ..containers.samples import around_a_guest
from ..dialects import systemd
from ..firewall.ports import PORT, Port
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want
from ..services import NGINX_NUMBERS, SERVICE, Service
from ..units import UnitFile, scripts

PORTS = {"node": 9100, "nginx": 9113}
"""Where exporters listen that nobody says anything else of, by their own default."""
SCRAPE_URI = "nginx.scrape-uri"
Line = Annotated[StrictStr, Field(pattern=r"^[^\n\r\x00]*$")]
Value = StrictBool | StrictInt | Line


class PrometheusExporter(Kind):
    """An exporter of the distribution's, `prometheus-<name>-exporter`: `node` is the machine's, or `nginx`.

    Its options stand in a drop-in of ours for its unit; what /etc/default says is added to them, and is
    left alone, as is the package, which is for `apt_package` to declare. The one of nginx asks the gateway of
    its own host for its numbers. Who scrapes (`prometheus_server`) finds it by itself, and firewalls open
    its port to that, and to nobody else. Its probe asks it for its metrics; one that does not answer is
    restarted once.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Known of `node` and `nginx`."""
    arguments: dict[Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")], Value] = Field(
        default_factory=dict
    )
    """Its other options, by their names without dashes; false is `--no-…`."""

    @model_validator(mode="after")
    def _is_found(self) -> "PrometheusExporter":
        if self.port is None and self.name not in PORTS:
            raise ValueError(f"needs `port`: it is known of {', '.join(PORTS)} only")
        if "web.listen-address" in self.arguments:
            raise ValueError("`web.listen-address` is not among `arguments`: say `port`")
        return self

    @property
    def number(self) -> int:
        """The port it listens on."""
        return self.port or PORTS[self.name]

    @property
    def package(self) -> str:
        """The package, and what it brings: a program and a unit of that name."""
        return f"prometheus-{self.name}-exporter"

    @property
    def options(self) -> dict[str, bool | int | str]:
        """All that it is told."""
        found: dict[str, bool | int | str] = {"web.listen-address": f":{self.number}"}
        for given in self.given(NGINX_NUMBERS):
            found[SCRAPE_URI] = given.value
        return found | self.arguments

    @property
    def argv(self) -> list[str]:
        """What is run, without what /etc/default adds."""
        return [f"/usr/bin/{self.package}", *(_option(name, value) for name, value in self.options.items())]

    @property
    def unit(self) -> UnitFile:
        """Our drop-in for its unit."""
        # the first, empty value takes away what the package's own unit says
        started = ("", f"{systemd.command_line(self.argv)} $ARGS")
        text = systemd.text({"Service": {"ExecStart": started}})
        return UnitFile(self.kind, self.name, f"{self.package}.service", text, drop_in=True)

    @property
    def url(self) -> str:
        """Where it is asked on its own host."""
        return f"http://127.0.0.1:{self.number}/metrics"

    def provides(self) -> Iterable[Offer]:
        yield Offer(PORT, f"{self.number}/tcp", Port(str(self.number), clients=()))
        yield Offer(SERVICE, self.name, Service("metrics", self.number, metrics="/metrics"))

    def consumes(self) -> Iterable[Want]:
        yield Want("package", self.package, "name", "", exact=True, required=False)
        if self.name == "nginx":
            yield Want(NGINX_NUMBERS, "url", "name", "", exact=True, required=False)

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
        written = any("." in name for name in change.attributes)
        yield from self.unit.steps(change, written=written, settle=1)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (it has one)
        yield self.unit.start(settle=1)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield UnitFile("prometheus_exporter", name, f"prometheus-{name}-exporter.service").remove()

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        packages: dict[str, object] = {"prometheus-node-exporter": {}, "curl": {}}
        around = around_a_guest("132-exporter", {"apt_package": packages})
        first = {"port": 9100, "arguments": {"collector.zfs": False}}
        second = {"port": 19100, "arguments": {"collector.systemd": True, "web.max-requests": 10}}
        yield Samples("node", first, second, around, inside="132-exporter")


def _option(name: str, value: bool | int | str) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={value}"
