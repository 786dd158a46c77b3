"""The transport for phoenix running on the node itself."""

from . import Address
from .shell import ShellTransport


class LocalTransport(ShellTransport):
    """A shell on this very machine, through sudo when the inventory says so."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, ["sudo", "-n", "sh"] if address.sudo else ["sh"])
