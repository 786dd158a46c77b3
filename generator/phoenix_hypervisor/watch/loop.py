"""The watcher: a thread for each node, each at its own pace; one voice for what is news."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from ..config.model import Watch
from ..errors import ExitCode
from .files import Files
from .pace import Pace
from .standing import News, Standing, news, remembered


class Looks(Protocol):
    """What looks at nodes: `looking.Looking`, or a stand-in of it."""

    def look(self, site: Path, node: str, converge: str) -> Standing:
        """Return how a node stands."""

    def stop(self) -> None:
        """Let what is running end, and begin nothing more."""


class Cycle(NamedTuple):
    """One look at a node, for whoever counts."""

    node: str
    standing: Standing
    seconds: float
    fresh: tuple[News, ...]
    """What is news since this watcher's look before."""
    untold: tuple[News, ...] = ()
    """What is news since people were last told, by this watcher or one before it."""

    @property
    def result(self) -> str:
        """How the look ended: unseen, differs, repaired or right."""
        if self.standing.error:
            return "unseen"
        if self.standing.trouble:
            return "differs"
        return "repaired" if self.standing.repaired else "right"


class Policy(NamedTuple):
    """What the site's files say of watching."""

    watch: Watch
    nodes: frozenset[str]


class Watcher:
    """Looks at a site's nodes until it is stopped. `read` returns the policy of a folder with right files."""

    def __init__(
        self,
        looks: Looks,
        files: Files,
        read: Callable[[Path], Policy],
        hear: Callable[[Cycle], None],
        told: Callable[[str], Standing | None] = lambda _node: None,
    ) -> None:
        """`told` says how a node stood when people were last told of it."""
        self._known = told
        self._looks = looks
        self._files = files
        self._read = read
        self._hear = hear
        self._hearing = threading.Lock()
        self._ending = threading.Event()
        self._nodes: dict[str, _Node] = {}
        self._policy: Policy | None = None

    def run(self, alive: Callable[[], None] = lambda: None, *, every: float = 5.0) -> ExitCode:
        """Watch until `stop`; every so many seconds the files are read again and `alive` is called."""
        try:
            while not self._ending.is_set():
                self._follow_files()
                if all(node.alive for node in self._nodes.values()):
                    alive()
                self._ending.wait(every)
        finally:
            self._ending.set()
            for node in self._nodes.values():
                node.end()
            for node in self._nodes.values():
                node.join()
        return ExitCode.OK

    def once(self) -> list[Standing]:
        """Look at each node once, all at the same time, and return how they stand."""
        self._follow_files(start=False)
        threads = [threading.Thread(target=node.look) for node in self._nodes.values()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [node.last for node in self._nodes.values() if node.last is not None]

    def stop(self) -> None:
        """End after the steps that are running."""
        self._ending.set()
        self._looks.stop()

    def _follow_files(self, *, start: bool = True) -> None:
        """Take over what the files say now: the pace, what may be repaired, which nodes there are."""
        folder = self._files.folder()
        if folder is None:
            return
        policy = self._read(folder)
        self._policy = policy
        for name in self._nodes.keys() - policy.nodes:
            self._nodes.pop(name).end()
        for name in sorted(policy.nodes - self._nodes.keys()):
            node = _Node(name, policy.watch.interval_seconds, self._look, self._told)
            node.told = self._known(name)
            self._nodes[name] = node
            if start:
                self._nodes[name].start()
        for node in self._nodes.values():
            node.pace.interval = policy.watch.interval_seconds

    def _look(self, node: str) -> Standing | None:
        before, folder = self._files.now(), self._files.folder()
        if folder is None or self._policy is None:
            return None
        found = self._looks.look(folder, node, self._policy.watch.converge)
        if found.error and self._files.now() != before:
            return None  # somebody changed the files meanwhile: it may have read half of that
        return found

    def _told(self, cycle: Cycle) -> None:
        if self._ending.is_set() and cycle.standing.error:
            return  # it was we who cut it short
        with self._hearing:
            self._hear(cycle)


class _Node:
    """One node's thread."""

    def __init__(
        self,
        name: str,
        interval: float,
        look: Callable[[str], Standing | None],
        told: Callable[[Cycle], None],
    ) -> None:
        self.pace = Pace(interval, random.random)
        self.last: Standing | None = None
        self.told: Standing | None = None
        """What people know."""
        self._name = name
        self._look = look
        self._told = told
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {name}")

    @property
    def alive(self) -> bool:
        """Whether the thread is still there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._ending.set()

    def join(self) -> None:
        """Wait for the look that is under way."""
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Look once, and tell; whether nothing could be known."""
        began = time.monotonic()
        now = self._look(self._name)
        if now is None:
            return True
        fresh = tuple(news(self._name, self.last, now))
        untold = tuple(news(self._name, self.told, now))
        self.last, self.told = remembered(self.last, now), remembered(self.told, now)
        self._told(Cycle(self._name, now, time.monotonic() - began, fresh, untold))
        return bool(now.error)

    def _run(self) -> None:
        seconds = self.pace.first()
        while not self._ending.wait(seconds):
            seconds = self.pace.next(failed=self.look())
