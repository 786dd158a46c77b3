"""Kernel parameters."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from ..dialects import sysctl
from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, run


def _key(name: str) -> str:
    if sysctl.key(name) != name:
        raise ValueError(f"is written `{sysctl.key(name)}`")
    return name


def _number(value: Any) -> Any:
    # true and false are refused: a parameter is 1 or 0, and `yes` is one for YAML 1.1 only
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Value = Annotated[
    str, BeforeValidator(_number), Field(pattern=r"^[!-~]([ -~\t]*[!-~])?$"), AfterValidator(sysctl.value)
]


class Sysctl(Kind):
    """A kernel parameter, named as sysctl(8) prints it: now, and at every boot.

    The running kernel gets the value first: one that it refuses is not written down. For the boot there is
    a file of ours in /etc/sysctl.d that is read last. Files of others are left alone. When it is declared
    no longer, the file goes, and the running kernel keeps the value until the next boot. In a container,
    only what belongs to its own namespaces (most of `net.`) can be set.
    """

    scope = "host"

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9_*:/-]+)+$"), AfterValidator(_key)]
    value: Value

    @property
    def file(self) -> str:
        """Our file for it."""
        return file_of(self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "parameter.conf.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        if "all_files" in change and "boot" not in change:
            # ours is right, so it is not the last word
            found = f"{self.name} = {change['all_files'].actual}"
            yield Refusal(
                "all_files", f"a file that is read after {self.file} says {found}: take it out there"
            )
            return
        if change.creates or "running" in change:
            yield run("sysctl", "-w", f"{self.name}={self.value}")
        if change.creates or "boot" in change:
            yield Step(f"write {self.file}", push=next(iter(self.artifacts())))

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", file_of(name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples("vm.swappiness", {"value": 10}, {"value": 1})
        yield Samples(
            "net.ipv4.tcp_rmem", {"value": "4096 131072 6291456"}, {"value": "4096 131072 33554432"}
        )


def file_of(name: str) -> str:
    """Return the path of our file: systemd reads files by their names, and the last one counts."""
    return f"/etc/sysctl.d/zz-phoenix-{name.replace('/', '%')}.conf"
