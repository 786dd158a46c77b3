"""What readers find on a node: things that can be declared, and things that stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Thing(NamedTuple):
    """Something that can be declared."""

    kind: str
    name: str
    settings: dict[str, Any]
    guest: str = ""
    """Of a guest's own section: the stem of its file, `950-vllm-chat`."""

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Left(NamedTuple):
    """Something of the node that the files do not say; it stays as it is."""

    kind: str
    name: str
    why: str

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}" if self.name else self.kind


Found = Iterator[Thing | Left]
"""What a reader yields, what is built on after what it is built on."""


@dataclass
class Draft:
    """What is to be written about one node."""

    things: list[Thing] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    hardware: dict[str, Any] = field(default_factory=dict)
    """As in a node's file."""
    memory: str = ""
    """How much memory the node has; said when it does not contradict what is there."""
    quota_overcommit: float = 1.0
    """How far the quotas exceed the pools."""

    def add(self, found: Found) -> None:
        """Sort what a reader found into the two lists."""
        for one in found:
            if isinstance(one, Thing):
                self.things.append(one)
            else:
                self.left.append(one)

    def leave(self, thing: Thing, why: str) -> None:
        """Take a thing out, and say why."""
        self.things.remove(thing)
        self.left.append(Left(thing.kind, thing.name, why))
