"""API tokens of Proxmox."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, StrictInt

from ..dialects import user_cfg
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, made, run, script
from ..secrets import Secret

NOT_KEPT = "not in the store"
ANOTHER = "another one"
NONE_THERE = "the node has none"
"""What the checks may say of a value."""


class PveToken(Kind):
    """An API token, named `user@realm!token`, as /etc/pve/user.cfg has it; changed with `pveum`.

    Proxmox makes the value, and shows it once: it goes from the node's answer into the secret store under
    the name of `value`, shown to nobody and written nowhere else. So the store must be one that can be
    written, which is said before anything is done. A store that has lost the value takes it from the
    node again; one that holds another value is left alone, unless `overwrite` allows to replace it. The
    value of a token is never changed: to have a new one, remove the token and apply. Managed besides:
    comment, expiry (a Unix time, 0 for never), privilege separation. Other tokens are left alone.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"value"})
    manners: ClassVar[frozenset[str]] = frozenset({"overwrite"})

    name: Annotated[str, Field(pattern=r"^[^\s:/@!,]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+$")]
    value: Secret
    comment: Annotated[str, AfterValidator(user_cfg.free_text)] | None = None
    expire: Annotated[StrictInt, Field(ge=0)] | None = None
    privsep: bool = True
    overwrite: bool = False

    @property
    def ids(self) -> tuple[str, str]:
        """Whose it is, and its own name."""
        return _ids(self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """What is declared, as user.cfg reads back."""
        found = {"comment": self.comment, "expire": self.expire, "privsep": self.privsep}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    @property
    def add_argv(self) -> tuple[str, ...]:
        """The command that makes it."""
        return ("pveum", "user", "token", "add", *self.ids, *_options(self.settings))

    def provides(self) -> Iterable[Offer]:
        yield Offer("pve_token", self.name)

    def consumes(self) -> Iterable[Want]:
        owner = user_cfg.owner_of(self.name)
        yield Want("pve_user", owner, "name", "", exact=True, required=False)  # it may be somebody else's

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, f"add-{self.name}", "add.sh.j2")
        yield script(self.kind, "value", "value.sh.j2")

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        add, value = self.artifacts()
        for attribute in ("owner", "store"):
            if attribute in change:
                yield Refusal(attribute, f"{change[attribute].actual}")
                return
        if change.creates:
            title = f"{shlex.join(self.add_argv)} (its value is kept as {self.value})"
            yield Step(title, execute=add, keeps=self.value)
            return
        changed = {name: wanted for name, wanted in self.settings.items() if name in change}
        if changed:
            yield run("pveum", "user", "token", "modify", *self.ids, *_options(changed))
        if "value" in change:
            yield self._value(str(change["value"].actual), value)

    def _value(self, found: str, fetch: Artifact) -> Step | Refusal:
        """Fetch the value from the node, or say why not."""
        if found == NOT_KEPT or (found == ANOTHER and self.overwrite):
            title = f"keep the value of {self.name} as {self.value}"
            return Step(title, execute=fetch, arguments=(self.name,), keeps=self.value)
        if found == ANOTHER:
            said = f"the secret `{self.value.name}` holds another value than the token {self.name}"
            rest = (
                f"if that one is of no use, `phoenix secrets remove {self.value.name}`, or `overwrite: true`"
            )
            return Refusal("value", f"{said}: {rest}")
        if found == NONE_THERE:
            said = "Proxmox knows the token, but no value of it, so nobody can use it"
            return Refusal("value", f"{said}: `pveum user token remove {shlex.join(self.ids)}`, then apply")
        return Refusal("value", found)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        argv = ("pveum", "user", "token", "remove", *_ids(name))
        lost = f"the token {name}, with which nobody gets in any more"
        yield run(*argv, destroys=lost)
        yield run("rm", "-f", made(cls.kind, name))

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        around: dict[str, dict[str, dict[str, str]]] = {"pve_user": {"dev@pve": {}}}
        first = {"value": Secret("sample/token"), "comment": "of ours", "overwrite": True}
        second = {
            "value": Secret("sample/other-token"),
            "comment": "100% ours: ä",
            "expire": 1893456000,
            "privsep": False,
            "overwrite": True,
        }
        refused = {"value": Secret("sample/taken"), "overwrite": False}
        yield Samples("dev@pve!ci", first, second, around, refused=(refused,))


def _ids(name: str) -> tuple[str, str]:
    owner, _, token = name.rpartition("!")
    return owner, token


def _options(settings: dict[str, Any]) -> tuple[str, ...]:
    """The options of pveum for these settings."""
    words: list[str] = []
    for name, value in settings.items():
        words += [f"--{name}", str(int(value)) if isinstance(value, bool) else str(value)]
    return tuple(words)
