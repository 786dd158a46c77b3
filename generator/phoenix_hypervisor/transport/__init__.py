"""How a host is reached. A transport keeps one shell open for the run and streams commands to it.

`connect` picks the transport an inventory entry names. Transports are entry points of the group
`phoenix_hypervisor.transports`: `ssh` (the default) and `local` here, the lab's own beside the lab.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, Protocol

from ..errors import UsageError, did_you_mean
from ..secrets import Text
from .hearing import Hear


class Answer(NamedTuple):
    """What one command on a host said."""

    status: int
    stdout: bytes
    stderr: bytes


class Question(NamedTuple):
    """A shell command that changes nothing for good, and what it reads on its stdin."""

    command: str
    stdin: Text | None = None


class Address(NamedTuple):
    """How the inventory says a host is reached."""

    host: str
    """The node's name in the inventory."""
    hostname: str
    """What to connect to: a name, an address, an alias of ~/.ssh/config."""
    transport: str = "ssh"
    port: int | None = None
    username: str | None = None
    sudo: bool = False
    connect_seconds: float = 10
    command_seconds: float = 300
    options: tuple[str, ...] = ()
    """Further options for the transport: `-o` values for ssh, the lab's folder for the lab."""
    reboot_seconds: float = 600
    """How long it may take until it answers again after a reboot."""


class Transport(Protocol):
    """One open way to one host. Raises HostError when the host is not there, or no longer."""

    trips: int
    """Round trips made so far: how often we waited for the host."""

    def open(self) -> None:
        """Connect, and wait until the host's shell answers."""

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Run questions in one round trip; one answer each, in order. Without a stdin it is closed."""

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        """Run one shell command that may change the host, with this text on its stdin.

        `hear` is told what it says while it runs, where the way to the host lets that through.
        """

    def lock(self, path: str, owner: str) -> str | None:
        """Take a lock on the host while this connection lives. Returns what its holder wrote, or None."""

    def close(self) -> None:
        """End the connection. Safe to call twice."""


Maker = Callable[[Address], Transport]
GROUP = "phoenix_hypervisor.transports"


def connect(address: Address) -> Transport:
    """Return the transport for an address, not opened yet. Raises UsageError for an unknown name."""
    return _maker(address.transport)(address)


@cache
def _maker(name: str) -> Maker:
    if name == "ssh":  # the usual one, without the search through all installed packages
        from .ssh import SshTransport

        return SshTransport
    from importlib.metadata import entry_points

    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known))}"
        raise UsageError(f"the inventory names an unknown transport `{name}`", hint=hint)
    maker: Maker = known[name].load()
    return maker
