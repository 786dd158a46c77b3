"""What a watcher says: on its terminal, in its record, to whom the site names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..config import load_settings
from ..config.model import SiteHead
from ..records.events import Run
from ..records.files import forget
from ..secretstore import open_store
from .loop import Cycle, Policy
from .notify import notify
from .standing import News


class Voice:
    """Hears cycles, and tells what is news in them."""

    def __init__(self, site: Path, run: Run, tell: Callable[[str], None]) -> None:
        self._site = site
        self._run = run
        self._tell = tell
        self._head: SiteHead | None = None

    def read(self, folder: Path) -> Policy:
        """Return what a folder with right files says of watching, and go by it."""
        self._head = load_settings(folder)
        nodes = frozenset(path.stem for path in (folder / "configs/nodes").glob("[!.]*"))
        return Policy(self._head.watch, nodes)

    def hear(self, cycle: Cycle) -> None:
        """Tell what is news in a look; one in which nothing is leaves no record."""
        if cycle.fresh:
            self.say(*cycle.fresh)
        elif not cycle.standing.steps:
            forget(self._site, cycle.standing.run)

    def say(self, *fresh: News) -> None:
        """Tell news to all."""
        for one in fresh:
            self._tell(str(one))
            self._run.tell("news", one._asdict())
        head = self._head
        if head is not None and head.watch.notify:
            notify(head.watch.notify, head.name, fresh, self._tell, open_store(head.secrets, self._site))
