"""What became of every leaf of the input: the first word on a leaf stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...config.tree import Path, Tree, leaves
from ...errors import Where
from ...secrets import Secret
from .source import File, spelled

USED, NORMALISED, REFUSED, OBSOLETE = "used", "normalised", "refused", "obsolete"
FATES = (USED, NORMALISED, REFUSED, OBSOLETE)


class Fate(NamedTuple):
    """What became of one leaf."""

    fate: str
    file: str
    path: str
    where: Where
    value: str
    """As JSON; of a secret, its name."""
    to: str
    """Where it went, or what it became; empty for what went nowhere."""
    why: str


class Ledger:
    """Leaves of all files → their fates."""

    def __init__(self) -> None:
        self._settled: dict[tuple[str, Path], Fate] = {}

    def settle(self, file: str, path: Path, leaf: Tree, fate: str, *, to: str = "", why: str = "") -> None:
        """Say what became of a leaf, unless that is said already."""
        if (file, path) not in self._settled:
            said = Fate(fate, file, spelled(path), leaf.where, shown(leaf.value), to, why)
            self._settled[file, path] = said

    def open(self, file: File) -> list[tuple[Path, Tree]]:
        """Return the leaves of a file that nothing is said of."""
        return [(path, leaf) for path, leaf in leaves(file.tree) if (file.name, path) not in self._settled]

    def fates(self) -> list[Fate]:
        """Return all, in the order of the files."""
        return sorted(self._settled.values(), key=lambda fate: (fate.where, fate.path))


def shown(value: Any) -> str:
    """Return a leaf's value in one line."""
    return f"!secret {value.name}" if isinstance(value, Secret) else json.dumps(value, ensure_ascii=True)


class Part:
    """A part of a file under the ledger's eyes: whatever is read of it can be accounted for."""

    def __init__(self, ledger: Ledger, file: File, tree: Tree, path: Path = ()) -> None:
        self.ledger, self.file, self.tree, self.path = ledger, file, tree, path

    @property
    def origin(self) -> str:
        """Return file and path, for a comment."""
        return f"{self.file.name} {spelled(self.path)}"

    @property
    def where(self) -> Where:
        """Return its place: of its key, where it has one."""
        return self.tree.key or self.tree.where

    def get(self, *keys: str | int) -> Part | None:
        """Return what lies below, or None."""
        found: Part | None = self
        for key in keys:
            tree = found.tree.below(key) if found else None
            found = Part(self.ledger, self.file, tree, (*found.path, key)) if found and tree else None
        return found

    def each(self) -> Iterator[tuple[str, Part]]:
        """Yield the members of a mapping, or the parts of a list with their numbers."""
        if isinstance(self.tree.value, dict):
            for key, tree in self.tree.value.items():
                yield key, Part(self.ledger, self.file, tree, (*self.path, key))
        elif isinstance(self.tree.value, list):
            for at, tree in enumerate(self.tree.value):
                yield str(at), Part(self.ledger, self.file, tree, (*self.path, at))

    def text(self) -> str | None:
        """Return it where it is a text or a number."""
        value = self.tree.value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value if isinstance(value, str) else None

    def number(self) -> int | None:
        """Return it where it is a whole number that is not absurd, or a text that says one."""
        text = self.text()
        return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None

    def flag(self) -> bool | None:
        """Return it where it is true or false."""
        return self.tree.value if isinstance(self.tree.value, bool) else None

    def words(self) -> list[str]:
        """Return the texts of a list; of a text, what stands between its commas or blanks."""
        if isinstance(self.tree.value, str):
            return self.tree.value.replace(",", " ").split()
        return [text for _, part in self.each() if (text := part.text())]

    def used(self, to: str) -> None:
        """It went to that setting as it is."""
        self._settle(USED, to=to)

    def normalised(self, to: str, why: str = "") -> None:
        """It became something else."""
        self._settle(NORMALISED, to=to, why=why)

    def refused(self, why: str) -> None:
        """It was not taken."""
        self._settle(REFUSED, why=why)

    def obsolete(self, why: str) -> None:
        """It means nothing any more."""
        self._settle(OBSOLETE, why=why)

    def _settle(self, fate: str, *, to: str = "", why: str = "") -> None:
        for path, leaf in leaves(self.tree, self.path):
            self.ledger.settle(self.file.name, path, leaf, fate, to=to, why=why)
