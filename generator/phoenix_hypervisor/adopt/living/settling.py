"""From a draft to files that are right: whatever the site's rules refuse, or would change, is left out.

What is written is tried as a site of its own in a folder that goes away again. Nobody's files are touched.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...config import Site, load
from ...config.model import InventoryEntry
from ...errors import InputError, UsageError, did_you_mean
from ...graph import closure
from ...resource import Ref
from ...secrets import Store
from . import writing
from .found import Draft, Left, Thing

PARTS = ("configs", "inventory", "verify")
"""What is read of a site that is there."""
GUESTS = ("lxc", "vm")
"""Kinds that are guests themselves."""
Judge = Callable[[Site, Collection[Ref]], Mapping[Ref, str]]
"""What would not be right among resources of a site, were it applied now, and why."""


@dataclass(frozen=True)
class Ground:
    """What the files are written to."""

    node: str
    base: Path | None
    """The site that is there already; None for a new one."""
    entry: InventoryEntry
    """How the node is reached; for a new site."""
    store: Store | None = None

    @property
    def node_is_described(self) -> bool:
        """Whether the node's own file is there, which is somebody's and is not changed."""
        folder = self.base / "configs" / "nodes" if self.base else None
        return folder is not None and any(folder.glob(f"{self.node}.*"))

    def declared(self) -> Site | None:
        """Return the site that is there. Raises InputError."""
        if self.base is None or not self.node_is_described:
            return None
        return load(self.base, self.store)


@dataclass(frozen=True)
class Trial:
    """A draft as a site in a folder that goes away again."""

    draft: Draft
    ground: Ground
    folder: Path

    def texts(self, *, memory: bool = False) -> dict[str, str]:
        """Return the files to write, path → text."""
        ground = self.ground
        head = {} if ground.base else writing.head(ground.node, self.draft, ground.entry)
        whole = not ground.node_is_described
        return {**head, **writing.files(ground.node, self.draft, whole=whole, memory=memory).texts}

    def site(self, *, memory: bool = False) -> Site:
        """Return the site that it makes with what is there. Raises InputError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for part in PARTS:
            if self.ground.base and (self.ground.base / part).is_dir():
                shutil.copytree(self.ground.base / part, self.folder / part)
        for path, text in self.texts(memory=memory).items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8", errors="surrogateescape")
        return load(self.folder, self.ground.store)


def settle(draft: Draft, ground: Ground, judge: Judge, only: Sequence[str] = ()) -> dict[str, str]:
    """Leave out of the draft what cannot stand; return the files to write, path → text.

    `only` are names like `lxc/950` or `lxc`: nothing else is written but what these need. Raises InputError
    when the site that is there is wrong itself, UsageError for a name that nothing has.
    """
    there = ground.declared()
    _leave_declared(draft, ground, there)
    refuse_unknown(draft, only)
    paths = _paths(there, ground.node)
    with tempfile.TemporaryDirectory(prefix="phoenix-adopt-") as name:
        trial = Trial(draft, ground, Path(name) / "site")
        while True:
            site = _accepted(trial, paths)
            wrong = judge(site, _refs(draft, ground.node))
            if not wrong:
                break
            for thing in [one for one in draft.things if _ref(one, ground.node) in wrong]:
                draft.leave(thing, wrong[_ref(thing, ground.node)])
        if only:
            chosen = {_ref(one, ground.node) for one in draft.things if _named(one.key, only)}
            kept = closure(chosen, site.needs)
            draft.things = [one for one in draft.things if _ref(one, ground.node) in kept]
            draft.left = [one for one in draft.left if _named(one.key, only)]
        return _with_memory(trial)


def refuse_unknown(draft: Draft, only: Sequence[str]) -> None:
    """Raise UsageError for a name that nothing on the node has."""
    keys = [one.key for one in draft.things] + [one.key for one in draft.left]
    for text in only:
        if not any(_named(key, [text]) for key in keys):
            known = ["/".join(key).rstrip("/") for key in keys]
            hint = did_you_mean(text, known) or "KIND/NAME, like lxc/950, or a kind alone"
            raise UsageError(f"there is no `{text}` to adopt on the node", hint=hint)


def _named(key: tuple[str, str], only: Sequence[str]) -> bool:
    kind, name = key
    return any(text in (kind, f"{kind}/{name}") for text in only)


def _ref(thing: Thing, node: str) -> Ref:
    return Ref(node, thing.kind, thing.name or node)


def _refs(draft: Draft, node: str) -> list[Ref]:
    return [_ref(thing, node) for thing in draft.things]


def _leave_declared(draft: Draft, ground: Ground, there: Site | None) -> None:
    """Take out what the site says already, and what only the node's own file could say."""
    declared = (
        {(ref.kind, ref.name) for ref in there.resources if ref.host == ground.node} if there else set()
    )
    draft.things = [one for one in draft.things if (one.kind, one.name or ground.node) not in declared]
    draft.left = [one for one in draft.left if (one.kind, one.name or ground.node) not in declared]
    if ground.node_is_described:
        why = f"configs/nodes/{ground.node}.yaml is there already and is not changed"
        for thing in [one for one in draft.things if not one.guest]:
            draft.leave(thing, why)


def _paths(there: Site | None, node: str) -> set[str]:
    """The folders of datasets that the site declares already."""
    resources = there.resources.items() if there else ()
    offers = (offer for ref, one in resources if ref.host == node for offer in one.provides())
    return {offer.key for offer in offers if offer.topic == "path"}


def _accepted(trial: Trial, paths: Collection[str]) -> Site:
    """Leave out what the rules refuse; return what is left as a site."""
    draft = trial.draft
    while True:
        _leave_mounts(draft, paths)
        leave_what_guests_had(draft)
        try:
            return trial.site()
        except InputError as error:
            refused = _refused(error, draft, trial.ground)
            if not refused:
                raise
            for place, why in refused.items():
                draft.leave(draft.things[place], why)


def _refused(error: InputError, draft: Draft, ground: Ground) -> dict[int, str]:
    """Whose fault it is: place among the things → why, the last first."""
    files = writing.files(ground.node, draft, whole=not ground.node_is_described)
    found: dict[int, str] = {}
    for problem in error.problems:
        where = problem.where
        thing = files.said_at(where.file, where.line) if where and not problem.warning else None
        if thing is not None:
            rule = f" [{problem.rule}]" if problem.rule else ""
            said = problem.message.removeprefix(f"{_ref(thing, ground.node)}: ")
            found.setdefault(_place(draft.things, thing), said + rule)
    return dict(sorted(found.items(), reverse=True))


def _place(things: Sequence[Thing], thing: Thing) -> int:
    return next(number for number, one in enumerate(things) if one is thing)


def leave_what_guests_had(draft: Draft) -> None:
    """What belongs to a guest goes with it: there would be a file without the guest itself."""
    there = {one.guest for one in draft.things if one.guest and one.kind in GUESTS}
    for thing in [one for one in draft.things if one.guest and one.guest not in there]:
        draft.leave(thing, "its guest is not described")


def _leave_mounts(draft: Draft, paths: Collection[str]) -> None:
    """A folder that lies in no dataset of the files cannot be declared as a mount; the rest of it can."""
    own = {
        one.settings.get("mountpoint", f"/{one.name}")
        for one in draft.things
        if one.kind == "zfs_dataset" and "/" in one.name
    }
    for thing in draft.things:
        mounts = thing.settings.get("mounts", {}) if thing.kind == "lxc" else {}
        for target, mount in [*mounts.items()]:
            source = mount.get("source")
            if source and not any(f"{source}/".startswith(f"{path}/") for path in (*own, *paths)):
                del mounts[target]
                why = f"mounts.{target}: `{source}` lies in no dataset that is declared"
                draft.left.append(Left(thing.kind, thing.name, why))
        if thing.settings.get("mounts") == {}:
            del thing.settings["mounts"]


def _with_memory(trial: Trial) -> dict[str, str]:
    """Say how much memory the node has, unless more than that is promised on it."""
    draft = trial.draft
    if not trial.ground.node_is_described and draft.memory:
        try:
            trial.site(memory=True)
        except InputError as error:
            draft.left.append(Left("hardware", "memory", f"{draft.memory}: {error.problems[0].message}"))
        else:
            return trial.texts(memory=True)
    return trial.texts()
