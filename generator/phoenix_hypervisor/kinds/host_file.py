"""Files with a content of ours."""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from ..dialects.exports import slug
from ..fields import AbsolutePath, Account, Mode
from ..resource import (
    PENDING_FOLDER,
    STATE_FOLDER,
    Artifact,
    Change,
    Effect,
    Kind,
    Offer,
    Refusal,
    Samples,
    Step,
    Want,
    made,
    run,
    script,
)
from ..secrets import Secret, Text

END = "\n-- the file ends here --\n"
"""Sent behind the content: a connection that breaks must not leave half a file in its place."""
NOT_OURS = ("/etc/pve", "/proc", "/sys", "/dev", STATE_FOLDER)
"""What is no place for files of ours: Proxmox's own file system, the kernel's, our notes."""


def _place_for_files(path: str) -> str:
    for folder in NOT_OURS:
        if path == folder or path.startswith(f"{folder}/"):
            raise ValueError(f"must not lie below {folder}")
    return path


def _text(content: str) -> str:
    if "\0" in content:
        raise ValueError("must be text, without NUL")
    return content


Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.@-]*$")]
Blank = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class OnChange(BaseModel):
    """What is done after the file has changed; a unit that does not run is left alone. One of the two."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    reload: Unit | None = None
    restart: Unit | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "OnChange":
        if (self.reload is None) == (self.restart is None):
            raise ValueError("needs one of `reload` and `restart`")
        return self

    @property
    def unit(self) -> str:
        """The unit it is about."""
        return self.reload or self.restart or ""

    @property
    def verb(self) -> str:
        """The word systemctl(1) has for it."""
        return "try-reload-or-restart" if self.reload else "try-restart"


class HostFile(Kind):
    """A file with this content, on a node or in a guest, named by its path.

    In `content`, `@NAME@` stands for the value `NAME` of `values`, which may be a secret. Content with
    a secret in it is compared by a digest with a key drawn for the run, and travels on stdin. Without
    `mode` it is 0644, with a secret in it 0600. Somebody else's file at that path is left alone and
    reported, unless `overwrite` allows to take it over; it is kept, and put back when ours goes. The
    file takes its place by a rename: what lies behind a symbolic link is never touched.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"on_change", "overwrite"})

    name: Annotated[AbsolutePath, AfterValidator(_place_for_files)]
    content: Annotated[str, AfterValidator(_text)]
    values: dict[Blank, StrictStr | StrictInt | Secret] = Field(default_factory=dict)
    owner: Account = "root"
    group: Account = "root"
    mode: Mode | None = None
    on_change: OnChange | None = None
    overwrite: bool = False

    @model_validator(mode="after")
    def _every_value_is_used(self) -> "HostFile":
        unused = [name for name in self.values if f"@{name}@" not in self.content]
        if unused:
            raise ValueError(f"`content` has no place for {', '.join(f'@{name}@' for name in unused)}")
        return self

    @property
    def text(self) -> Text:
        """The content with the values in their places; secrets stay names until they are sent."""
        if not self.values:
            return Text(self.content)
        blank = re.compile("@(" + "|".join(map(re.escape, self.values)) + ")@")
        parts: list[str | Secret] = []
        for number, part in enumerate(blank.split(self.content)):
            value = self.values[part] if number % 2 else part
            parts.append(value if isinstance(value, Secret) else str(value))
        return Text(*parts)

    @property
    def secrets(self) -> list[Secret]:
        """The secrets in it."""
        return [value for value in self.values.values() if isinstance(value, Secret)]

    @property
    def access(self) -> dict[str, str]:
        """Who may do what with it."""
        mode = self.mode or ("600" if self.secrets else "644")
        return {"owner": self.owner, "group": self.group, "mode": mode}

    @property
    def note(self) -> str:
        """The path of our note that we made it: its path, the unit that reads it, the host we made it on."""
        return note_of(self.name)

    @property
    def waiting(self) -> str:
        """The path of the note that its unit is still to be told of a change."""
        return f"{PENDING_FOLDER}/{self.on_change.unit}" if self.on_change else ""

    @property
    def kept(self) -> str:
        """Where somebody else's file is kept that ours has taken the place of."""
        return kept_of(self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("file", self.name)

    def consumes(self) -> Iterable[Want]:
        # an account that nobody here makes is the host's own
        for attribute in ("owner", "group"):
            yield Want("account", getattr(self, attribute), attribute, "", exact=True, required=False)
        # written before its dataset is mounted, it would lie below the mountpoint, where nobody finds it
        yield Want("path", self.name, "path", "", required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.name, "content.j2", int(self.access["mode"], 8))
        yield script(self.kind, slug(self.name), "write.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self._removed(change)
            return
        if "foreign" in change:
            said = f"{self.name} is {change['foreign'].actual}"
            yield Refusal("foreign", f"{said}: move it away, or allow it with `overwrite: true`")
            return
        if change.creates or "content" in change:
            _, write, _ = self.artifacts()
            secrets = ", ".join(map(str, self.secrets))
            title = f"write {self.name}" + (f" (with {secrets})" if secrets else "")
            yield Step(title, execute=write, stdin=Text(*self.text.parts, END))
        else:
            if "owner" in change or "group" in change:
                yield run("chown", "-h", f"{self.owner}:{self.group}", self.name)
            if change.attributes.keys() & self.access.keys():
                # after chown, which takes away special bits
                yield run("chmod", self.access["mode"], self.name)
        if self.on_change and (change.creates or "content" in change or "loaded" in change):
            yield acted(self.on_change)

    def _removed(self, change: Change) -> Iterator[Step | Refusal]:
        found = change.seen
        if found is not None and found.sort == "other":
            yield Refusal("present", f"{self.name} is not a file: it is not removed")
            return
        ours = found is not None and found.noted
        yield removal(self.name, "" if ours else f"the file {self.name}, which we did not make")

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield removal(name)

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        first = {"GREETING": "good morning", "KEY": Secret("sample/first")}
        second = {"GREETING": "good evening", "KEY": Secret("sample/second")}
        yield Samples(
            "/etc/phoenix-sample.conf",
            {
                "content": "greeting = @GREETING@\nkey = @KEY@\n",
                "values": first,
                "mode": "0600",
                "on_change": {"reload": "smbd"},
            },
            {
                "content": "[evening]\ngreeting = @GREETING@\nkey = @KEY@\n",
                "values": second,
                "owner": "www-data",
                "group": "backup",
                "mode": "0640",
                "on_change": {"restart": "nfs-server"},
            },
        )
        yield Samples("/etc/phoenix-plain.conf", {"content": "one\n"}, {"content": "two\n"})


def note_of(path: str) -> str:
    """Return the path of the note that we made the file at this path."""
    return made("host_file", slug(path))


def kept_of(path: str) -> str:
    """Return where the file is kept that lay at this path before ours."""
    return f"{STATE_FOLDER}/kept/host_file/{slug(path)}"


def acted(what: OnChange) -> Step:
    """Return the step that tells a unit of its changed file, and forgets that it was still to be told."""
    effect = Effect.RELOAD if what.reload else Effect.RESTART
    act = f"systemctl {what.verb} {what.unit} && rm -f {PENDING_FOLDER}/{what.unit}"
    title = f"systemctl {what.verb} {what.unit}"
    interrupts = f"the service {what.unit}" if what.restart else ""
    return Step(title, argv=("sh", "-c", act), effect=effect, interrupts=interrupts, once=True)


def removal(path: str, destroys: str = "") -> Step:
    """Return the step that removes a file of ours, puts back what it replaced, and tells who read it."""
    return Step(
        f"rm -f {path}",
        execute=script("host_file", "remove", "remove.sh.j2"),
        arguments=(path, note_of(path), kept_of(path)),
        effect=Effect.RELOAD,
        destroys=destroys,
    )
