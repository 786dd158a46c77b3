"""How far an apply is: a line for each node and guest, with what runs there or what it waits for.

Words only, for whoever draws them (live.py). What is still to be done comes from the plan; what happens, from
the engine's events.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..resource import Effect

if TYPE_CHECKING:
    from ..config import Site
    from ..converge.plan import Plan
    from ..resource import Ref

SIGNS = {
    "failed": ("✗", "red"),
    "runs": ("…", "cyan"),
    "waits": ("·", ""),
    "looks": ("·", ""),
    "done": ("✓", "green"),
}
"""State of a lane → its sign and its colour; in the order in which they are kept where lines are few."""
NAME = 28
"""Characters of a node's or a guest's name at most."""


class Line(NamedTuple):
    """One line: a sign in a colour, and text behind it."""

    sign: str
    colour: str
    text: str


@dataclass
class _Lane:
    """A node, or a guest with all that is about it and in it."""

    name: str
    node: str
    open: dict[Ref, None] = field(default_factory=dict)
    """What is still to be done, in order."""
    done: int = 0
    failed: dict[Ref, str] = field(default_factory=dict)


class Progress:
    """What of a plan is done. Not for several threads at once: who draws it has a lock."""

    def __init__(
        self,
        todo: Iterable[Ref],
        lane_of: Callable[[Ref], str],
        node_of: Callable[[str], str],
        needs: Callable[[Ref], Collection[Ref]],
    ) -> None:
        """`todo` in the order of needs; `needs` are those of a resource, and what it comes after."""
        self._lane_of = lane_of
        self._node_of = node_of
        self._needs = needs
        self._lanes: dict[str, _Lane] = {}
        self._held: dict[Ref, str] = {}
        """Resource → the lock that its next step waits for, in words."""
        for ref in todo:
            self._lane(ref).open[ref] = None
        self._sorted = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many resources are through, and how many there are."""
        lanes = self._lanes.values()
        through = sum(lane.done + len(lane.failed) for lane in lanes)
        return through, through + sum(len(lane.open) for lane in lanes)

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """Hear an event of the engine."""
        if event == "looked":
            for ref, status in facts["statuses"].items():
                if status == "ok":
                    self._right(ref)
        ref = facts.get("ref")
        if ref is None:
            return
        lane = self._lane(ref)
        if event == "step":
            self._held.pop(ref, None)
            lane.failed.pop(ref, None)
            lane.open.setdefault(ref)
        elif event == "lock":
            self._held[ref] = f"waits for {facts['lock']}, which {facts['holder']} has"
        elif event == "stuck":
            lane.open.pop(ref, None)
            lane.failed[ref] = str(facts["reason"])

    def _right(self, ref: Ref) -> None:
        lane = self._lanes.get(self._lane_of(ref))
        if lane is not None and (ref in lane.open or ref in lane.failed):
            lane.open.pop(ref, None)
            lane.failed.pop(ref, None)
            lane.done += 1

    def lines(self, running: Mapping[Ref, str], width: int, most: int) -> list[Line]:
        """Return the lines, each at most `width` characters wide, and no more of them than `most`.

        `running` has words for each resource of which a step runs now.
        """
        rows = [row for lane in self._in_order() if (row := self._row(lane, running)) is not None]
        # of many, those of which there is least to say are left out, for a line that says so
        order = [*SIGNS]
        by_worth = sorted(range(len(rows)), key=lambda number: order.index(rows[number][0]))
        kept = sorted(by_worth if len(rows) <= most else by_worth[: max(most - 1, 0)])
        found = [self._line(*rows[number], width) for number in kept]
        if more := len(rows) - len(kept):
            found.append(Line(" ", "", _cut(f"and {more} more", width - 4)))
        return found

    def _lane(self, ref: Ref) -> _Lane:
        name = self._lane_of(ref)
        if name not in self._lanes:
            self._lanes[name] = _Lane(name, self._node_of(name))
        return self._lanes[name]

    def _in_order(self) -> Iterable[_Lane]:
        """The lanes, guests below their node."""
        if self._sorted != len(self._lanes):
            nodes = {
                node: n for n, node in enumerate(dict.fromkeys(one.node for one in self._lanes.values()))
            }
            ordered = sorted(self._lanes.values(), key=lambda one: (nodes[one.node], one.name != one.node))
            self._lanes = {lane.name: lane for lane in ordered}
            self._sorted = len(ordered)
        return self._lanes.values()

    def _row(self, lane: _Lane, running: Mapping[Ref, str]) -> tuple[str, _Lane, str] | None:
        """State, lane, and words about it."""
        here = [(ref, said) for ref, said in running.items() if self._lane_of(ref) == lane.name]
        held = next((said for ref, said in self._held.items() if ref in lane.open), "")
        if here:
            return "runs", lane, "; ".join(f"{ref}: {said}" for ref, said in here)
        if held:
            return "waits", lane, held
        if lane.open:
            blocker = self._blocker(lane)
            if blocker is None:
                return "looks", lane, "is looked at"
            other = self._lane_of(blocker)
            failed = ", which failed" if blocker in self._lanes[other].failed else ""
            place = f"{other}: " if other != lane.name else ""
            return "waits", lane, f"waits for {place}{blocker}{failed}"
        if lane.failed:
            ref, why = next(iter(lane.failed.items()))
            return "failed", lane, f"{ref}: {why.partition(chr(10))[0]}"
        return ("done", lane, "") if lane.done else None

    def _blocker(self, lane: _Lane) -> Ref | None:
        """What the lane's next resource waits for: in another lane, or given up on."""
        seen: set[Ref] = set()
        ahead = [next(iter(lane.open))]
        while ahead:
            for need in self._needs(ahead.pop()):
                if need in seen:
                    continue
                seen.add(need)
                other = self._lanes.get(self._lane_of(need))
                if other is not None and need in other.failed:
                    return need
                if other is not None and need in other.open:
                    if other is not lane:
                        return need
                    ahead.append(need)
        return None

    def _line(self, state: str, lane: _Lane, words: str, width: int) -> Line:
        sign, colour = SIGNS[state]
        wide = min(NAME, max(len(one.name) + 2 * (one.name != one.node) for one in self._lanes.values()))
        name = _cut(lane.name if lane.name == lane.node else f"  {lane.name}", wide)
        through = lane.done + len(lane.failed)
        counted = f"{through}/{through + len(lane.open)}"
        return Line(sign, colour, _cut(f"{name:<{wide}}  {counted:>5}  {words}".rstrip(), width - 4))


def of_plan(site: Site, plan: Plan, *, reboot: bool) -> Progress:
    """Return the progress of an apply that is about to begin."""

    def lane_of(ref: Ref) -> str:
        guest = site.guest_of(ref)
        return guest.name if guest else ref.host

    def needs(ref: Ref) -> Iterator[Ref]:
        yield from site.needs.get(ref, ())
        yield from site.after.get(ref, ())

    todo = {
        entry.ref
        for entry in plan.entries
        if any(reboot or step.effect is not Effect.REBOOT for step in entry.steps)
    }
    ordered = [ref for ref in site.resources if ref in todo]
    orphans = [entry.ref for entry in plan.entries if entry.ref in todo and entry.ref not in site.resources]
    return Progress([*orphans, *ordered], lane_of, site.node_of, lambda ref: [*needs(ref)])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
