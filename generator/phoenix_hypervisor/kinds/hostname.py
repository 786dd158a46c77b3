"""A host's own name."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, run, script


def _address(text: str) -> str:
    found = str(ipaddress.ip_address(text))
    if found != text:
        raise ValueError(f"is written `{found}`")
    return text


Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=200)]


class Hostname(Kind):
    """The name of a host, as the files call it or as `static` says, and its line in /etc/hosts.

    A Proxmox node is never renamed: its guests lie in a folder of that name, its cluster and certificates
    go by it. That is said, and nothing is done. On any other host the name is set with `hostnamectl`. With
    `address`, the first line of /etc/hosts that has the name gets that address, and `domain`; further
    aliases on it and all other lines are left alone. A Proxmox node's address must not be a loopback one.
    When it is declared no longer, the line is put back as it was; the name stays.
    """

    scope = "host"
    singleton = True

    static: Label | None = None
    domain: Domain | None = None
    address: Annotated[str, AfterValidator(_address)] | None = None

    @model_validator(mode="after")
    def _domain_needs_a_line(self) -> "Hostname":
        if self.domain and not self.address:
            raise ValueError("`domain` is written beside an `address`: declare it as well")
        return self

    @property
    def label(self) -> str:
        """The name, without a domain."""
        return self.static or self.name

    @property
    def full(self) -> str:
        """The name with its domain, if it has one."""
        return f"{self.label}.{self.domain}" if self.domain else self.label

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, "line", "line.sh.j2")
        yield script(self.kind, "put-back", "put_back.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "node_name" in change:
            said = f"this Proxmox node is called {change['node_name'].actual}, and a node is never renamed"
            yield Refusal("node_name", f"{said}: correct the files, or install it anew under the other name")
            return
        if "node_address" in change:
            said = f"{self.address} is {change['node_address'].actual}"
            yield Refusal(
                "node_address",
                f"{said}: pve-cluster does not start with that, it needs one that others reach",
            )
            return
        if "static" in change:
            yield run("hostnamectl", "set-hostname", self.label)
        if self.address and (change.creates or {"address", "domain"} & change.attributes.keys()):
            write, _ = self.artifacts()
            yield Step(f"/etc/hosts: {self.address} {self.full}", execute=write)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:  # noqa: ARG003  (there is one for each host)
        yield Step(
            "/etc/hosts: the host's own line, as it was",
            execute=script("hostname", "put-back", "put_back.sh.j2"),
        )

    @classmethod
    def samples(cls) -> Samples:
        return Samples(
            "",
            {"static": "pve1", "domain": "example.org", "address": "10.0.0.13"},
            {"static": "pve1", "domain": "example.net", "address": "10.0.0.14"},
            refused=({"static": "other"}, {"address": "127.0.1.1"}),
        )
