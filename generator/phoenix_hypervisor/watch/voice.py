"""What a watcher says: on its terminal, to those who listen to its run, to whom the site names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..config import load_settings
from ..config.model import SiteHead
from ..errors import PhoenixError
from ..records.events import Run
from ..records.files import forget
from ..secretstore import open_store
from .loop import Cycle, Policy
from .notify import notify
from .standing import BAD, News

NOTHING_SEEN: Mapping[str, Any] = {"resources": {}, "steps": [], "round_trips": {}}


class Voice:
    """Hears cycles, and tells what is news in them; unless it is `shown`, not on the terminal."""

    def __init__(self, site: Path, run: Run, tell: Callable[[str], None], *, shown: bool = True) -> None:
        self._site = site
        self._run = run
        self._tell = tell
        self._shown = shown
        self._head: SiteHead | None = None
        self._nodes: frozenset[str] | None = None

    def read(self, folder: Path) -> Policy:
        """Return what a folder with right files says of watching, and go by it."""
        self._head = load_settings(folder)
        nodes = frozenset(path.stem for path in (folder / "configs/nodes").glob("[!.]*"))
        if nodes != self._nodes:
            self._nodes = nodes
            self._run.tell("nodes", {"nodes": nodes})
        return Policy(self._head.watch, nodes)

    def hear(self, cycle: Cycle) -> None:
        """Tell of a look, and what is news in it; one in which nothing is leaves no record."""
        facts = {"node": cycle.node, "result": cycle.result, "seconds": round(cycle.seconds, 3)}
        self._run.tell("look", {**facts, **(cycle.standing.seen or NOTHING_SEEN)})
        if cycle.fresh:
            self.say(*cycle.fresh)
        elif not cycle.standing.steps:
            forget(self._site, cycle.standing.run)

    def say(self, *fresh: News) -> None:
        """Tell news to all."""
        for one in fresh:
            if self._shown:
                self._tell(str(one))
            self._run.tell("news", {**one._asdict(), "bad": one.sort in BAD})
        head = self._head
        if head is None or not head.watch.notify:
            return
        try:
            store = open_store(head.secrets, self._site)
        except PhoenixError as error:
            self._tell(f"nobody was told: {error.message}")
        else:
            notify(head.watch.notify, head.name, fresh, self._tell, store)
