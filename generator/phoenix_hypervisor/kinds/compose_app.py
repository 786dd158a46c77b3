"""Apps in Docker."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictInt, StrictStr, model_validator

from ..budgets import GPU, TAKES, Takes
from ..compose.project import NAME, VARIABLE, Composed, named, ports_of, taken_down, undefined
from ..compose.samples import around_docker
from ..dialects import docker
from ..fields import RuleError
from ..firewall.ports import FACT, NOTHING, PORT, REACHES, Port, Reach
from ..resource import Offer, Refusal, Samples, Step, Want
from ..secrets import Secret
from ..services import ON_CARDS, SERVICE, USES, OnCards, Role, Service, Uses

RESTARTS = ("always", "unless-stopped", "on-failure")
Part = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")]
Variable = Annotated[str, Field(pattern=VARIABLE)]


class Served(BaseModel):
    """What is behind a port."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    role: Role | None = None
    """What it is for, so that others find it: `web` for pages."""
    health: Annotated[str, Field(pattern=r"^/[!-~]*$")] | None = None
    """The path that answers 200 when it works."""
    metrics: Annotated[str, Field(pattern=r"^/[!-~]*$")] = ""
    """The path of its metrics for Prometheus."""
    prefix: Annotated[str, Field(pattern=r"^(/[a-z0-9-]+)*/$")] = ""
    """Of role `web`: the path at which a gateway shows it, like `/webui/`."""
    model: str = ""
    """Of roles `chat` and `embeddings`: the name under which its model is served."""
    dimension: Annotated[int, Field(ge=1)] | None = None
    """Of role `embeddings`: how long they are."""
    clients: tuple[str, ...] | None = None
    """Who is to use it: addresses, networks, guests, `any`; without, firewalls ask a person (`expose`)."""


class ComposeApp(Composed):
    """An app in Docker: services of a project of Docker Compose, in a folder of ours below /srv/phoenix.

    `services`, `volumes` and `networks` are in Compose's own words. Images are named by digest, and fetched
    before anything is touched: when one cannot be had, what runs goes on. `env` gives the values of
    `${NAME}` in the services; secrets among them lie in a file that only root can read, and in the
    containers they are for. Containers are made anew only when what is declared of them is another; volumes
    are kept. A service that is declared no longer goes, and so do images that nobody uses any more. Other
    projects are left alone. When the app goes, its named volumes go with it, which must be allowed; files
    that it wrote into its folder stay.
    """

    manners: ClassVar[frozenset[str]] = frozenset({"serves", "ready_seconds", "gpu_memory_fraction"})

    name: Annotated[str, Field(pattern=NAME)]
    services: Annotated[dict[Part, dict[str, JsonValue]], Field(min_length=1)]
    volumes: dict[Part, dict[str, JsonValue]] = Field(default_factory=dict)
    networks: dict[Part, dict[str, JsonValue]] = Field(default_factory=dict)
    env: dict[Variable, StrictStr | StrictInt | Secret] = Field(default_factory=dict)
    serves: dict[Annotated[int, Field(ge=1, le=65535)], Served] = Field(default_factory=dict)
    """Published port → what is behind it."""
    uses: tuple[Uses, ...] = ()
    """To whom it connects: firewalls let it through, and `${OLLAMA_ADDRESS}` is where `ollama` is. With
    `role` and what belongs to it, the files are refused when nobody serves that there."""
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of a service with `gpus`: how much of each card of its guest it takes, added to others' shares."""
    ready_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """How long it may take until it runs, and answers."""

    @model_validator(mode="after")
    def _makes_sense(self) -> "ComposeApp":
        for name, service in self.services.items():
            _check(name, service)
        missing = undefined(self.services, [*self.env, *(use.variable for use in self.uses)])
        if missing:
            raise RuleError("V-43", f"`env` has no value for `{missing[0]}`, which the services name")
        for key in ("volumes", "networks"):
            for name, service in self.services.items():
                # every service is in Compose's own network
                always = {"default"} if key == "networks" else set()
                unknown = sorted(named(service, key) - {*getattr(self, key)} - always)
                if unknown:
                    said = f"service `{name}`: `{key}` of the app has no `{unknown[0]}`"
                    raise RuleError("V-43", said)
        published = {port.port for port in self.published}
        closed = sorted(self.serves.keys() - published)
        if closed:
            raise ValueError(f"no service publishes the port {closed[0]}: `ports: ['{closed[0]}:…']`")
        if len(published) < len(self.published):
            raise ValueError("two services publish one port")
        if self.gpu_memory_fraction is not None and not self.on_cards:
            raise ValueError("`gpu_memory_fraction` is for a service with `gpus: all`")
        wrong = [
            name for name, value in self.env.items() if isinstance(value, str) and set(value) & set("'\n")
        ]
        if wrong:
            raise ValueError(
                f"the value of `{wrong[0]}` has a ' or a line break: Compose cannot read that back"
            )
        return self

    @property
    def declared_services(self) -> Mapping[str, Mapping[str, Any]]:
        return self.services

    @property
    def declared_volumes(self) -> Mapping[str, Any]:
        return self.volumes

    @property
    def declared_networks(self) -> Mapping[str, Any]:
        return self.networks

    @property
    def variables(self) -> Mapping[str, str | Secret]:
        network = next((given.value for given in self.given(FACT[0])), NOTHING)
        addresses = {
            use.variable: next(iter(network.addresses.get(use.guest, ())), use.guest) for use in self.uses
        }
        own = {name: value if isinstance(value, Secret) else str(value) for name, value in self.env.items()}
        return {**addresses, **own}

    @property
    def patience(self) -> int:
        return self.ready_seconds

    @property
    def on_cards(self) -> bool:
        """Whether a service of it is given graphics cards."""
        return any(service.get("gpus") for service in self.services.values())

    @property
    def healths(self) -> list[str]:
        """The addresses that answer when it works."""
        return [f"http://127.0.0.1:{port}{one.health}" for port, one in self.serves.items() if one.health]

    def provides(self) -> Iterable[Offer]:
        yield from super().provides()
        for there in self.published:
            if there.everywhere:
                clients = self.serves.get(there.port, Served()).clients
                port_of = Port(str(there.port), there.proto, clients)
                yield Offer(PORT, port_of.key, port_of)
        roles = {port: one for port, one in self.serves.items() if one.role}
        for port, one in roles.items():
            service = Service(
                cast("Role", one.role),
                port,
                model=one.model,
                dimension=one.dimension,
                health=one.health or "",
                metrics=one.metrics,
                prefix=one.prefix,
            )
            yield Offer(SERVICE, self.name if len(roles) == 1 else f"{self.name}-{port}", service)
        for number, use in enumerate(self.uses):
            yield Offer(REACHES, use.guest, Reach(str(use.port)))
            if use.role is not None:
                yield Offer(USES, f"uses.{number}", use)
        share, field = self.gpu_memory_fraction, "gpu_memory_fraction"
        if share is not None:
            yield Offer(TAKES, GPU, Takes(share, field))
        if self.on_cards:
            yield Offer(ON_CARDS, self.name, OnCards(share=share, alone=share == 1, field=field))

    def consumes(self) -> Iterable[Want]:
        yield from super().consumes()
        if self.on_cards:
            # declared beside it, or brought by the layer, as the engine is
            yield Want("docker_gpus", "toolkit", "services", "", exact=True, required=False)
            yield Want("nvidia_userland", "version", "services", "", exact=True, required=False)
        if self.uses:
            yield Want(*FACT, "uses", "", exact=True, required=False)
        for number, use in enumerate(self.uses):
            missing = f"there is no guest `{use.guest}` on its node"
            yield Want("guest", use.guest, f"uses.{number}.guest", missing, "V-27", exact=True)

    def down(self, *, destroys: str = "") -> Step:
        return super().down(destroys=destroys or lost(self.name, self.volumes))

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield taken_down(cls.kind, name, destroys=lost(name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        older = (
            "traefik/whoami:v1.10.4@sha256:02d8fe035f170f91cbb5e458a57f4cefab747436f8244a0eb2d66785fe5e565f"
        )
        newer = (
            "traefik/whoami:v1.11.0@sha256:200689790a0a0ea48ca45992e0450bc26ccab5307375b41c84dfc4f2475937ab"
        )
        web = {
            "image": older,
            "ports": ["8080:80"],
            "environment": {"WHOAMI_NAME": "${NAME}", "KEY": "${KEY}"},
        }
        yield Samples(
            "sample",
            {
                "services": {"web": {**web, "volumes": ["data:/data"]}},
                "volumes": {"data": {}, "more": {}},
                "networks": {"inner": {}},
                "env": {"NAME": "first", "KEY": Secret("sample/first")},
                "serves": {8080: {"role": "web", "health": "/health", "prefix": "/sample/"}},
                "ready_seconds": 6,
            },
            {
                "services": {
                    "web": {**web, "image": newer, "volumes": ["data:/data", "more:/more"]},
                    "second": {"image": newer, "ports": ["127.0.0.1:8081:80"], "networks": ["inner"]},
                },
                "volumes": {"data": {}, "more": {}, "spare": {}},
                "networks": {"inner": {}, "spare": {}},
                "env": {"NAME": "second", "KEY": Secret("sample/second")},
                "uses": [{"guest": "app", "port": 8080}],
                "serves": {8080: {"role": "web", "health": "/health", "prefix": "/sample/"}},
                "ready_seconds": 6,
            },
            around_docker(GUEST),
            inside=GUEST,
        )


def _check(name: str, service: Mapping[str, Any]) -> None:
    """Raise ValueError for what of a service cannot be kept as it is declared."""
    image = service.get("image")
    if not isinstance(image, str) or not re.fullmatch(docker.PINNED, image):
        said = f"service `{name}`: `image` must name a digest: `name:tag@sha256:…`"
        raise RuleError("V-41", said)
    for key in ("build", "env_file", "extends", "profiles", "scale", "deploy"):
        if key in service:
            raise ValueError(f"service `{name}`: `{key}` is not understood here")
    if service.get("restart", "always") not in RESTARTS:
        raise ValueError(
            f"service `{name}`: `restart` is one of {', '.join(RESTARTS)}: what ends is no service"
        )
    tuple(ports_of(service))  # raises for what is no port


def lost(name: str, volumes: Iterable[str] | None = None) -> str:
    """Return what goes with an app: its named volumes, as far as they are known."""
    if volumes is None:
        return f"the volumes of the app {name}, if it has any"
    return f"the volumes {', '.join(sorted(volumes))} of the app {name}" if [*volumes] else ""


GUEST = "125-app"
