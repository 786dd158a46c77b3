"""Samba users."""

from collections.abc import Iterable, Iterator

from ..fields import Account
from ..resource import Artifact, Change, Kind, Offer, Samples, Step, Want, made, run, script
from ..secrets import Secret, Text


class SambaUser(Kind):
    """A user of the Samba server with a password from the secret store.

    A Unix account without login and home is made when there is none; an existing one is left as it is.
    The password converges: a rotated secret, or a password changed by hand, is drift. It is compared
    on the node by a digest with a key drawn for the run; the password and its hash never leave.
    """

    name: Account
    password: Secret

    @property
    def note(self) -> str:
        """The path of our note that we made it."""
        return made(self.kind, self.name)

    def provides(self) -> Iterable[Offer]:
        yield Offer("account", self.name)

    def consumes(self) -> Iterable[Want]:
        # an account that is declared besides is made as declared, before we would make one
        yield Want("account", self.name, "name", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield script(self.kind, self.name, "user.sh.j2")

    def converge(self, change: Change) -> Iterator[Step]:
        if change.removes:
            yield from self.remove(self.name)
            return
        password = Text(self.password, "\n", self.password, "\n")
        if change.creates or "password" in change:
            yield Step(
                f"smbpasswd -s -a {self.name} (password from {self.password})",
                execute=next(iter(self.artifacts())),
                stdin=password,
            )
        elif "enabled" in change:
            yield run("smbpasswd", "-e", self.name)

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:
        yield run("smbpasswd", "-x", name)
        yield run("rm", "-f", made(cls.kind, name))

    @classmethod
    def samples(cls) -> Samples:
        return Samples("heads", {"password": Secret("sample/first")}, {"password": Secret("sample/second")})
