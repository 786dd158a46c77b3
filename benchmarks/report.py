"""What the benchmark prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from .measure import Run, ratios, spread


class Aim(NamedTuple):
    """A ratio (or what its name says) that shall not be exceeded; with limit 0 it is only said."""

    name: str
    limit: float
    found: Sequence[float]

    @property
    def met(self) -> bool:
        """Whether the median of the pairs keeps the limit."""
        return not self.limit or median(self.found) <= self.limit


def heading(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def runs_table(runs: Mapping[str, Sequence[Run]], floors: Mapping[str, str]) -> None:
    """Print a row a command; `floors` names the command whose time a command's is divided by."""
    wide = max(len(name) for name in runs)
    print(
        f"{'':<{wide}}  {'wall s':>7} {'(min to max)':>15}  {'CPU s':>6} {'peak MB':>8}  x floor (min to max)"
    )
    for name, row in runs.items():
        middle, least, most = spread([run.seconds for run in row])
        cpu, memory = median(run.cpu for run in row), median(run.megabytes for run in row)
        line = f"{name:<{wide}}  {middle:7.2f} {f'({least:.2f} to {most:.2f})':>15}  {cpu:6.2f} {memory:8.0f}"
        if name in floors:
            middle, least, most = spread(ratios(row, runs[floors[name]]))
            line += f"  {middle:.2f} ({least:.2f} to {most:.2f})"
        print(line, flush=True)


def aims_table(aims: Sequence[Aim]) -> None:
    """Print each aim, whether it is met, and the figures."""
    wide = max(len(aim.name) for aim in aims)
    for aim in aims:
        middle, least, most = spread(aim.found)
        word = "" if not aim.limit else "met" if aim.met else "NOT MET"
        limit = f"≤ {aim.limit:.4g}" if aim.limit else ""
        print(f"{aim.name:<{wide}}  {limit:6}   {middle:5.2f} ({least:.2f} to {most:.2f})  {word}")


def parts_table(parts: Sequence[Mapping[str, float]], unit: str, digits: int) -> None:
    """Print the median, least and greatest of each part of some breakdowns."""
    wide = max(len(name) for name in parts[0])
    for name in parts[0]:
        middle, least, most = spread([part[name] for part in parts])
        print(
            f"{name:<{wide}}  {middle:9.{digits}f} ({least:.{digits}f} to {most:.{digits}f}) {unit}",
            flush=True,
        )
