"""What runs just now: on a terminal drawn anew again and again, elsewhere a line a minute.

Of an apply, a line for each node and guest is drawn (progress.py); otherwise one about the step that spoke
last: for how long it runs, and the last line that it printed. Lines that stay are said through it as well, so
that none is written into those that go.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..resource import Ref
    from .progress import Progress

AFTER = 1.0
"""Seconds after which a step that still runs is told of."""
EVERY = 0.25
"""Seconds between two drawings."""
ELSEWHERE = 60.0
"""Seconds between two lines about one step where nothing can be drawn anew."""
NAME = 24
"""Characters that are left of a step's name where the line is short."""
CLEAR = "\r\x1b[K"
MOST = 24
"""Lines that are drawn at most, however high the terminal is."""

Key = tuple[Any, str]
"""A resource, or another thing that is worked at, and the title of the step."""


@dataclass
class Running:
    """A step that runs."""

    called: str
    """Where and what, for a line of its own."""
    begun: float
    said: str = ""
    spoke: float = 0.0
    told: float = 0.0
    """When a line about it was said."""


class Live:
    """The steps that run, from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._running: dict[Key, Running] = {}
        self._progress: Progress | None = None
        self._since = 0.0
        self._drawn: list[str] = []
        self.plain = False
        """Nothing is drawn anew, whatever stderr is."""
        self._drawing: threading.Thread | None = None

    def say(self, line: str) -> None:
        """Say a line that stays."""
        with self._changed:
            drawn = self._drawn
            self._wipe()
            click.echo(line, err=True)
            if drawn and self._progress is not None:
                self._draw(drawn)  # many lines that go and come would flicker

    @contextlib.contextmanager
    def following(self, progress: Progress) -> Iterator[None]:
        """Draw how far an apply is, while this is open."""
        with self._changed:
            self._progress, self._since = progress, self._clock()
            self._begin_drawing()
        try:
            yield
        finally:
            with self._changed:
                self._progress = None
                self._wipe()

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Hear an event of the engine: what is followed goes by it."""
        with self._changed:
            if self._progress is not None:
                self._progress.note(event, facts)

    def begins(self, key: Key, called: str) -> None:
        """Note a step that begins."""
        with self._changed:
            now = self._clock()
            self._running[key] = Running(called, now, spoke=now, told=now)
            self._begin_drawing()

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Say what is done while this is open, if it takes long: only where it goes away again."""
        key = (None, what)
        self.begins(key, what)
        self._running[key].told = math.inf
        try:
            yield
        finally:
            self.ends(key)

    def hears(self, key: Key, said: str) -> None:
        """Note what a step printed last."""
        with self._changed:
            if one := self._running.get(key):
                one.said, one.spoke = said, self._clock()

    def ends(self, key: Key) -> None:
        """Forget a step that has ended."""
        with self._changed:
            self._running.pop(key, None)
            if self._progress is None:
                self._wipe()

    def look(self) -> None:
        """Draw or say what is due now."""
        with self._changed:
            now = self._clock()
            long = [one for one in self._running.values() if now - one.begun >= AFTER]
            if self._can_be_drawn_anew():
                size = shutil.get_terminal_size()
                if self._progress is not None and now - self._since >= AFTER:
                    self._draw(self._followed(self._progress, now, size.columns - 1, size.lines - 2))
                elif self._progress is None and long:
                    one = max(long, key=lambda one: one.spoke)
                    self._draw([_line(one, len(long) - 1, now, size.columns - 1)])
                return
            for one in long:
                if now - one.told >= ELSEWHERE:
                    one.told = now
                    click.echo(_line(one, 0, now, 1000), err=True)

    def _followed(self, progress: Progress, now: float, width: int, height: int) -> list[str]:
        """The lines about an apply: how far it is as a whole, and each node and guest."""
        from .screen import paint

        words: dict[Ref, str] = {}
        for (ref, title), one in self._running.items():
            if ref is None:
                continue
            said = f": {one.said}" if one.said else ""
            words[ref] = f"{_cut(title, max(NAME, width // 2))}, {now - one.begun:.0f} s{said}"
        through, all_ = progress.counts
        head = _cut(f"  {through} of {all_} resources, {_lasting(now - self._since)}", width)
        rows = progress.lines(words, width, min(MOST, max(height - 1, 1)))
        return [head, *(f"  {paint(sign, colour, err=True)} {text}" for sign, colour, text in rows)]

    def _draw(self, lines: list[str]) -> None:
        if lines != self._drawn:
            sys.stderr.write(_erased(len(self._drawn)) + "\n".join(lines))
            sys.stderr.flush()
            self._drawn = lines

    def _wipe(self) -> None:
        if self._drawn:
            sys.stderr.write(_erased(len(self._drawn)))
            sys.stderr.flush()
            self._drawn = []

    def _begin_drawing(self) -> None:
        if self._drawing is None:
            self._drawing = threading.Thread(target=self._draw_on, name="live", daemon=True)
            self._drawing.start()
        self._changed.notify_all()

    def _draw_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._running) or self._progress is not None)
            time.sleep(EVERY)
            self.look()

    def _can_be_drawn_anew(self) -> bool:
        return not self.plain and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _erased(lines: int) -> str:
    """What takes that many lines away, from the last one's end."""
    return f"\r\x1b[{lines - 1}A\x1b[J" if lines > 1 else CLEAR


def _lasting(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _line(one: Running, more: int, now: float, width: int) -> str:
    """What is told of a step; rather than what it says, its name is shortened."""
    others = f" (and {more} more)" if more else ""
    said = f": {one.said}" if one.said else ""
    rest = f", {now - one.begun:.0f} s{others}{said}"
    return _cut(f"  … {_cut(one.called, max(NAME, width - 4 - len(rest)))}{rest}", width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


SCREEN = Live()
"""The one screen there is."""
