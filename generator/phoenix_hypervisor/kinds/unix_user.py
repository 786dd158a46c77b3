"""Unix accounts of people and services."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StrictInt, model_validator

from ..fields import AbsolutePath, Account
from ..resource import Artifact, Change, Confirm, Kind, Offer, Refusal, Samples, Step, made, run, script
from ..secrets import Secret, Text

CONFIRM_SECONDS = 60
END = "\n-- the file ends here --\n"
"""Sent behind the keys: a connection that breaks must not leave half of them."""
OPTIONS = {"group": "-g", "groups": "-G", "comment": "-c", "shell": "-s", "expires": "-e"}
FIXED = {"uid": "its files would keep the old number", "home": "its files would stay where they are"}


def _one_line(text: str) -> str:
    if any(ord(sign) < 32 for sign in text):
        raise ValueError("must be one line")
    return " ".join(text.split())


def _key(text: str) -> str:
    line = _one_line(text)
    sorts = ("ssh-", "ecdsa-", "sk-")
    if not any(word.startswith(sorts) for word in line.split(" ")[:-1]):
        raise ValueError("must be a line of authorized_keys, like `ssh-ed25519 AAAA… who@where`")
    return line


Day = Annotated[str, Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|never)$")]
Rule = Annotated[str, Field(pattern=r"="), AfterValidator(_one_line)]
Key = Annotated[str, AfterValidator(_key)]


class UnixUser(Kind):
    """An account, on a node or in a guest, with what is declared of it; all else of it is left alone.

    `groups` are all its groups besides its own; they must be there. `authorized_keys` are all its keys, or
    with `other_keys: keep` the least it has. `sudo` are rules (`ALL=(ALL:ALL) ALL`) in a file of their own,
    which visudo has read before it counts. The password converges: it is compared on the host, which hashes
    ours with the salt it has, and says only yes or no. `locked` takes away the password, not the keys. The
    keys of who we are logged in as come back by themselves when they do not let us in again. Number and
    home are never changed once it is there. Its home stays when it goes.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"other_keys"})

    name: Account
    uid: Annotated[StrictInt, Field(ge=0, le=4294967294)] | None = None
    group: Account | None = None
    groups: frozenset[Account] | None = None
    comment: Annotated[str, Field(pattern=r"^[^:\n]*$")] | None = None
    home: AbsolutePath | None = None
    shell: AbsolutePath | None = None
    password: Secret | None = None
    locked: bool | None = None
    expires: Day | None = None
    authorized_keys: tuple[Key, ...] | None = None
    other_keys: Literal["remove", "keep"] = "remove"
    sudo: tuple[Rule, ...] | None = None

    @model_validator(mode="after")
    def _root_stays(self) -> "UnixUser":
        if self.name == "root" and (not self.present or self.locked or self.expires not in (None, "never")):
            raise ValueError(
                "root is needed by everything: it is neither removed nor locked, and does not expire"
            )
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """What is declared, as the files read back; without password, keys and rules."""
        names = ("uid", "group", "groups", "comment", "home", "shell", "expires")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def rules(self) -> str:
        """The content of its sudoers file; empty when there is to be none."""
        return "".join(f"{self.name} {rule}\n" for rule in self.sudo or ())

    @property
    def sudoers(self) -> str:
        """The path of its sudoers file. sudo reads no names with a dot, and an account has none."""
        return f"/etc/sudoers.d/phoenix-{self.name}"

    @property
    def add_argv(self) -> tuple[str, ...]:
        """The command that makes the account."""
        options = {"uid": "-u", "home": "-d", **OPTIONS}
        words = [word for name in self.settings for word in (options[name], self._word(name))]
        return ("useradd", "-m", *words, self.name)

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("account", self.name)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, f"add-{self.name}", "add.sh.j2")
        yield script(self.kind, f"keys-{self.name}", "keys.sh.j2")
        yield script(self.kind, "remove", "remove.sh.j2")
        if self.rules:
            yield Artifact(self.sudoers, "sudoers.j2", 0o440)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        for name, why in FIXED.items():
            if name in change:
                found = change[name]
                yield Refusal(name, f"{self.name} has {name} {found.actual}, not {found.desired}; {why}")
                return
        add, keys, _, *sudoers = self.artifacts()
        if change.creates:
            yield Step(shlex.join(self.add_argv), execute=add)
        elif changed := [name for name in OPTIONS if name in change and name in self.settings]:
            words = [word for name in changed for word in (OPTIONS[name], self._word(name))]
            yield run("usermod", *words, self.name)
        yield from self._password(change)
        if self.authorized_keys is not None and (
            change.creates or {"keys", "keys_access"} & change.attributes.keys()
        ):
            yield self._keys(change, keys)
        if sudoers and (change.creates or {"sudo", "sudo_access"} & change.attributes.keys()):
            check = 'visudo -cf "$candidate"'
            yield Step(f"write {self.sudoers}, once visudo has read it", push=sudoers[0], check=check)
        elif "sudo" in change:
            yield run("rm", "-f", self.sudoers)

    def _password(self, change: Change) -> Iterator[Step]:
        """A new password counts at once, so who was locked is locked again."""
        there = change.seen.found.get(self.name) if change.seen else None
        lock = self.locked or (self.locked is None and there is not None and there.password == "locked")  # noqa: S105  (a state)
        if self.password is not None and (change.creates or "password" in change):
            title = f"chpasswd ({self.name}: {self.password})"
            yield Step(
                title, argv=("sh", "-c", "exec chpasswd"), stdin=Text(f"{self.name}:", self.password, "\n")
            )
            if lock:
                yield run("usermod", "-L", self.name)
        elif "locked" in change or (change.creates and self.locked):
            yield run("usermod", "-L" if self.locked else "-U", self.name)

    def _keys(self, change: Change, keys: Artifact) -> Step:
        """All keys are written anew. If they are ours, the host takes them back unless we get in again."""
        ours = change.seen is not None and change.seen.me == self.name
        confirm = None
        if ours:
            seconds = str(CONFIRM_SECONDS)
            confirm = Confirm(("sh", keys.path, "arm", seconds), ("sh", keys.path, "disarm"))
        text = "".join(f"{key}\n" for key in self.authorized_keys or ())
        return Step(
            f"write the authorized keys of {self.name}",
            execute=keys,
            arguments=("put", self.other_keys),
            stdin=Text(text, END),
            confirm=confirm,
        )

    def _word(self, name: str) -> str:
        value = self.settings[name]
        if isinstance(value, frozenset):
            return ",".join(sorted(value))
        return "" if (name, value) == ("expires", "never") else str(value)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield Step(
            f"userdel {name} (its home stays)",
            execute=script(cls.kind, "remove", "remove.sh.j2"),
            arguments=(name, made(cls.kind, name)),
            destroys=f"the account {name} with its password and groups",
        )

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        one, two, three = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43} sample" for letter in "ABC")
        first = {
            "uid": 1501,
            "home": "/srv/heads",
            "group": "users",
            "groups": ["sudo"],
            "comment": "of ours",
            "shell": "/bin/sh",
            "password": Secret("sample/first"),
            "locked": False,
            "expires": "2030-01-31",
            "authorized_keys": [one],
            "sudo": ["ALL=(ALL:ALL) ALL"],
        }
        second = {
            **first,
            "group": "www-data",
            "groups": ["video", "render"],
            "comment": "somebody else",
            "shell": "/bin/bash",
            "password": Secret("sample/second"),
            "locked": True,
            "expires": "never",
            "authorized_keys": [two],
            "sudo": ["ALL=(root) NOPASSWD: /usr/bin/true"],
        }
        yield Samples("heads", first, second, refused=({"uid": 1502}, {"home": "/srv/other"}))
        further = {"sudo": ["ALL=(ALL) NOPASSWD: ALL"], "expires": "2031-02-28"}
        yield Samples(
            "service",
            {"authorized_keys": [one, two], "other_keys": "remove", "sudo": []},
            {"authorized_keys": [two, three], "other_keys": "keep", **further},
        )
