"""Roles of Proxmox."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ..resource import Artifact, Change, Kind, Offer, Samples, Step, made, run, script


def _not_built_in(name: str) -> str:
    if name.startswith("PVE") or name in ("Administrator", "NoAccess"):
        raise ValueError("is a role that Proxmox brings, or a name it keeps for such: choose another one")
    return name


RoleId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$"), AfterValidator(_not_built_in)]
Privilege = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)+$")]


class PveRole(Kind):
    """A role: a name for a set of privileges, as /etc/pve/user.cfg has it; changed with `pveum`.

    The privileges are exactly those declared. Roles that are not declared are left alone. A role that
    an access list still uses is not removed.
    """

    name: RoleId
    privileges: frozenset[Privilege]

    @property
    def words(self) -> str:
        """The privileges as pveum takes them."""
        return ",".join(sorted(self.privileges))

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("pve_role", self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, f"add-{self.name}", "add.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step]:
        if change.removes:
            yield from self.remove(self.name)
        elif change.creates:
            argv = ("pveum", "role", "add", self.name, "--privs", self.words)
            yield Step(shlex.join(argv), execute=next(iter(self.artifacts())))
        else:
            yield run("pveum", "role", "modify", self.name, "--privs", self.words)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:
        yield Step(
            f"pveum role delete {shlex.quote(name)}",
            execute=script(cls.kind, "remove", "remove.sh.j2"),
            arguments=(name, made(cls.kind, name)),
        )

    @classmethod
    def samples(cls) -> Samples:
        first = {"privileges": ["VM.Audit", "VM.PowerMgmt", "Datastore.Audit"]}
        return Samples("Ops", first, {"privileges": ["VM.Audit", "VM.Console"]})
