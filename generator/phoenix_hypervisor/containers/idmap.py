"""Which user of a container is which of the node: `lxc.idmap` lines, solved from shared ids and read back.

An unprivileged container's ids 0…65535 are the node's 100000…165535. A shared id is cut out of that range:
container 1000 is then the node's 1000 itself, so files on a bind mount have one owner on both sides.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

BASE = 100000
RANGE = 65536
KEY = "lxc.idmap"
EXTENTS = 340
"""So many pieces the kernel takes for one map (user_namespaces(7))."""

_LINE = re.compile(r"([ug])\s+(\d+)\s+(\d+)\s+(\d+)", re.ASCII)
_LARGEST = 2**32 - 2

Shared = Mapping[int, int]
"""Id in the container → id on the node."""


class Span(NamedTuple):
    """Consecutive ids of the container that are consecutive ids of the node."""

    inside: int
    outside: int
    length: int

    def holds(self, inside: int) -> bool:
        """Tell whether an id of the container is among these."""
        return self.inside <= inside < self.inside + self.length


class IdMap(NamedTuple):
    """Who is who for one container."""

    uids: tuple[Span, ...]
    gids: tuple[Span, ...]

    def mapped(self, uid: int, gid: int) -> tuple[int | None, int | None]:
        """Return a container's uid and gid as the node sees them; None for one that is nobody's."""
        return _outside(self.uids, uid), _outside(self.gids, gid)

    def seen(self, uid: int, gid: int) -> tuple[int | None, int | None]:
        """Return the node's uid and gid as the container sees them; None for one it sees as nobody."""
        return _inside(self.uids, uid), _inside(self.gids, gid)


ALL = (Span(0, 0, _LARGEST + 1),)
SAME = IdMap(ALL, ALL)
"""A privileged container: its root is the node's root."""
DEFAULT = IdMap((Span(0, BASE, RANGE),), (Span(0, BASE, RANGE),))
"""An unprivileged container without `lxc.idmap` lines."""


def conflicts(shared: Shared) -> Iterator[str]:
    """Yield what is wrong with ids that should be shared, for a person."""
    own = f"{BASE} to {BASE + RANGE - 1}"
    taken: dict[int, int] = {}
    for inside, outside in sorted(shared.items()):
        if not 0 <= inside < RANGE:
            yield f"container id {inside} is outside of 0 to {RANGE - 1}"
        elif inside == 0:
            yield f"container id 0 must stay node id {BASE}: the files of the container's root belong to that"
        if outside == 0:
            yield f"container id {inside} would be the node's root, and a container must not be that"
        elif not 0 < outside <= _LARGEST:
            yield f"node id {outside} is outside of 1 to {_LARGEST}"
        elif BASE <= outside < BASE + RANGE:
            yield f"node id {outside} lies in {own}, where the containers' own ids are"
        if outside in taken:
            yield f"container ids {taken[outside]} and {inside} cannot both be node id {outside}"
        taken.setdefault(outside, inside)
    pieces = len(_cut(shared))
    if pieces > EXTENTS:
        yield f"that makes {pieces} pieces, and the kernel takes {EXTENTS}: share fewer or neighbouring ids"


def solve(uids: Shared, gids: Shared) -> IdMap:
    """Return the map for shared ids. Raises ValueError that names every conflict."""
    wrong = [
        f"{name}: {said}" for name, shared in (("uids", uids), ("gids", gids)) for said in conflicts(shared)
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return IdMap(_cut(uids), _cut(gids))


def _cut(shared: Shared) -> tuple[Span, ...]:
    """Return the range with the shared ids cut out of it and put in their places, neighbours joined."""
    found: list[Span] = []
    free = 0
    for span in _merged(Span(inside, outside, 1) for inside, outside in shared.items()):
        if span.inside > free:
            found.append(Span(free, BASE + free, span.inside - free))
        found.append(span)
        free = span.inside + span.length
    if free < RANGE:
        found.append(Span(free, BASE + free, RANGE - free))
    return tuple(found)


def lines(found: IdMap) -> tuple[str, ...]:
    """Return the values of the `lxc.idmap` lines; none for what Proxmox does without any."""
    if found in (DEFAULT, SAME):
        return ()
    both = [("u", span) for span in found.uids] + [("g", span) for span in found.gids]
    return tuple(f"{letter} {span.inside} {span.outside} {span.length}" for letter, span in both)


def read(values: Iterable[str], unprivileged: bool) -> IdMap:
    """Read a container's map back from its `lxc.idmap` values. Raises ValueError for one that is none."""
    spans: dict[str, list[Span]] = {"u": [], "g": []}
    for value in values:
        found = _LINE.fullmatch(value.strip())
        if not found:
            raise ValueError(f"`{KEY}: {value}` is not `u` or `g` and three numbers")
        spans[found[1]].append(Span(int(found[2]), int(found[3]), int(found[4])))
    if spans["u"] or spans["g"]:
        return IdMap(tuple(_merged(spans["u"])), tuple(_merged(spans["g"])))
    return DEFAULT if unprivileged else SAME


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans in the container's order, those that go on where another ends as one."""
    last: Span | None = None
    for span in sorted(spans):
        if last and span[:2] == (last.inside + last.length, last.outside + last.length):
            last = last._replace(length=last.length + span.length)
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


def shared_ids(spans: Sequence[Span]) -> dict[int, int] | None:
    """Return the shared ids that a map was solved from; None for a map that was made otherwise."""
    found = {
        span.inside + step: span.outside + step
        for span in spans
        if span.outside != BASE + span.inside and span.length <= RANGE
        for step in range(span.length)
    }
    solvable = not any(conflicts(found)) and _cut(found) == tuple(spans)
    return found if solvable else None


class Delegated(NamedTuple):
    """The lines /etc/subuid and /etc/subgid must have, so that the node's root may hand out these ids."""

    subuid: tuple[str, ...]
    subgid: tuple[str, ...]


def delegated(found: IdMap) -> Delegated:
    """Return the lines a map needs in both files; none for a privileged container."""
    if found == SAME:
        return Delegated((), ())
    return Delegated(_delegations(found.uids), _delegations(found.gids))


def _delegations(spans: Iterable[Span]) -> tuple[str, ...]:
    own = [f"root:{BASE}:{RANGE}"]
    return tuple(own + [f"root:{span.outside}:{span.length}" for span in spans if not _of_the_range(span)])


def _of_the_range(span: Span) -> bool:
    return span.outside >= BASE and span.outside + span.length <= BASE + RANGE


def missing(text: str, needed: Iterable[str]) -> tuple[str, ...]:
    """Return the needed lines whose ids root may not hand out yet, by the text of /etc/subuid or subgid."""
    allowed = sorted(_allowed(text))
    return tuple(line for line in needed if not _covered(line, allowed))


def _allowed(text: str) -> Iterator[tuple[int, int]]:
    for line in text.splitlines():
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in ("root", "0") and first.isdecimal() and count.isdecimal():
            yield int(first), int(first) + int(count)


def _covered(line: str, allowed: Iterable[tuple[int, int]]) -> bool:
    _, first, count = line.split(":")
    return any(start <= int(first) and int(first) + int(count) <= end for start, end in allowed)


def _outside(spans: Iterable[Span], inside: int) -> int | None:
    return next((span.outside + inside - span.inside for span in spans if span.holds(inside)), None)


def _inside(spans: Iterable[Span], outside: int) -> int | None:
    turned = (Span(span.outside, span.inside, span.length) for span in spans)
    return _outside(turned, outside)
