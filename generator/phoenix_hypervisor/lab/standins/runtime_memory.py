"""The memory of the node's graphics cards, and who has taken what of it while a connection is open."""

from typing import Any

import model
import nvidia_state

GIB = 1 << 30
SIZE = 16 * GIB
"""Of a card of which nobody has said how much it has."""
RESERVED = 120 << 20
"""What a driver keeps of each card for itself."""


class Memory:
    """Who holds how much of which card."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[int, int]] = {}
        """Descriptor → (number of the card, bytes)."""

    def cards(self) -> list[dict[str, Any]]:
        """Return the driver's cards: name, total, free."""
        rows = nvidia_state.cards(model.read())
        return [
            {"name": row["model"], "total": int(row.get("memory") or SIZE), "free": self._free(number, row)}
            for number, row in enumerate(rows)
        ]

    def _free(self, number: int, row: dict[str, Any]) -> int:
        taken = sum(size for card, size in self._taken.values() if card == number)
        return int(row.get("memory") or SIZE) - RESERVED - taken

    def take(self, descriptor: int, told: dict[str, Any]) -> dict[str, Any]:
        """Give memory of a card to who asked, if there is as much; say how much there was."""
        cards = self.cards()
        number, size = int(told["card"]), int(told["bytes"])
        if not 0 <= number < len(cards):
            raise ValueError(f"there is no card {number}")
        free = cards[number]["free"]
        if size <= free:
            self._taken[descriptor] = (number, size)
        return {"taken": size <= free, **cards[number]}

    def free(self, descriptor: int) -> None:
        """Take back what a connection had."""
        self._taken.pop(descriptor, None)
