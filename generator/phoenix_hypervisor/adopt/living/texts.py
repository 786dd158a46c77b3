"""Several files of a node in one answer, each under a line that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SEPARATOR = "\x1e"


def question(patterns: Iterable[str]) -> str:
    """Return shell that prints every file that is there, under its name; fails where one cannot be read."""
    return f"""\
for file in {" ".join(patterns)}; do
    [ ! -f "$file" ] || {{ printf '\\036%s\\n' "$file"; cat "$file"; }} || exit
done"""


def split(answer: str) -> dict[str, str]:
    """Read the answer into path → text."""
    parts = (part.partition("\n") for part in answer.split(SEPARATOR)[1:])
    return {path: text for path, _, text in parts}


def joined(files: Mapping[str, str]) -> str:
    """Return files as the answer would have them."""
    return "".join(f"{SEPARATOR}{path}\n{text}" for path, text in files.items())
