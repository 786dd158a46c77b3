"""What can be declared of a gateway, in parts."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from ..dialects import x509
from ..fields import AbsolutePath, Size
from ..firewall.words import is_network
from ..secrets import Secret

HEALTH = "/healthz"
"""The gateway's own answer that it works: no route can be there."""


def _path(text: str) -> str:
    if not text.startswith("/") or "//" in text or "/../" in f"{text}/" or "/./" in f"{text}/":
        raise ValueError("must be a path like `/v1/embeddings`, or `/app/` for all below it")
    if text == HEALTH:
        raise ValueError(f"`{HEALTH}` is the gateway's own")
    return text


def _address_or_name(text: str) -> str:
    name = text.removeprefix("*.")
    if ":" in text and not is_network(text):
        raise ValueError("must be a host name, `*.` and one, or an address")
    if name.startswith(".") or name.endswith(".") or ".." in name or len(name) > 253:
        raise ValueError("must be a host name, `*.` and one, or an address")
    return text.lower()


def _pem(text: str) -> str:
    x509.read(text)
    return text if text.endswith("\n") else f"{text}\n"


RoutePath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$"), AfterValidator(_path)]
"""A path; with a `/` at the end all below it, otherwise itself alone."""
ServerName = Annotated[
    str, Field(pattern=r"^(\*\.)?[A-Za-z0-9_.-]+$|^[0-9A-Fa-f:.]+$"), AfterValidator(_address_or_name)
]
PortNumber = Annotated[StrictInt, Field(ge=1, le=65535)]
Seconds = Annotated[StrictInt, Field(ge=1, le=86400)]
Client = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:/_-]+$")]
"""An address, a network, `any`, the name of a guest or node, or an alias of the firewall's."""
Pem = Annotated[str, AfterValidator(_pem)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class Destination(_Settings):
    """Where a path or a name leads: a declared service, a URL, or nowhere."""

    service: Annotated[str, Field(pattern=r"^[a-z0-9-]+(/[A-Za-z0-9._-]+)?$")] | None = None
    """`GUEST/NAME`, or `GUEST` where it has only one."""
    url: Annotated[str, Field(pattern=r"^https?://[^/\s$\"';{}#\\?@]+(/[A-Za-z0-9._~/-]*)?$")] | None = None
    """`http://NAME:8080`, where NAME is a guest's, a node's or an address. A certificate is not checked."""
    off: StrictBool = False
    """There is no such route, whatever is declared."""
    strip: StrictBool | None = None
    """Whether the backend is asked without the prefix; true for a path that ends with `/`."""
    open: StrictBool | None = None
    """Whether no token is asked for; true for web applications, which have people log in themselves."""
    max_body: Size | None = None
    read_seconds: Seconds | None = None
    check: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/?&=%-]*$")] | None = None
    """The path, as the backend knows it, whose answer shows that the route works."""

    @model_validator(mode="after")
    def _one_end(self) -> "Destination":
        if [self.service is not None, self.url is not None, self.off].count(True) != 1:
            raise ValueError("needs one of `service`, `url` and `off: true`")
        return self


class Tls(_Settings):
    """The certificate: files of the host, content of the site, or one that the host makes for itself."""

    certificate_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    certificate: Pem | Secret | None = None
    """PEM, the server's own certificate first, then those between it and the root."""
    key: Secret | None = None
    self_signed_days: Annotated[int, Field(ge=2, le=825)] | None = None
    """The host makes a certificate that holds so long, and a new one when a third of that is left."""
    min_version: Annotated[str, Field(pattern=r"^1\.[23]$")] = "1.2"
    redirect: StrictBool = True
    """Whether whoever comes without TLS is sent to it; otherwise both are served."""
    hsts_seconds: Annotated[int, Field(ge=0, le=63072000)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Tls":
        pairs = [(self.certificate_file, self.key_file), (self.certificate, self.key)]
        whole = [None not in pair for pair in pairs] + [self.self_signed_days is not None]
        parts = [pair != (None, None) for pair in pairs] + [self.self_signed_days is not None]
        if whole.count(True) != 1 or parts.count(True) != 1:
            raise ValueError(
                "needs `certificate_file` and `key_file`, or `certificate` and `key`, or `self_signed_days`"
            )
        return self


class RateLimit(_Settings):
    """How often one address may ask."""

    per_second: Annotated[int, Field(ge=1, le=100000)]
    burst: Annotated[int, Field(ge=0, le=100000)] = 20
    """How many more at once."""


class Status(_Settings):
    """nginx's own numbers (`/stub_status`), for those who are named; without any for the host itself."""

    port: PortNumber = 8081
    clients: tuple[Client, ...] = ()
