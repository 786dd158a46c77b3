"""Qdrant, the vector store."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from ..compose.project import Composed, taken_down
from ..compose.samples import around_docker
from ..dialects import docker
from ..fields import AbsolutePath
from ..firewall.ports import PORT, Port
from ..resource import Artifact, Change, Offer, Refusal, Samples, Step, Want, script
from ..secrets import Secret, Text
from ..services import SERVICE, Service

STORAGE = "/qdrant/storage"
"""Where the image has its data."""
HTTP, GRPC = 6333, 6334
"""Its ports inside the container."""
KEY = "QDRANT_API_KEY"
SCRATCH = "phoenix-probe"
"""The collection of the probe: made, and removed again."""


class Collection(BaseModel):
    """A collection that there must be."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    dimension: Annotated[int, Field(ge=1, le=65536)]
    """How long its vectors are: as long as what the embeddings' model gives."""
    distance: Literal["Cosine", "Dot", "Euclid", "Manhattan"] = "Cosine"

    @property
    def said(self) -> str:
        """The same in a word."""
        return f"{self.dimension} {self.distance}"


class Qdrant(Composed):
    """Qdrant in Docker, one on a host: its data in a folder of the host, which outlives container and image.

    The image is named by digest. Declared collections are made where they are missing; one that is there
    with another length of vectors is reported and left alone, and so are all others. When it is declared no
    longer, its container goes; the data are never touched. Its probe writes a point into a collection of
    its own, reads it, and removes both.
    """

    singleton = True
    manners: ClassVar[frozenset[str]] = frozenset({"ready_seconds"})

    image: Annotated[str, Field(pattern=docker.PINNED)]
    storage: AbsolutePath = STORAGE
    """The folder of the host with its data: in a container, a volume of its own (`mounts`)."""
    api_key: Secret | None = None
    """Without it, whoever reaches the port may do everything."""
    http_port: Annotated[int, Field(ge=1, le=65535)] = HTTP
    grpc_port: Annotated[int, Field(ge=1, le=65535)] = GRPC
    collections: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")], Collection] = Field(
        default_factory=dict
    )
    settings: dict[
        Annotated[str, Field(pattern=r"^QDRANT__[A-Z0-9_]+$")], StrictBool | StrictInt | StrictStr
    ] = Field(default_factory=dict)
    """Further settings, as its environment has them: `QDRANT__STORAGE__ON_DISK_PAYLOAD: true`."""
    ready_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """How long it may take until it has read its data and answers."""

    @model_validator(mode="after")
    def _two_ports(self) -> "Qdrant":
        if self.http_port == self.grpc_port:
            raise ValueError("`http_port` and `grpc_port` are two ports")
        own = [name for name in self.settings if name in self._environment(own=True)]
        if own:
            raise ValueError(f"`{own[0]}` has a setting of its own here")
        if SCRATCH in self.collections:
            raise ValueError(f"the collection `{SCRATCH}` is the probe's")
        return self

    @property
    def project(self) -> str:
        return "qdrant"

    @property
    def address(self) -> str:
        """Where it answers, on its host."""
        return f"http://127.0.0.1:{self.http_port}"

    def _environment(self, *, own: bool = False) -> dict[str, str]:
        more = {} if own else {name: _text(value) for name, value in self.settings.items()}
        key = {"QDRANT__SERVICE__API_KEY": f"${{{KEY}}}"} if self.api_key or own else {}
        # beside the collections, so that snapshots outlive the container as well
        return {
            "QDRANT__STORAGE__SNAPSHOTS_PATH": f"{STORAGE}/snapshots",
            "QDRANT__TELEMETRY_DISABLED": "true",
            **key,
            **more,
        }

    @property
    def declared_services(self) -> Mapping[str, Mapping[str, Any]]:
        service = {
            "image": self.image,
            "container_name": "qdrant",
            "ports": [f"{self.http_port}:{HTTP}", f"{self.grpc_port}:{GRPC}"],
            "volumes": [{"type": "bind", "source": self.storage, "target": STORAGE}],
            "environment": self._environment(),
        }
        return {"qdrant": service}

    @property
    def variables(self) -> Mapping[str, str | Secret]:
        return {KEY: self.api_key} if self.api_key else {}

    @property
    def patience(self) -> int:
        return self.ready_seconds

    @property
    def key_line(self) -> Text:
        """What scripts and checks read on stdin: the key, or an empty line."""
        return Text(self.api_key, "\n") if self.api_key else Text("\n")

    def provides(self) -> Iterable[Offer]:
        yield from super().provides()
        for port in (self.http_port, self.grpc_port):
            yield Offer(PORT, f"{port}/tcp", Port(str(port)))
        yield Offer(
            SERVICE,
            self.name,
            Service(
                "vector-store",
                self.http_port,
                collections={name: one.dimension for name, one in self.collections.items()},
                health="/readyz",
                # with a key it asks for that there as well, and nobody who reads metrics has it
                metrics="" if self.api_key else "/metrics",
            ),
        )

    def consumes(self) -> Iterable[Want]:
        yield from super().consumes()
        # on a node, its dataset; in a guest, a rule looks at the guest's mounts
        yield Want("path", self.storage, "storage", "", required=False)
        yield Want("volume", self.storage, "storage", "", exact=True, required=False)

    @property
    def _collections(self) -> Artifact:
        return script(self.kind, "collections", "collections.sh.j2")

    def artifacts(self) -> Iterable[Artifact]:
        yield from super().artifacts()
        yield self._collections

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        wrong = {
            name: found
            for name, found in change.attributes.items()
            if name.startswith("collection ") and found.actual != "missing"
        }
        for name, found in wrong.items():
            said = f"{name.partition(' ')[2]} is {found.actual}, not {found.desired}"
            yield Refusal(
                name, f"{said}: its vectors would be lost; fill another one, and remove it yourself"
            )
        if wrong:
            return
        yield from super().converge(change)
        missing = [name.partition(" ")[2] for name in change.attributes if name.startswith("collection ")]
        wanted = list(self.collections) if change.creates else missing
        if not change.removes and (change.creates or wanted) and "foreign" not in change:
            said = f", make {', '.join(wanted)} where missing" if wanted else ""
            yield Step(
                f"wait until {self.address} answers{said}",
                execute=self._collections,
                stdin=self.key_line,
                lasts=True,
            )

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield taken_down(cls.kind, "qdrant")

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        older = "sha256:6ac4807063bbecddca0250bfbcff52acf18c22263b904d12919349e6d0a408f1"
        newer = "sha256:0fb8897412abc81d1c0430a899b9a81eb8328aa634e7242d1bc804c1fe8fe863"
        first: dict[str, Any] = {
            "image": f"qdrant/qdrant:v1.15.4@{older}",
            "storage": "/qdrant/storage",
            "api_key": Secret("sample/first"),
            "collections": {"notes": {"dimension": 768}},
            "ready_seconds": 6,
        }
        second: dict[str, Any] = {
            "image": f"qdrant/qdrant:v1.15.5@{newer}",
            "storage": "/qdrant/elsewhere",
            "api_key": Secret("sample/second"),
            "http_port": 16333,
            "grpc_port": 16334,
            "collections": {"notes": {"dimension": 768}, "code": {"dimension": 384, "distance": "Dot"}},
            "settings": {"QDRANT__LOG_LEVEL": "WARN"},
            "ready_seconds": 6,
        }
        refused = ({"collections": {"notes": {"dimension": 1024}}},)
        mounts = {"/qdrant": {"storage": "tank-disks", "size": "1G"}}
        around = around_docker(GUEST, mounts=mounts)
        yield Samples("", first, second, around, refused, GUEST, frozenset({"collections"}))


GUEST = "126-qdrant"


def _text(value: bool | int | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
