"""Rotation of log files."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..dialects import logrotate
from ..fields import Size
from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, Want, run

ACCEPTED = """\
said=$(logrotate -d "$candidate" 2>&1) || [ $? -eq 1 ] || { printf '%s\\n' "$said" >&2; exit 1; }
if printf '%s\\n' "$said" | grep '^error: ' | grep -v '^error: stat of ' >&2; then exit 1; fi"""
"""logrotate says what it does not understand, and ends with 0 all the same (3.21). A log may be missing."""


def _lines(text: str) -> str:
    if any(line.strip() in (logrotate.END, "}") for line in text.splitlines()):
        raise ValueError(f"must not hold a line `{logrotate.END}` or a brace alone on a line")
    return "\n".join(line.strip() for line in text.strip().splitlines())


Path = Annotated[str, Field(pattern=r"^/[^\s\"'{}#\\]+$")]
Script = Annotated[str, Field(min_length=1), AfterValidator(_lines)]


class Logrotate(Kind):
    """How logs are rotated: a section in a file of its own in /etc/logrotate.d.

    logrotate itself must understand the file before it takes its place. A log that somebody else's file
    rotates already is reported, for logrotate then leaves out one of the two; files of others, and the
    logs themselves, are left alone. Missing and empty logs are passed over.
    """

    scope = "host"

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    paths: Annotated[tuple[Path, ...], Field(min_length=1)]
    frequency: Literal["hourly", "daily", "weekly", "monthly", "yearly"] = "weekly"
    rotate: Annotated[int, Field(ge=0, le=1000)] = 4
    """How many old logs are kept."""
    maxsize: Size | None = None
    """Rotate earlier when the log is larger than this."""
    compress: bool = True
    """Compress old logs, but for the youngest, which a program may still write to."""
    copytruncate: bool = False
    """Copy and empty the log, for a program that cannot be told to open a new one."""
    create: Annotated[str, Field(pattern=r"^0?[0-7]{3} [a-z_][a-z0-9_-]* [a-z_][a-z0-9_-]*$")] | None = None
    """Mode, owner and group of the new log: `0640 root adm`."""
    su: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]* [a-z_][a-z0-9_-]*$")] | None = None
    """User and group to do it as, for a folder that others may write to."""
    postrotate: Script | None = None
    """Shell to run afterwards, once for all logs."""

    @property
    def directives(self) -> dict[str, str]:
        """The directives of the section: name → value."""
        found = {self.frequency: "", "rotate": str(self.rotate), "missingok": "", "notifempty": ""}
        found |= {"compress": "", "delaycompress": ""} if self.compress else {"nocompress": ""}
        given = {
            "maxsize": str(self.maxsize) if self.maxsize is not None else None,
            "create": self.create,
            "su": self.su,
            "copytruncate": "" if self.copytruncate else None,
            "sharedscripts": "" if self.postrotate else None,
            "postrotate": self.postrotate,
        }
        return found | {name: value for name, value in given.items() if value is not None}

    @property
    def file(self) -> str:
        """Our file for it."""
        return file_of(self.name)

    def consumes(self) -> Iterable[Want]:
        yield Want("package", "logrotate", "name", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "section.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
        elif set(change.attributes) - {"verdict"}:
            yield Step(f"write {self.file}", push=next(iter(self.artifacts())), check=ACCEPTED)
        else:
            said = f"logrotate says: {change['verdict'].actual}"
            yield Refusal("verdict", f"{said}; look who else rotates it")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield run("rm", "-f", file_of(name))

    @classmethod
    def samples(cls) -> Samples:
        first = {"paths": ["/var/log/sample/*.log"], "frequency": "weekly", "rotate": 4, "compress": True}
        first |= {"maxsize": "10M", "create": "0640 root adm", "su": "root adm", "postrotate": "true"}
        second = {"paths": ["/var/log/other/*.log"], "frequency": "daily", "rotate": 14, "compress": False}
        second |= {
            "maxsize": "1M",
            "create": "0600 root root",
            "su": "root root",
            "postrotate": "true one\ntrue",
        }
        return Samples("sample", first | {"copytruncate": False}, second | {"copytruncate": True})


def file_of(name: str) -> str:
    """Return the path of our file."""
    return f"/etc/logrotate.d/phoenix-{name}"
