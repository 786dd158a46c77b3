"""Users of Proxmox."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StrictInt, model_validator

from ..dialects import user_cfg
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, made, run, script
from ..secrets import Secret, Text


def _not_root(name: str) -> str:
    if name == user_cfg.ROOT:
        raise ValueError("is Proxmox's own and what we work as: it is not managed")
    return name


UserId = Annotated[
    str, Field(pattern=r"^[^\s:/@!,]+@[A-Za-z][A-Za-z0-9._-]+$", max_length=64), AfterValidator(_not_root)
]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
Free = Annotated[str, AfterValidator(user_cfg.free_text)]


class PveUser(Kind):
    """A user of Proxmox, named `name@realm`, as /etc/pve/user.cfg has it; changed with `pveum`.

    Managed: what is declared of comment, email, first and last name, expiry (a Unix time, 0 for never),
    whether it is enabled, the groups it is in (all of them; one that is missing is made), and, in the
    realm `pve`, the password: it is compared on the node by hashing ours with the salt that is there. Users
    that are not declared are left alone, and root@pam always. Nobody is taken away who is the last one
    with the role Administrator.
    """

    name: UserId
    comment: Free | None = None
    email: Free | None = None
    firstname: Free | None = None
    lastname: Free | None = None
    expire: Annotated[StrictInt, Field(ge=0)] | None = None
    enable: bool = True
    groups: frozenset[Group] | None = None
    password: Secret | None = None

    PLAIN: ClassVar[tuple[str, ...]] = ("comment", "email", "firstname", "lastname", "expire", "enable")

    @model_validator(mode="after")
    def _password_of_proxmox(self) -> "PveUser":
        if self.password is not None and self.realm != "pve":
            raise ValueError(f"the realm `{self.realm}` keeps its passwords elsewhere: no `password` here")
        return self

    @property
    def realm(self) -> str:
        """Who checks the password."""
        return self.name.rpartition("@")[2]

    @property
    def settings(self) -> dict[str, Any]:
        """What is declared, as user.cfg reads back, without groups and password."""
        found = {name: getattr(self, name) for name in self.PLAIN}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("pve_user", self.name)
        for group in sorted(self.groups or ()):
            yield Offer("pve_group", f"@{group}")

    def consumes(self) -> Iterable[Want]:
        if self.realm == "pam":  # without an account of that name nobody gets in; it may be the node's own
            yield Want("account", self.name.rpartition("@")[0], "name", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "user.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self._unless_last(change, self.remove(self.name))
            return
        if change.creates:
            yield self._pveum("add", {**self.settings, **self._groups})
        else:
            changed = {name: value for name, value in self.settings.items() if name in change}
            groups = self._groups if "groups" in change else {}
            if changed or groups:
                step = self._pveum("modify", {**changed, **groups})
                yield from self._unless_last(change, [step]) if "enable" in change else [step]
        if self.password is not None and (change.creates or "password" in change):
            password = Text(self.password, "\n", self.password, "\n")
            yield run("pveum", "passwd", self.name, stdin=password)

    @property
    def _groups(self) -> dict[str, str]:
        return {} if self.groups is None else {"groups": ",".join(sorted(self.groups))}

    def _pveum(self, verb: str, options: dict[str, Any]) -> Step:
        argv = [verb, self.name]
        for name, value in options.items():
            argv += [f"--{name}", str(int(value)) if isinstance(value, bool) else str(value)]
        title = shlex.join(["pveum", "user", *argv])
        return Step(title, execute=next(iter(self.artifacts())), arguments=tuple(argv))

    def _unless_last(self, change: Change, steps: Iterable[Step | Refusal]) -> Iterable[Step | Refusal]:
        """The steps, unless nobody would be left who may do everything."""
        there = change.seen
        takes_away = not self.present or not self.enable
        if takes_away and there and not user_cfg.administrators(user_cfg.without_user(there, self.name)):
            attribute = "enable" if self.present else "present"
            return [Refusal(attribute, f"{self.name} is the last administrator: make another one first")]
        return steps

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"pveum user delete {shlex.quote(name)}",
            execute=script(cls.kind, "remove", "remove.sh.j2"),
            arguments=(name, made(cls.kind, name)),
            destroys=f"the user {name} with its tokens and second factors",
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        yield Samples(
            "dev@pve",
            {
                "comment": "100%: a developer, ä",
                "email": "dev@example.com",
                "firstname": "D",
                "lastname": "V",
                "groups": ["devs"],
                "password": Secret("sample/first"),
            },
            {
                "comment": "somebody else",
                "email": "other@example.com",
                "firstname": "E",
                "lastname": "W",
                "expire": 1893456000,
                "enable": False,
                "groups": ["ops", "devs"],
                "password": Secret("sample/second"),
            },
        )
