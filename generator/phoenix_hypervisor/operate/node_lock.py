"""One run changes a node at a time: who holds its lock, and what is said to others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from ..errors import PhoenixError
from ..records.events import who

LOCK = "/run/lock/phoenix.lock"


def owner() -> str:
    """Return what a run writes into the lock: who it is, from where, since when."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{who()}, process {os.getpid()}, since {now}"


def refuse_if_held(held: Mapping[str, str]) -> None:
    """Raise PhoenixError for the first node whose lock another run holds."""
    for host, holder in held.items():
        raise PhoenixError(
            f"host `{host}` is being changed by another run: {holder}",
            hint="wait for it; a run that has died frees the lock with its connection (on the node: "
            f"`fuser -v {LOCK}` says which process holds it)",
        )
