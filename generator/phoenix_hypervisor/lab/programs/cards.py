"""The graphics cards that a program sees, and their memory: the lab's keeper gives shares of it.

Outside a lab (in tests of a program alone) PHOENIX_LAB_CARD_BYTES says how much the one card has.
"""

import os
import re
from typing import Any, NamedTuple

import hub

ALONE = "PHOENIX_LAB_CARD_BYTES"


class CardsError(Exception):
    """What the driver says."""


class Taken(NamedTuple):
    """Memory of a card that is ours as long as this is kept."""

    taken: int
    free: int
    total: int
    connection: Any = None


def visible() -> list[int]:
    """Return the numbers of the cards a program may use, as CUDA orders them."""
    if ALONE in os.environ:
        return [0]
    found = sorted(int(name[6:]) for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("NVIDIA_VISIBLE_DEVICES") or "all"
    if chosen == "all":
        return found
    numbers = []
    for word in chosen.split(","):
        if not word.strip().isdecimal() or int(word) >= len(found):
            break  # as CUDA does: what follows is not seen either
        numbers.append(found[int(word)])
    return numbers


def size(number: int) -> tuple[int, int]:
    """Return a card's memory and how much of it is free, in bytes. Raises CardsError."""
    if ALONE in os.environ:
        return int(os.environ[ALONE]), int(os.environ[ALONE])
    told = hub.ask("cards")
    rows = told["cards"] if told else []
    if number >= len(rows):
        raise CardsError("RuntimeError: No CUDA GPUs are available")
    return int(rows[number]["total"]), int(rows[number]["free"])


def take(number: int, wanted: int) -> Taken:
    """Take memory of a card; less is taken (nothing) when there is not as much. Raises CardsError."""
    if ALONE in os.environ:
        total = int(os.environ[ALONE])
        return Taken(min(wanted, total), total, total)
    asked = hub.opened("memory", card=number, bytes=wanted)
    if asked is None or "error" in asked[1]:
        raise CardsError("RuntimeError: No CUDA GPUs are available")
    connection, told = asked
    return Taken(wanted if told["taken"] else 0, int(told["free"]), int(told["total"]), connection)


def gib(size: int) -> str:
    """Return bytes in GiB, as vLLM writes them."""
    return f"{size / (1 << 30):.2f}".rstrip("0").rstrip(".")
