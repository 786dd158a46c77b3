"""Prometheus: it asks all services of the site for their numbers, and keeps them."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..containers.samples import around_a_guest
from ..dialects import prometheus, systemd
from ..firewall.ports import FACT, NOTHING, PORT, REACHES, Network, Port, Reach
from ..gateway.settings import Client
from ..resource import (
    EVERY,
    PENDING_FOLDER,
    Artifact,
    Change,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    reload,
    run,
)
from ..services import METRICS, SERVICE, Service
from ..units import UnitFile, scripts

UNIT = "prometheus"
CONFIG = "/etc/prometheus/phoenix.yml"
RULES = "/etc/prometheus/phoenix-rules.yml"
TOLD = f"{PENDING_FOLDER}/{UNIT}"
"""Our note that it is still to be told of a change of its files."""
OURS = ("global ", "job ", "target ", "rule_files", "rules", "config")
"""How the attributes begin that are about our files."""
LOOPBACK = "127.0.0.1"
GUEST = "133-monitoring"


class PrometheusServer(Kind):
    """Prometheus of the distribution's, with a configuration of ours beside the package's own.

    What it scrapes follows from what is declared anywhere on the site: every service that has metrics, and
    every `prometheus_exporter`. A target is called after its guest or node and its resource
    (`vllm-chat/chat`), its job after its kind, or its exporter. promtool must accept rules and configuration
    before they take their place; a change is told by a reload. The package's own prometheus.yml, what
    /etc/default says, and all data are left alone; it runs with its own configuration again when ours goes.
    The package is for `apt_package` to declare. Its probes ask it whether it runs by our files, and whether
    each target is up; one that is down is named, with the reason, and is for its own kind to heal.
    """

    singleton: ClassVar[bool] = True
    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"clients", "probe_seconds"})

    port: Annotated[int, Field(ge=1, le=65535)] = 9090
    clients: tuple[Client, ...] = ()
    """Whom the firewall lets in: whoever gets in may read everything."""
    scrape_seconds: Annotated[int, Field(ge=1, le=3600)] = 15
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 30
    rules: Annotated[str, Field(min_length=1)] | None = None
    """Alerts, as a whole file of Prometheus's: mostly `!file`."""
    probe_seconds: Annotated[int, Field(ge=1, le=240)] = 60
    """How long it is waited for until every target was asked."""

    # What it is made of

    @property
    def network(self) -> Network:
        """What the files say of all hosts."""
        return next((given.value for given in self.given(FACT[0])), NOTHING)

    @property
    def _scraped(self) -> dict[tuple[str, str], tuple[str, Service]]:
        """Host and name → the job, and the service: of all that have metrics and are no layer's."""
        layers = {given.value.name for given in self.given("guest") if given.value.layer}
        return {
            (given.ref.host, given.ref.name): (
                given.key if given.value.role == "metrics" else given.ref.kind,
                given.value,
            )
            for given in self.given(SERVICE)
            if given.ref is not None and given.ref.host not in layers and given.value.metrics
        }

    def _address(self, host: str) -> str:
        if host == self.name:
            return LOOPBACK
        return next(iter(self.network.addresses.get(host, ())), "")

    @property
    def targets(self) -> tuple[prometheus.Target, ...]:
        """All that it asks."""
        found = []
        for (host, name), (job, service) in self._scraped.items():
            address = self._address(host)
            if address:
                place = f"{f'[{address}]' if ':' in address else address}:{service.port}"
                # the one resource of its sort on a host is called after that host
                called = host if name == host else f"{host}/{name}"
                found.append(prometheus.Target(job, called, place, service.metrics, service.scheme))
        return tuple(sorted(found))

    @property
    def unreached(self) -> tuple[str, ...]:
        """Hosts with metrics and without a static address by which they could be asked."""
        return tuple(sorted({host for host, _ in self._scraped if not self._address(host)}))

    @property
    def document(self) -> dict[str, object]:
        """All that its configuration says."""
        return prometheus.document(self.targets, self.scrape_seconds, [RULES] if self.rules else [])

    @property
    def config(self) -> str:
        """The same as its file has it."""
        return prometheus.text(self.document)

    @property
    def unit(self) -> UnitFile:
        """Our drop-in for its unit."""
        argv = [
            "/usr/bin/prometheus",
            f"--config.file={CONFIG}",
            f"--storage.tsdb.retention.time={self.retention_days}d",
            f"--web.listen-address=:{self.port}",
        ]
        # the first, empty value takes away what the package's own unit says
        started = ("", f"{systemd.command_line(argv)} $ARGS")
        text = systemd.text({"Service": {"ExecStart": started}})
        return UnitFile(self.kind, "server", f"{UNIT}.service", text, drop_in=True)

    @property
    def address(self) -> str:
        """Where it answers, on its host."""
        return f"http://{LOOPBACK}:{self.port}"

    # What it has to do with others

    def provides(self) -> Iterable[Offer]:
        yield Offer(PORT, f"{self.port}/tcp", Port(str(self.port), clients=self.clients))
        yield Offer(REACHES, EVERY, Reach(METRICS))

    def consumes(self) -> Iterable[Want]:
        yield Want("package", "prometheus", "port", "", exact=True, required=False)
        yield Want(*FACT, "scrape_seconds", "", exact=True, required=False)
        yield Want("guest", EVERY, "scrape_seconds", "", required=False)
        yield Want(SERVICE, EVERY, "scrape_seconds", "", required=False, where="site", soft=True)

    # What is done

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(CONFIG, "prometheus.yml.j2")
        if self.rules:
            yield Artifact(RULES, "rules.yml.j2")
        yield Artifact(self.unit.path, "unit.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{change['foreign'].actual}: move it away")
            return
        names = change.attributes.keys()
        written = change.creates or any(name.startswith("Service.") for name in names)
        told = change.creates or any(name.startswith(OURS) for name in names)
        if told:
            yield from self._files()
        if "rules" in change and not self.rules:
            yield run("rm", "-f", RULES)
        if written:
            yield self.unit.write()
        elif "daemon_reload" in change:
            yield run("systemctl", "daemon-reload")
        enable = change.creates or "enabled" in change
        if written or names & {"active", "waiting"}:
            fresh = change.creates or "active" in change
            yield self.unit.start(settle=2, enable=enable, fresh=fresh)
            yield run("rm", "-f", TOLD)
        elif told or names & {"enabled", "loaded"}:
            yield reload(UNIT)

    def _files(self) -> Iterator[Step]:
        config, *rest = self.artifacts()
        if self.rules:
            check = 'promtool check rules "$candidate"'
            yield Step(f"write {RULES}, once promtool takes it", push=rest[0], check=check, pending=UNIT)
        check = 'promtool check config "$candidate"'
        yield Step(f"write {CONFIG}, once promtool takes it", push=config, check=check, pending=UNIT)

    def heal(self, probe: str) -> Iterator[Step]:
        if probe == "test_ready":  # a target that is down is for its own kind to heal
            yield self.unit.start(settle=2)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one on a host)
        yield UnitFile("prometheus_server", "server", f"{UNIT}.service").remove()
        yield run("rm", "-f", CONFIG, RULES, TOLD)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        packages: dict[str, object] = {"prometheus": {}, "prometheus-node-exporter": {}, "curl": {}}
        inside = {"apt_package": packages, "prometheus_exporter": {"node": {}}}
        rule = """groups:
  - name: sample
    rules:
      - alert: Down
        expr: up == 0
        for: {}m
"""
        first = {"rules": rule.format(5), "clients": ["any"], "probe_seconds": 3}
        second = {
            "port": 19090,
            "scrape_seconds": 30,
            "retention_days": 7,
            "rules": rule.format(10),
            "probe_seconds": 4,
        }
        yield Samples("", first, second, around_a_guest(GUEST, inside), inside=GUEST)
