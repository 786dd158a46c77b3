"""The last look at each node, told as the record of one run: what `phoenix report` makes its page from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from ..errors import ExitCode
from ..records.events import VERSION, Event, line, who
from .loop import Cycle


@dataclass(frozen=True)
class _Seen:
    """What one look at a node said; `outcome` is that of an apply, if there was one."""

    plan: Mapping[str, Any]
    outcome: Mapping[str, Any]
    code: ExitCode
    seconds: float


class Latest:
    """Hears cycles and keeps the last one of each node. `run` is the watcher's own."""

    def __init__(self, run: str, site: str) -> None:
        self._facts = {"version": VERSION, "run": run}
        self._site = site
        self._seen: dict[str, _Seen] = {}
        self._at = ""
        self._keeping = threading.Lock()
        self.number = 0
        """Of looks so far: a page made since the last one is as it should be."""

    def hear(self, cycle: Cycle) -> None:
        """Keep what a look said; of a node that cannot be looked at, nothing is known any more."""
        document = cycle.standing.document
        plan = document.get("plan", document)
        outcome = document if "plan" in document else {}
        code = ExitCode(document.get("exit", ExitCode.UNKNOWN))
        with self._keeping:
            if cycle.standing.error:
                before = self._seen.get(cycle.node)
                known = plan.get("resources") or (before.plan.get("resources", {}) if before else {})
                notices = {cycle.node: [f"could not be looked at: {cycle.standing.error}"]}
                plan = {"resources": dict.fromkeys(known, "unknown"), "entries": [], "notices": notices}
                outcome, code = {}, ExitCode.UNKNOWN
            self._seen[cycle.node] = _Seen(plan, outcome, code, cycle.seconds)
            self._at = datetime.now(UTC).isoformat(timespec="milliseconds")
            self.number += 1

    def keep(self, nodes: frozenset[str]) -> None:
        """Forget nodes that are watched no longer."""
        with self._keeping:
            self._seen = {node: seen for node, seen in self._seen.items() if node in nodes}

    def words(self) -> str:
        """Return in a line how the nodes stand."""
        with self._keeping:
            codes = [one.code for one in self._seen.values()]
        away = codes.count(ExitCode.UNKNOWN)
        right = codes.count(ExitCode.OK)
        counted = f"{len(codes)} node{'' if len(codes) == 1 else 's'}"
        parts = ((right, "as declared"), (len(codes) - right - away, "not"), (away, "could not be told"))
        return (
            f"{counted}: {', '.join(f'{number} {what}' for number, what in parts if number)}"
            if codes
            else counted
        )

    def text(self) -> str:
        """Return all of it as a record has it, a line an event; empty before the first look."""
        with self._keeping:
            rows = [line({**self._facts, "at": self._at, **event}) for event in self._events()]
        return "".join(f"{row}\n" for row in rows)

    def _events(self) -> Iterator[Event]:
        if not self._seen:
            return
        seen = self._seen.values()
        words = ["phoenix", "watch"]
        run = {"verb": "watch", "arguments": words, "who": who(), "site": self._site, "phoenix": __version__}
        yield {"event": "run", **run}
        plans = [one.plan for one in seen]
        entries = [entry for plan in plans for entry in plan.get("entries", ())]
        yield {
            "event": "plan",
            "plan": {**_merged(plans, "resources", "checks", "notices"), "entries": entries},
        }
        outcomes = [one.outcome for one in seen if one.outcome]
        for outcome in outcomes:
            yield from ({"event": "ran", **step} for step in outcome["steps"])
        if outcomes:
            names = ("resources", "checks", "stuck", "waiting", "reasons", "notices")
            yield {"event": "outcome", **_merged(outcomes, *names)}
        code = ExitCode.worst([one.code for one in seen])
        yield {"event": "end", "exit": int(code), "seconds": max(one.seconds for one in seen)}


def _merged(documents: list[Mapping[str, Any]], *names: str) -> dict[str, dict[str, Any]]:
    """What several documents have under these names, put together."""
    return {
        name: {key: value for one in documents for key, value in one.get(name, {}).items()} for name in names
    }


class Page:
    """The HTML page about the last looks, made when somebody asks and kept until the next look.

    `make` returns the page of a record, or raises PhoenixError.
    """

    def __init__(self, latest: Latest, make: Callable[[str], str]) -> None:
        self._latest = latest
        self._make = make
        self._making = threading.Lock()
        self._made: tuple[int, str] = (0, "")

    def html(self) -> str:
        """Return the page; empty before the first look. Raises PhoenixError."""
        with self._making:
            number, text = self._latest.number, self._latest.text()
            if text and self._made[0] != number:
                self._made = (number, self._make(text))
            return self._made[1] if text else ""
