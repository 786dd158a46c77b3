"""Lines of /etc/hosts."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ..dialects import hosts
from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, made, script


def _address(text: str) -> str:
    found = str(ipaddress.ip_address(text))
    if found != text:
        raise ValueError(f"is written `{found}`")
    return text


Name = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=253)
]


class HostsEntry(Kind):
    """A line of /etc/hosts, named by its address: the names that mean it, the canonical one first.

    All other lines are left alone, those of installers and of Proxmox among them. A name that another line
    gives to another address is reported, and nothing is done. What other lines say already is not said
    again.
    """

    scope = "host"

    name: Annotated[str, AfterValidator(_address)]
    names: Annotated[tuple[Name, ...], Field(min_length=1)]

    @property
    def line(self) -> hosts.Line:
        """The line as it reads back."""
        return hosts.Line(self.name, self.names)

    @property
    def note(self) -> str:
        """The path of our note: the line as we wrote it."""
        return note_of(self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name.replace(":", "."), "line.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "foreign" in change:
            said = f"another line of /etc/hosts says {change['foreign'].actual}"
            yield Refusal("foreign", f"{said}: take it out there, or declare what it says")
            return
        write, _ = self.artifacts()
        yield Step(f"/etc/hosts: {self.name} {' '.join(self.names)}", execute=write)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"/etc/hosts: our line for {name} goes",
            execute=script("hosts_entry", "remove", "remove.sh.j2"),
            arguments=(note_of(name),),
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples(
            "192.0.2.7",
            {"names": ["nas.example.org", "nas"]},
            {"names": ["nas.example.org", "nas", "backup"]},
        )
        yield Samples("2001:db8::7", {"names": ["six.example.org"]}, {"names": ["seven.example.org"]})


def note_of(name: str) -> str:
    """Return the path of our note for an address; a colon would end the path where a check reads it."""
    return made("hosts_entry", name.replace(":", "_"))
