"""What a watcher says: on its terminal, to those who listen to its run, to whom the site names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import load_settings
from ..config.model import SiteHead
from ..errors import PhoenixError
from ..records.events import Run
from ..records.files import forget
from ..secretstore import open_store
from .files import KEPT
from .loop import Cycle, Policy
from .memory import Memory
from .notify import notify
from .standing import BAD, News, Sort, remembered

NOTHING_SEEN: Mapping[str, Any] = {"resources": {}, "steps": [], "round_trips": {}}


class Voice:
    """Hears cycles, and tells what is news in them; unless it is `shown`, not on the terminal.

    A watcher that begins says how things are. Whom the site names is told only what is new to them.
    """

    def __init__(self, site: Path, run: Run, tell: Callable[[str], None], *, shown: bool = True) -> None:
        self._site = site
        self._run = run
        self._tell = tell
        self._shown = shown
        self.memory = Memory(site)
        self._head: SiteHead | None = None
        self._nodes: frozenset[str] | None = None

    def read(self, folder: Path) -> Policy:
        """Return what a folder with right files says of watching, and go by it."""
        self._head = load_settings(folder)
        if folder == self._site and self.memory.files_wrong:  # they were when another watcher ended
            self.say(News(Sort.FILES_RIGHT, str(self._site)))
        nodes = frozenset(path.stem for path in (folder / "configs/nodes").glob("[!.]*"))
        if nodes != self._nodes:
            self._nodes = nodes
            self.memory.leave(nodes)
            self._run.tell("nodes", {"nodes": nodes})
        return Policy(self._head.watch, nodes)

    def hear(self, cycle: Cycle) -> None:
        """Tell of a look, and what is news in it; one in which nothing is leaves no record."""
        facts = {"node": cycle.node, "result": cycle.result, "seconds": round(cycle.seconds, 3)}
        self._run.tell("look", {**facts, **(cycle.standing.seen or NOTHING_SEEN)})
        fresh = tuple(dict.fromkeys((*cycle.fresh, *cycle.untold)))
        self._say(fresh)
        self._notify(cycle.untold)
        self.memory.keep(cycle.node, remembered(self.memory.of(cycle.node), cycle.standing))
        if not fresh and not cycle.standing.steps:
            forget(self._site, cycle.standing.run)

    def say(self, *fresh: News) -> None:
        """Tell news of the files to all."""
        self._say(fresh)
        wrong = fresh[-1].sort is Sort.FILES
        if wrong is not self.memory.files_wrong:
            self._notify(fresh)
            self.memory.files_wrong = wrong

    def _say(self, fresh: Sequence[News]) -> None:
        for one in fresh:
            if self._shown:
                self._tell(str(one))
            self._run.tell("news", {**one._asdict(), "bad": one.sort in BAD})

    def _notify(self, fresh: Sequence[News]) -> None:
        if not fresh:
            return
        with contextlib.suppress(PhoenixError):  # wrong from the beginning, and none were right before
            self._head = self._head or load_settings(self._site / KEPT)
        head = self._head
        if head is None or not head.watch.notify:
            return
        try:
            store = open_store(head.secrets, self._site)
        except PhoenixError as error:
            self._tell(f"nobody was told: {error.message}")
        else:
            notify(head.watch.notify, head.name, fresh, self._tell, store)
