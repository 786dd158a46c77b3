"""The whole import: files in, a site, a report and decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...errors import Problem
from . import defects, guests, machines, node, rest, writing
from .estate import Decision, Estate, Written
from .ledger import Fate
from .source import File


class Imported(NamedTuple):
    """What came of the predecessor's files."""

    files: dict[str, str]
    """The new site: path → text."""
    fates: list[Fate]
    """What became of every leaf of the input."""
    findings: list[Problem]
    """Defects of the input, by their rules."""
    decisions: list[Decision]
    """What a person must say."""


def imported(files: Sequence[File], memory: int | None = None) -> Imported:
    """Turn the predecessor's files into a site; `memory` is the node's, in MiB."""
    estate = Estate([*files])
    there = {**guests.convert(estate), **machines.convert(estate)}
    here = node.convert(estate)
    rest.settle(estate)
    if memory is not None:
        here = {**here, "hardware": {"memory": Written(f"{memory}M", ""), **here.get("hardware", {})}}
    found = defects.find(estate, memory)
    return Imported(writing.site(estate, here, there), estate.ledger.fates(), found, estate.decisions)
