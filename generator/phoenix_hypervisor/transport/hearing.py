"""What a command says while it runs, for whoever waits for it; and what of that is left when it is done.

A line that ends in a carriage return is how far it is: on a terminal the next one overwrites it, and so it is
here. So scripts of ours say it (`printf '%s of %s s\\r'`), and so do curl, wget, docker and their like.
"""

import re
from collections.abc import Callable

from ..secrets import Text

Hear = Callable[[str], None]
"""Called with each line while a command runs, in the thread that waits for it."""
LONGEST = 4096
"""Bytes of one line that are kept: what speaks without an end is no line for people."""
_ENDS = re.compile(rb"[\r\n]+")
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-_])")
_MARK = b"\x1e"


class Hearing:
    """Cuts one stream of a command into lines; secrets that it was given are not told."""

    def __init__(self, hear: Hear, stdin: Text | None) -> None:
        self._hear = hear
        self._secrets = stdin if stdin is not None and stdin.has_secret else None
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        *lines, rest = _ENDS.split(self._rest + data)
        self._rest = rest[-LONGEST:]
        for line in lines:
            if _MARK in line:  # the transport's own
                continue
            told = self._secrets.conceal(line) if self._secrets else line
            words = "".join(
                char if char.isprintable() else " "
                for char in _ESCAPES.sub("", told.decode(errors="replace"))
            )
            if words.strip():
                self._hear(" ".join(words.split()))


def settled(said: bytes) -> bytes:
    """Return what is left of what a command said: without what was overwritten on the way."""
    lines = said.replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(line.rpartition(b"\r")[2] for line in lines)
