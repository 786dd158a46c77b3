"""What runs just now: on a terminal one line that is drawn anew, elsewhere a line a minute.

It tells of the step that spoke last: for how long it runs, and the last line that it printed. Lines that stay
are said through it as well, so that none is written into the one that goes.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import click

AFTER = 1.0
"""Seconds after which a step that still runs is told of."""
EVERY = 0.25
"""Seconds between two drawings."""
ELSEWHERE = 60.0
"""Seconds between two lines about one step where nothing can be drawn anew."""
NAME = 24
"""Characters that are left of a step's name where the line is short."""
CLEAR = "\r\x1b[K"


@dataclass
class Running:
    """A step that runs."""

    called: str
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
        self._running: dict[Hashable, Running] = {}
        self._drawn = ""
        self._drawing: threading.Thread | None = None

    def say(self, line: str) -> None:
        """Say a line that stays."""
        with self._changed:
            self._wipe()
            click.echo(line, err=True)

    def begins(self, key: Hashable, called: str) -> None:
        """Note a step that begins."""
        with self._changed:
            now = self._clock()
            self._running[key] = Running(called, now, spoke=now, told=now)
            if self._drawing is None:
                self._drawing = threading.Thread(target=self._draw_on, name="live", daemon=True)
                self._drawing.start()
            self._changed.notify_all()

    def hears(self, key: Hashable, said: str) -> None:
        """Note what a step printed last."""
        with self._changed:
            if one := self._running.get(key):
                one.said, one.spoke = said, self._clock()

    def ends(self, key: Hashable) -> None:
        """Forget a step that has ended."""
        with self._changed:
            self._running.pop(key, None)
            self._wipe()

    def look(self) -> None:
        """Draw or say what is due now."""
        with self._changed:
            now = self._clock()
            long = [one for one in self._running.values() if now - one.begun >= AFTER]
            if _can_be_drawn_anew():
                if long:
                    self._draw(max(long, key=lambda one: one.spoke), len(long) - 1, now)
                return
            for one in long:
                if now - one.told >= ELSEWHERE:
                    one.told = now
                    click.echo(_line(one, 0, now, 1000), err=True)

    def _draw(self, one: Running, more: int, now: float) -> None:
        line = _line(one, more, now, shutil.get_terminal_size().columns - 1)
        if line != self._drawn:
            self._drawn = line
            sys.stderr.write(CLEAR + line)
            sys.stderr.flush()

    def _wipe(self) -> None:
        if self._drawn:
            self._drawn = ""
            sys.stderr.write(CLEAR)
            sys.stderr.flush()

    def _draw_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._running))
            time.sleep(EVERY)
            self.look()


def _can_be_drawn_anew() -> bool:
    return sys.stderr.isatty()


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
