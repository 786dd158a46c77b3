"""One look at a node: `phoenix plan`, and `phoenix apply` for what may be repaired.

Each is a process of its own: whatever leaks, hangs or dies in a look is gone with it; the watcher lives on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import PhoenixError
from ..process import Broken, Child
from ..records.files import forget
from .standing import Standing, standing

if TYPE_CHECKING:
    from ..records.traces import TracedLooks

SECONDS = 3600.0
"""How long one process may take: an apply that pulls a template may take long."""
EFFECTS = ("hot", "reload")
"""What may ever be done unattended."""


class Looking:
    """Looks at nodes, several at once. `stop` lets steps that are running end, and begins nothing more."""

    def __init__(
        self, seconds: float = SECONDS, options: Sequence[str] = (), traces: TracedLooks | None = None
    ) -> None:
        """`options` are those of the main command that the looks get as well: where their log goes.

        With `traces`, all that is run for one look is one trace.
        """
        self._traces = traces
        self._seconds = seconds
        self._options = tuple(options)
        self._children: set[Child] = set()
        self._changing = threading.RLock()  # `stop` is called from a signal, in whatever thread has it
        self._stopped = False

    def look(self, site: Path, node: str, converge: str) -> Standing:
        """Return how a node stands; `converge`: up to which effect differences are repaired first."""
        if self._traces is None:
            return self._look(site, node, converge, {})
        with self._traces.look(node) as (environment, note):
            found = self._look(site, node, converge, environment)
            note(found.error, len(found.trouble), found.steps)
            return found

    def _look(self, site: Path, node: str, converge: str, environment: Mapping[str, str]) -> Standing:
        said, plan = self._phoenix(site, environment, "plan", "--json", "--probes", "--host", node)
        if plan is None:
            return Standing(error=said)
        if converge not in EFFECTS or not repairable(plan, converge):
            return standing(plan)
        arguments = ("apply", "--json", "--at-most", converge, "--host", node)
        # without a word: somebody else is changing the node
        _, outcome = self._phoenix(site, environment, *arguments)
        if outcome is None:
            return standing(plan)
        forget(site, str(plan.get("run", "")))  # the apply's record has it all
        return standing(outcome)

    def stop(self) -> None:
        """Stop what is running, as Ctrl-C does: between two steps."""
        with self._changing:
            self._stopped = True
            for child in self._children:
                child.interrupt()

    def valid(self, site: Path) -> str | None:
        """Return what is wrong with a site's files; empty when nothing is, None when that is not known."""
        status, _, said = self._run(site, "validate")
        return None if self._stopped else said if status else ""

    def page(self, site: Path, record: str) -> str:
        """Return the HTML page of a record. Raises PhoenixError."""
        status, out, said = self._run(site, "report", "-", "--out", "-", stdin=record.encode())
        if status:
            raise PhoenixError(said or f"`phoenix report` ended with {status}")
        return out.decode(errors="replace")

    def _phoenix(
        self, site: Path, environment: Mapping[str, str], *arguments: str
    ) -> tuple[str, dict[str, Any] | None]:
        """What a verb complained of, and its document."""
        status, out, said = self._run(site, *arguments, environment=environment)
        try:
            return said, dict(json.loads(out))
        except ValueError:
            return said or f"`phoenix {arguments[0]}` ended with {status}", None

    def _run(
        self,
        site: Path,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, bytes, str]:
        try:
            argv = [
                sys.executable,
                "-m",
                "phoenix_hypervisor",
                "--site",
                str(site),
                *self._options,
                *arguments,
            ]
            child = self._started(argv, {**os.environ, **environment} if environment else None)
        except Broken as error:
            return 1, b"", error.message
        try:
            child.send(stdin, close=True)
            out, err = child.read_to_end(self._seconds)
            return child.wait(self._seconds), out, _first(err)
        except Broken as error:
            child.end()
            return 1, b"", f"`phoenix {arguments[0]}` {error.message}"
        finally:
            with self._changing:
                self._children.discard(child)

    def _started(self, argv: Sequence[str], environment: Mapping[str, str] | None) -> Child:
        with self._changing:
            if self._stopped:
                raise Broken("the watcher is stopping")
            child = Child(argv, env=environment)
            self._children.add(child)
            return child


def repairable(plan: Mapping[str, Any], converge: str) -> bool:
    """Whether something of a plan may be done unattended: weak enough, and destroying nothing."""
    allowed = EFFECTS[: EFFECTS.index(converge) + 1]
    return any(
        entry["steps"] and all(step["effect"] in allowed and not step["destroys"] for step in entry["steps"])
        for entry in plan["entries"]
        if not entry["orphan"]
    )


def _first(err: bytes) -> str:
    """The first thing said on stderr, without the word that says that it is an error."""
    lines = err.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("error: ") if lines else ""
