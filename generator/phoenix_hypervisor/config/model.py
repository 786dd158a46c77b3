"""The parts of a site's files that are not resources: the site's head, a node's head, its hardware."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ..fields import Size
from ..secrets import Secret
from ..secretstore.settings import SecretSettings


class Section(BaseModel):
    """A section of a file: unknown keys are refused, input is never echoed in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Allow(Section):
    """What the site allows in writing although a rule would refuse it."""

    quota_overcommit: Annotated[float, Field(ge=1, le=10)] = 1.0
    """How far the quotas of a pool's datasets may exceed its usable size: 1.2 is 20 % more."""
    memory_overcommit: Annotated[float, Field(ge=1, le=10)] = 1.0
    """How far the ARC and the guests that start with a node may exceed its memory."""
    guests_without_backup: list[str] | None = None
    """When given: every guest that is neither named here nor a layer must be in a backup job."""
    literals: list[str] = []
    """Resources (`kind:name`, with or without `host/`) whose text looks like a secret and is none."""


class Notice(Section):
    """Who is told by `phoenix watch`: exactly one of the two."""

    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = None
    """A program and its arguments; the news comes as JSON on its stdin."""
    webhook: Secret | Annotated[str, Field(pattern=r"^https?://[^\s\"]+$")] | None = None
    """A URL; the news is posted there as JSON. `!secret NAME` when the URL itself is one."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Notice":
        if (self.command is None) == (self.webhook is None):
            raise PydanticCustomError("one_way", "needs either `command` or `webhook`")
        return self


class Watch(Section):
    """What `phoenix watch` does while nobody looks."""

    interval_seconds: Annotated[float, Field(ge=1)] = 300
    """Between two looks at a node; a tenth more or less, so that nodes are not asked all at once."""
    converge: Literal["nothing", "hot", "reload"] = "nothing"
    """Up to which effect differences are repaired. Nothing that restarts or destroys ever is."""
    notify: list[Notice] = []
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where Prometheus may ask the watcher for metrics; nowhere, unless it is given."""
    metrics_address: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    report_to: Literal["here", "everyone"] = "here"
    """Who may read the report beside the metrics: this machine, or whoever reaches the port."""


MirroredPrefix = Annotated[str, Field(pattern=r"^https?://[^@\s]+/$")]
MirrorAddress = Annotated[str, Field(pattern=r"^(https?://[^@\s]+|file:///[^\s]*)/$")]
"""Both end in a slash: no name is taken for the beginning of another. Neither holds a password."""


class SiteHead(Section):
    """configs/site.yaml: names, defaults, allowances, where secrets come from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    defaults: dict[str, Any] = {}
    """Sections merged under every node's own, in the shape of a node file."""
    guest_defaults: dict[str, Any] = {}
    """The same for guests, in the shape of a guest file."""
    allow: Allow = Allow()
    secrets: SecretSettings = SecretSettings()
    watch: Watch = Watch()
    mirrors: dict[MirroredPrefix, MirrorAddress] = {}
    """Beginning of an address → what takes its place in all downloads; the longest that fits wins."""


class Disk(Section):
    """A disk of the node, by the name below /dev/disk/by-id."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]*$")]
    size: Size
    serial: str = ""
    model: str = ""


class Gpu(Section):
    """A graphics card of the node, by PCI address."""

    pci: Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$")]
    model: str = ""
    memory: Size | None = None
    uuid: Annotated[str, Field(pattern=r"^(GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$")] = ""
    """As `nvidia-smi -L` prints it."""
    owner: Literal["host", "vfio"] = "host"
    """Who has it: the node's driver, and with it containers; or vfio, and with it one virtual machine."""


class Hardware(Section):
    """What the machine is. Budgets are added up against it; the lab builds its node from it."""

    cpu: str = ""
    threads: Annotated[int, Field(ge=1)] | None = None
    memory: Size | None = None
    disks: dict[str, Disk] = {}
    gpus: dict[str, Gpu] = {}


class NodeHead(Section):
    """The part of configs/nodes/<node>.yaml that is not resources."""

    profiles: list[str] = []
    hardware: Hardware = Hardware()


class GuestHead(Section):
    """The part of configs/guests/<vmid>-<name>.yaml that is not resources."""

    node: str | None = None
    """The node it lives on; may be left out where there is only one."""
    profiles: list[str] = []


class InventoryEntry(Section):
    """A host, a group or the defaults of inventory/: how to reach a node, nothing else (Nornir's fields)."""

    hostname: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    username: str | None = None
    groups: list[str] = []
    data: "Reach" = Field(default_factory=dict, validate_default=True)


class Reach(Section):
    """Nornir's `data` of an entry: which transport, and how patient it is."""

    transport: str | None = None
    sudo: bool | None = None
    connect_seconds: Annotated[float, Field(gt=0)] | None = None
    command_seconds: Annotated[float, Field(gt=0)] | None = None
    reboot_seconds: Annotated[float, Field(gt=0)] | None = None
    ssh_options: list[Annotated[str, Field(pattern=r"^[A-Za-z]+=.+$")]] | None = None
    api: "ApiReach | None" = None


class ApiReach(Section):
    """A node's API, for those verbs that can read it."""

    url: str
    """`https://HOST:8006`."""
    token_id: Annotated[str, Field(pattern=r"^[^\s@!:/]+@[A-Za-z][A-Za-z0-9._-]*![A-Za-z][A-Za-z0-9._-]+$")]
    """`user@realm!name`: a token that may only look, as with the role PVEAuditor at `/`."""
    token_secret: str
    """The name of the secret that holds the token's value."""
    ca_file: str | None = None
    """Certificates that are believed, in the site: the node's /etc/pve/pve-root-ca.pem."""
    fingerprint: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:?){32}$")] | None = None
    """The SHA-256 of the certificate that is believed, as `pvenode cert info` prints it."""
