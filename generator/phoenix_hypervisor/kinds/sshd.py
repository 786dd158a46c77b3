"""How people get in by ssh."""

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictInt, model_validator

from ..dialects import sshd
from ..fields import Account
from ..resource import (
    PENDING_FOLDER,
    Artifact,
    Change,
    Confirm,
    Effect,
    Kind,
    Refusal,
    Samples,
    Step,
    script,
)
from ..secrets import Text

FILE = "/etc/ssh/sshd_config.d/00-phoenix.conf"
"""Of a keyword that is given twice sshd takes the first: our file is the first to be read."""
WAITING = f"{PENDING_FOLDER}/ssh"
"""Our note that sshd has not yet been told of a change."""
END = "\n-- the file ends here --\n"
CONFIRM_SECONDS = 60
KEYWORDS = {
    "permit_root_login": "PermitRootLogin",
    "password_authentication": "PasswordAuthentication",
    "kbd_interactive_authentication": "KbdInteractiveAuthentication",
    "pubkey_authentication": "PubkeyAuthentication",
    "allow_users": "AllowUsers",
    "deny_users": "DenyUsers",
    "allow_groups": "AllowGroups",
    "deny_groups": "DenyGroups",
    "max_auth_tries": "MaxAuthTries",
    "max_sessions": "MaxSessions",
    "login_grace_time": "LoginGraceTime",
    "client_alive_interval": "ClientAliveInterval",
    "client_alive_count_max": "ClientAliveCountMax",
    "allow_tcp_forwarding": "AllowTcpForwarding",
    "allow_agent_forwarding": "AllowAgentForwarding",
    "x11_forwarding": "X11Forwarding",
}
Names = Annotated[frozenset[Account], Field(min_length=1)]
Number = Annotated[StrictInt, Field(ge=0, le=86400)]
Counted = Annotated[StrictInt, Field(ge=1, le=100)]


class Sshd(Kind):
    """Settings of sshd, in a file of our own that is read before all others.

    What is not declared is left alone. The file is tried with all others of the host before it takes its
    place, and what sshd makes of all of them is what is compared. A setting that would shut out whoever we
    are logged in as by a key is refused. The host takes the change back by itself when a new connection
    does not come about. Times are in seconds. Declared absent, the file goes.
    """

    singleton: ClassVar[bool] = True
    scope: ClassVar[Literal["node", "host", "guest"]] = "host"

    permit_root_login: Literal["yes", "prohibit-password", "forced-commands-only", "no"] | None = None
    password_authentication: bool | None = None
    kbd_interactive_authentication: bool | None = None
    pubkey_authentication: bool | None = None
    allow_users: Names | None = None
    deny_users: Names | None = None
    allow_groups: Names | None = None
    deny_groups: Names | None = None
    max_auth_tries: Counted | None = None
    max_sessions: Counted | None = None
    login_grace_time: Number | None = None
    client_alive_interval: Number | None = None
    client_alive_count_max: Number | None = None
    allow_tcp_forwarding: Literal["yes", "no", "local", "remote"] | None = None
    allow_agent_forwarding: bool | None = None
    x11_forwarding: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Sshd":
        if self.present and not self.wanted:
            raise ValueError("needs at least one setting; with `state: absent` our file goes")
        return self

    @property
    def wanted(self) -> dict[str, str | frozenset[str]]:
        """The declared settings by our names, as `sshd -T` says their values."""
        found: dict[str, str | frozenset[str]] = {}
        for name in KEYWORDS:
            value = getattr(self, name)
            if isinstance(value, bool):
                found[name] = "yes" if value else "no"
            elif value is not None:
                found[name] = value if isinstance(value, frozenset) else str(value)
        return found

    @property
    def text(self) -> str:
        """Our file."""
        lines = ["# Written by phoenix: sshd. Changed by hand, it is written again."]
        for name, value in self.wanted.items():
            words = value if isinstance(value, str) else " ".join(sorted(value))
            lines.append(f"{KEYWORDS[name]} {words}")
        return "".join(f"{line}\n" for line in lines)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(FILE, "phoenix.conf.j2")
        yield PUT

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            yield from self.remove(self.name)
            return
        shut_out = self._shut_out(change)
        if shut_out:
            field = next(name for name, keyword in KEYWORDS.items() if keyword.lower() == shut_out.keyword)
            attribute = field if field in change else next(iter(change.attributes))
            yield Refusal(attribute, f"{shut_out.why}, and that is how we are here: nothing is changed")
        elif change.creates or "content" in change:
            title = f"write {FILE}, once sshd has read it; systemctl reload ssh"
            yield _step(title, "put", Text(self.text, END))
        elif "loaded" in change:
            yield _step("systemctl reload ssh", "reload")
        else:
            for name in [name for name in change.attributes if name in KEYWORDS]:
                said = f"{FILE} is right, but sshd has {KEYWORDS[name]} {_shown(change[name].actual)}"
                rest = "another file sets it too, or /etc/ssh/sshd_config includes none (`grep -rin`)"
                yield Refusal(name, f"{said}: {rest}")

    def _shut_out(self, change: Change) -> sshd.Lockout | None:
        """What would shut us out; None when nothing would, or when we came another way than by ssh."""
        there = change.seen
        if there is None or not there.user:
            return None
        declared = {KEYWORDS[name].lower(): value for name, value in self.wanted.items()}
        found = sshd.lockout({**there.settings, **declared}, there.user, there.groups)
        # what shuts us out already is of another file's doing, and yet we are here
        return found if found != sshd.lockout(there.settings, there.user, there.groups) else None

    @classmethod
    def remove(cls, name: str) -> Iterator[Step]:  # noqa: ARG003  (there is one on a host)
        yield _step(f"rm {FILE}; systemctl reload ssh", "remove")

    @classmethod
    def samples(cls) -> Samples:
        first = {
            "permit_root_login": "prohibit-password",
            "password_authentication": True,
            "kbd_interactive_authentication": False,
            "pubkey_authentication": True,
            "allow_users": ["root"],
            "deny_users": ["nobody"],
            "allow_groups": ["root"],
            "deny_groups": ["nogroup"],
            "max_auth_tries": 4,
            "max_sessions": 5,
            "login_grace_time": 60,
            "client_alive_interval": 30,
            "client_alive_count_max": 4,
            "allow_tcp_forwarding": "local",
            "allow_agent_forwarding": False,
            "x11_forwarding": False,
        }
        second = {
            "permit_root_login": "yes",
            "password_authentication": False,
            "kbd_interactive_authentication": True,
            "pubkey_authentication": True,
            "allow_users": ["root", "backup"],
            "deny_users": ["mail"],
            "allow_groups": ["root", "sudo"],
            "deny_groups": ["mail"],
            "max_auth_tries": 3,
            "max_sessions": 6,
            "login_grace_time": 30,
            "client_alive_interval": 60,
            "client_alive_count_max": 5,
            "allow_tcp_forwarding": "no",
            "allow_agent_forwarding": True,
            "x11_forwarding": True,
        }
        shut_out = (
            {"pubkey_authentication": False},
            {"permit_root_login": "no"},
            {"allow_users": ["backup"]},
            {"deny_groups": ["root"]},
        )
        return Samples("", first, second, refused=shut_out)


PUT = script("sshd", "put", "put.sh.j2")


def _step(title: str, verb: str, stdin: Text | None = None) -> Step:
    """A change that may shut us out: taken back by the host unless a new connection arrives."""
    confirm = Confirm(("sh", PUT.path, "arm", str(CONFIRM_SECONDS)), ("sh", PUT.path, "disarm"))
    return Step(title, execute=PUT, arguments=(verb,), stdin=stdin, effect=Effect.RELOAD, confirm=confirm)


def _shown(value: object) -> str:
    return " ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
