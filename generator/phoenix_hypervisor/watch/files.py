"""The site's files while they are watched: while new ones are wrong, the last good ones count."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from ..records.revision import PARTS, digest
from .standing import News, Sort

KEPT = Path(".phoenix/watch/last-good")


class Files:
    """Which folder a look goes by. `valid` returns what is wrong with a site's files, or nothing."""

    def __init__(self, site: Path, valid: Callable[[Path], str | None], tell: Callable[..., None]) -> None:
        self._site = site
        self._valid = valid
        self._tell = tell
        self._looking = threading.Lock()
        self._digest = ""
        self._wrong = ""

    def folder(self) -> Path | None:
        """Return the site's folder, that with its last good files, or None: there never were any."""
        with self._looking:
            with contextlib.suppress(OSError):  # a file that is just being replaced: the next look sees it
                self._follow(digest(self._site))
            if not self._wrong:
                return self._site
            kept = self._site / KEPT
            return kept if kept.is_dir() else None

    def now(self) -> str:
        """Return what the files are at this moment; empty while one of them is being replaced."""
        with contextlib.suppress(OSError):
            return digest(self._site)
        return ""

    def _follow(self, now: str) -> None:
        wrong = self._valid(self._site) if now != self._digest else None
        if wrong is not None:
            self._digest = now
            self._judge(wrong)

    def _judge(self, wrong: str) -> None:
        if wrong and wrong != self._wrong:
            kept = (self._site / KEPT).is_dir()
            going = "the last good ones are gone by" if kept else "nothing is looked at until they are right"
            self._tell(News(Sort.FILES, str(self._site), f"{wrong}; {going}"))
        if not wrong:
            if self._wrong:
                self._tell(News(Sort.FILES_RIGHT, str(self._site)))
            self._keep()
        self._wrong = wrong

    def _keep(self) -> None:
        """Copy what says what there should be; all else of the site is the very same, by links."""
        kept = self._site / KEPT
        new = kept.with_name(kept.name + ".new")
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True, mode=0o700)
            for path in self._site.iterdir():
                if path.name not in PARTS:
                    (new / path.name).symlink_to(path)
                elif path.is_dir():
                    shutil.copytree(path, new / path.name, symlinks=True)
            shutil.rmtree(kept, ignore_errors=True)
            new.rename(kept)
        except OSError:  # the disk is full: better none than older ones
            shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(kept, ignore_errors=True)
