"""What people were told last: so that one state is told once, though watchers end and begin.

A file of the site's own state. Without it (it was deleted, the disk is full), what is wrong is told again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .standing import Sort, Standing

FILE = Path(".phoenix/watch/told.json")
VERSION = 1


class Memory:
    """How each node stood, and whether the files were wrong, when people were last told."""

    def __init__(self, site: Path) -> None:
        self._path = site / FILE
        self._changing = threading.Lock()
        self._known: dict[str, Any] = {"version": VERSION, "files_wrong": False, "nodes": {}}
        with contextlib.suppress(OSError, ValueError, KeyError):
            read = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(read, dict) and isinstance(read.get("nodes"), dict) and read["version"] == VERSION:
                self._known |= read

    @property
    def files_wrong(self) -> bool:
        """Whether people know that the site's files are wrong."""
        return self._known["files_wrong"] is True

    @files_wrong.setter
    def files_wrong(self, wrong: bool) -> None:
        with self._changing:
            if wrong is not self.files_wrong:
                self._known["files_wrong"] = wrong
                self._write()

    def of(self, node: str) -> Standing | None:
        """Return how a node stood, as far as people know; None: they were told nothing of it."""
        try:
            known = self._known["nodes"][node]
            trouble = {str(name): (Sort(sort), "") for name, sort in known["trouble"].items()}
            return Standing(trouble, error="it was away" if known["away"] else "")
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def keep(self, node: str, standing: Standing) -> None:
        """Note how a node stands, now that people were told."""
        trouble = {name: sort.value for name, (sort, _) in standing.trouble.items()}
        known = {"trouble": trouble, "away": bool(standing.error)}
        with self._changing:
            if self._known["nodes"].get(node) != known:
                self._known["nodes"][node] = known
                self._write()

    def leave(self, nodes: Collection[str]) -> None:
        """Forget all but these nodes."""
        with self._changing:
            self._known["nodes"] = {name: row for name, row in self._known["nodes"].items() if name in nodes}

    def _write(self) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as file:
                json.dump(self._known, file)
            new.replace(self._path)
