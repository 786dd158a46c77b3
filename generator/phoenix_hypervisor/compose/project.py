"""A project of Docker Compose, in a folder of ours: what is in its files, and the steps that bring it up.

A kind that is one inherits from `Composed` and says what services there are. Whether containers are those of
the files is told by a label with a digest, which every service of ours has.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from ..resource import (
    PENDING_FOLDER,
    Artifact,
    Change,
    Effect,
    Kind,
    Offer,
    Refusal,
    Step,
    Want,
    made,
    script,
)
from ..secrets import Secret, Text
from .files import interpolated

FOLDER = "/srv/phoenix"
LABEL = "phoenix.declared"
"""Label of a container: the digest of what was declared when it was made."""
END = "-- it ends here --\n"
NAME = r"^[a-z0-9][a-z0-9-]{0,40}$"
VARIABLE = r"^[A-Z][A-Z0-9_]*$"
Value = str | Secret


class Published(NamedTuple):
    """A port of the host behind which a service listens."""

    port: int
    proto: str
    everywhere: bool
    """Not only on the host's own 127.0.0.1."""


class Composed(Kind):
    """What is common to kinds that are a project of Docker Compose."""

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"

    @property
    def project(self) -> str:
        """What Compose calls it."""
        return self.name

    @property
    def declared_services(self) -> Mapping[str, Mapping[str, Any]]:
        """The services, in the words of Compose: a kind has some."""
        return {}

    @property
    def declared_volumes(self) -> Mapping[str, Any]:
        """The named volumes, in the words of Compose."""
        return {}

    @property
    def declared_networks(self) -> Mapping[str, Any]:
        """The networks, in the words of Compose; without any there is the usual one."""
        return {}

    @property
    def variables(self) -> Mapping[str, Value]:
        """What stands for `${NAME}` in the services."""
        return {}

    @property
    def patience(self) -> int:
        """How many seconds containers may take to run."""
        return 60

    @property
    def folder(self) -> str:
        """The project's folder on the host."""
        return f"{FOLDER}/{self.project}"

    @property
    def file(self) -> str:
        """The compose file."""
        return f"{self.folder}/compose.yaml"

    @property
    def env_file(self) -> str:
        """The file with the values of variables."""
        return f"{self.folder}/.env"

    @property
    def note(self) -> str:
        """The path of our note: who made it, and `image` for each image that we brought."""
        return made(self.kind, self.project)

    @property
    def waiting(self) -> str:
        """The path of the note that its containers are still to be told of a change."""
        return f"{PENDING_FOLDER}/compose-{self.project}"

    @property
    def digest(self) -> str:
        """What tells this declaration from another one: it says nothing of the values of secrets."""
        plain = json.dumps(
            [self.declared_services, self.declared_volumes, self.declared_networks], sort_keys=True
        )
        return hashlib.sha256(plain.encode()).hexdigest()[:16]

    @property
    def content(self) -> dict[str, Any]:
        """The whole file, as a mapping."""
        services = {
            name: {"restart": "unless-stopped", **service, "labels": {**_labels(service), LABEL: self.digest}}
            for name, service in self.declared_services.items()
        }
        parts = {"volumes": {**self.declared_volumes}, "networks": {**self.declared_networks}}
        return {
            "name": self.project,
            "services": services,
            **{key: part for key, part in parts.items() if part},
        }

    @property
    def text(self) -> str:
        """The file itself: JSON, which is YAML as well, and read in one way only."""
        head = f"# Written by phoenix: {self.kind}:{self.name}. Changed by hand, it is written again.\n"
        return head + json.dumps(self.content, indent=2, ensure_ascii=False) + "\n"

    @property
    def env_text(self) -> Text:
        """The values: each between single quotes, in which nothing has a meaning of its own."""
        parts: list[str | Secret] = ["# Written by phoenix. Changed by hand, it is written again.\n"]
        for name, value in self.variables.items():
            parts += [f"{name}='", value, "'\n"]
        return Text(*_joined(parts))

    @property
    def secrets(self) -> list[Secret]:
        """The secrets among the values."""
        return [value for value in self.variables.values() if isinstance(value, Secret)]

    @property
    def secret_names(self) -> list[str]:
        """The variables that are secret."""
        return [name for name, value in self.variables.items() if isinstance(value, Secret)]

    @property
    def images(self) -> list[str]:
        """The images, each once."""
        return list(dict.fromkeys(str(service["image"]) for service in self.declared_services.values()))

    @property
    def published(self) -> list[Published]:
        """The ports of the host that its services take."""
        return [port for service in self.declared_services.values() for port in ports_of(service)]

    def consumes(self) -> Iterable[Want]:
        # declared beside it, or brought by the layer: that one of both has it, a rule sees to
        yield Want("docker", "engine", "name", "", exact=True, required=False)

    def provides(self) -> Iterable[Offer]:
        yield Offer("compose", self.project)

    @property
    def _scripts(self) -> dict[str, Artifact]:
        own = {
            stem: script(self.kind, f"{self.project}-{stem}", f"{stem}.sh.j2")
            for stem in ("pull", "env", "up")
        }
        return {**own, "down": script(self.kind, "down", "down.sh.j2")}

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.file, "compose.yaml.j2")
        yield from self._scripts.values()

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield self.down()
            return
        if "foreign" in change:
            yield Refusal(
                "foreign", f"{change['foreign'].actual}: give yours another name, or remove that one"
            )
            return
        names = set(change.attributes)
        written = change.creates or "compose" in names
        running = written or any(name.startswith(("env", "service ", "loaded")) for name in names)
        if not running:
            return
        title = f"docker pull {', '.join(self.images)}, unless it is there"
        yield Step(title, execute=self._scripts["pull"], lasts=True)
        if change.creates or any(name.startswith("env") for name in names):
            said = ", ".join(map(str, self.secrets))
            title = f"write {self.env_file}" + (f" (with {said})" if said else "")
            yield Step(title, execute=self._scripts["env"], stdin=Text(*self.env_text.parts, END))
        if written:
            yield Step(
                f"write {self.file}",
                push=Artifact(self.file, "compose.yaml.j2"),
                check=self._accepted,
                pending=f"compose-{self.project}",
            )
        yield Step(
            f"docker compose -p {self.project} up -d",
            execute=self._scripts["up"],
            effect=Effect.HOT if change.creates else Effect.RESTART,
            interrupts="" if change.creates else f"the containers of {self.project}",
            lasts=True,
        )

    @property
    def _accepted(self) -> str:
        """Compose must take the file before it is in its place."""
        return f'docker compose --project-directory {self.folder} -p {self.project} -f "$candidate" config -q'

    def down(self, *, destroys: str = "") -> Step:
        """Return the step that removes its containers, and with `destroys` its named volumes."""
        return taken_down(self.kind, self.project, destroys=destroys)

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (its containers are started again)
        yield Step(
            f"docker compose -p {self.project} restart",
            execute=self._scripts["up"],
            arguments=("restart",),
            effect=Effect.RESTART,
            interrupts=f"the containers of {self.project}",
            lasts=True,
        )


def taken_down(kind: str, project: str, *, destroys: str = "") -> Step:
    """Return the step that removes a project's containers, and with `destroys` its named volumes."""
    volumes = ("volumes",) if destroys else ()
    return Step(
        f"docker compose -p {project} down" + (" --volumes" if destroys else ""),
        execute=script(kind, "down", "down.sh.j2"),
        arguments=(project, f"{FOLDER}/{project}", made(kind, project), *volumes),
        effect=Effect.RESTART,
        interrupts=f"the containers of {project}",
        destroys=destroys,
    )


def ports_of(service: Mapping[str, Any]) -> Iterator[Published]:
    """Yield what a service publishes. Raises ValueError for what is no single port."""
    for written in service.get("ports") or ():
        if isinstance(written, Mapping):
            address, port = str(written.get("host_ip", "")), str(written.get("published", ""))
            proto = str(written.get("protocol", "tcp"))
        else:
            bare, _, proto = str(written).partition("/")
            address, _, port = bare.rpartition(":")[0].rpartition(":")
        if not re.fullmatch("[1-9][0-9]{0,4}", port):
            raise ValueError(f"`ports` needs both sides of each, like `8080:80`: {written}")
        yield Published(int(port), proto or "tcp", not address.startswith(("127.", "[::1]", "::1")))


def undefined(services: Mapping[str, Any], variables: Iterable[str]) -> list[str]:
    """Return the variables that services name and nobody gives a value."""
    return sorted(interpolated(services) - {*variables})


def named(service: Mapping[str, Any], key: str) -> set[str]:
    """Return the app's `volumes` or `networks` that a service names, in Compose's short and long forms."""
    written = service.get(key) or []
    if isinstance(written, Mapping):
        return {*written}
    found = set()
    for one in written if isinstance(written, list) else []:
        if not isinstance(one, Mapping):
            source, target = str(one).partition(":")[::2]
            found |= {source} if key == "networks" or target else set()
        elif one.get("type", "volume") == "volume" and one.get("source"):
            found.add(str(one["source"]))
    # a path is the host's own, and a variable's value is not known here
    return {name for name in found if not name.startswith(("/", ".", "~", "$"))}


def _labels(service: Mapping[str, Any]) -> dict[str, str]:
    found = service.get("labels") or {}
    if isinstance(found, Mapping):
        return {key: str(value) for key, value in found.items()}
    return dict(str(line).partition("=")[::2] for line in found)


def _joined(parts: Iterable[str | Secret]) -> list[str | Secret]:
    """The same with neighbouring strings as one."""
    found: list[str | Secret] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found
