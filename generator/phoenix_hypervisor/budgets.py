"""What resources take of what there is only so much of: memory, threads, room, a share of a card.

A kind that takes some of it yields `Offer(TAKES, key, Takes(…))` from `provides()`, with one of these keys:

    memory          bytes of the node's memory, of what starts with the node
    threads         threads of its processor, of what starts with the node
    storage NAME    bytes of a storage of Proxmox
    gpu             a share (0 to 1) of the memory of each graphics card that its guest has

`config.budgets` adds them up against what the node's files declare.
"""

from typing import NamedTuple

TAKES = "takes"
MEMORY, THREADS, GPU = "memory", "threads", "gpu"


class Takes(NamedTuple):
    """How much a resource takes."""

    amount: float
    field: str
    """The field that says so: where an error points to, `rootfs.size`."""


def storage(name: str) -> str:
    """Return the key of a storage."""
    return f"storage {name}"
