"""Access lists of Proxmox."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from ..dialects import user_cfg
from ..dialects.exports import slug
from ..resource import Artifact, Change, Kind, Refusal, Samples, Step, Want, made, script

PATHS = r"/|/(access|nodes|pool|sdn|storage|vms|mapping)(/[A-Za-z0-9._-]+)*"
WHO = r"@[A-Za-z0-9._-]+|[^\s:/@!,]+@[A-Za-z][A-Za-z0-9._-]+(![A-Za-z][A-Za-z0-9._-]+)?"


def _not_root(name: str) -> str:
    if name.partition(" ")[2] == user_cfg.ROOT:
        raise ValueError("root@pam may do everything anyway: it has no access list")
    return name


class PveAcl(Kind):
    """Who may do what below a path of Proxmox; named `PATH WHO`, like `/vms/100 dev@pve`.

    WHO is a user, a token (`dev@pve!ci`) or a group (`@devs`). The roles are exactly those declared for
    WHO at that very path; what others may do there, and what WHO may do elsewhere, is left alone. What
    does not exist is reported: Proxmox knows no rights of nobody. The last one with the role
    Administrator for everything keeps it.
    """

    name: Annotated[str, Field(pattern=rf"^({PATHS}) ({WHO})$"), AfterValidator(_not_root)]
    roles: Annotated[frozenset[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]], Field(min_length=1)]
    propagate: bool = True

    @property
    def access(self) -> user_cfg.Access:
        """Where, and who."""
        return _access(self.name)

    @property
    def wanted(self) -> dict[str, bool]:
        """The roles as user.cfg reads back: each with whether it holds below the path."""
        return dict.fromkeys(sorted(self.roles), self.propagate)

    @property
    def note(self) -> str:
        """The path of our note, which holds the name."""
        return note_of(self.name)

    def consumes(self) -> Iterable[Want]:
        who = self.access.who
        topic = "pve_token" if "!" in who else "pve_group" if who.startswith("@") else "pve_user"
        # nobody here may make them: they can be Proxmox's own, or somebody else's
        yield Want(topic, who, "name", "", exact=True, required=False)
        for role in sorted(self.roles):
            yield Want("pve_role", role, "roles", "", exact=True, required=False)

    @property
    def promised(self) -> frozenset[str]:
        """Of who and the roles, what others here make: it need not be there yet."""
        topics = ("pve_user", "pve_token", "pve_group", "pve_role")
        return frozenset(given.key for topic in topics for given in self.given(topic))

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, slug(self.name), "add.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self._unless_last(change, self.remove(self.name))
            return
        for attribute in ("who", "role"):
            if attribute in change:
                yield Refusal(attribute, f"{change[attribute].actual}: make it first, or declare it")
                return
        there = change["roles"].actual if "roles" in change else {}
        surplus = tuple(sorted(set(there) - self.roles))
        less = f"; pveum acl delete … --roles {','.join(surplus)}" if surplus else ""
        step = Step(
            shlex.join(self.modify_argv) + less,
            execute=next(iter(self.artifacts())),
            arguments=(",".join(surplus),) if surplus else (),
        )
        if user_cfg.ADMINISTRATOR in surplus:
            yield from self._unless_last(change, [step])
        else:
            yield step

    @property
    def modify_argv(self) -> tuple[str, ...]:
        """The command that gives the roles."""
        return (
            *("pveum", "acl", "modify", self.access.path, *_option(self.access.who)),
            *("--roles", ",".join(sorted(self.roles)), "--propagate", str(int(self.propagate))),
        )

    @property
    def delete_argv(self) -> tuple[str, ...]:
        """The command that takes roles away; they follow it."""
        return ("pveum", "acl", "delete", self.access.path, *_option(self.access.who), "--roles")

    def _unless_last(self, change: Change, steps: Iterable[Step | Refusal]) -> Iterable[Step | Refusal]:
        """The steps, unless nobody would be left who may do everything."""
        there = change.seen
        if there and not user_cfg.administrators(user_cfg.without_access(there, self.access)):
            said = f"{self.access.who} would be no administrator any more, and is the last one"
            return [Refusal("roles" if self.present else "present", f"{said}: make another one first")]
        return steps

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        access = _access(name)
        yield Step(
            f"pveum acl delete {shlex.join((access.path, *_option(access.who)))}",
            execute=script(cls.kind, "remove", "remove.sh.j2"),
            arguments=(access.path, access.who, *_option(access.who)[:1], note_of(name)),
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        around = {
            "pve_user": {"dev@pve": {"groups": ["devs"]}},
            "pve_role": {"Ops": {"privileges": ["VM.Audit"]}},
        }
        first, second = {"roles": ["Ops"]}, {"roles": ["PVEAuditor", "PVEVMUser"], "propagate": False}
        yield Samples("/vms/100 dev@pve", first, second, around, refused=({"roles": ["NoSuchRole"]},))
        yield Samples(
            "/ @devs", {"roles": ["PVEAuditor"]}, {"roles": ["PVEAuditor"], "propagate": False}, around
        )


def note_of(name: str) -> str:
    """Return the path of the note that we made this access list."""
    return made("pve_acl", slug(name))


def _access(name: str) -> user_cfg.Access:
    path, _, who = name.partition(" ")
    return user_cfg.Access(path, who)


def _option(who: str) -> tuple[str, str]:
    """How pveum is told about whom it is."""
    if who.startswith("@"):
        return ("--groups", who[1:])
    return ("--tokens" if "!" in who else "--users", who)
