"""From files to settings: which files there are, what is laid under what, which resources come out.

Merge order for a node: `defaults` of site.yaml → the profiles it names, in order → its own file; for a
guest the same from `guest_defaults`. In every section the settings under the name `*` are laid under
each other name's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import registry
from ..errors import Problem, Where, did_you_mean
from .files import read
from .model import GuestHead, NodeHead, SiteHead
from .tree import Tree, merge

if TYPE_CHECKING:
    from ..secrets import Store

EVERY = "*"


def trees(folder: Path, part: str, problems: list[Problem], store: Store | None) -> dict[str, Tree]:
    """Read all files of configs/<part>/; returns stem → content. Notes what is no such file."""
    found: dict[str, Tree] = {}
    for path in sorted((folder / "configs" / part).glob("[!.]*")):
        shown = f"configs/{part}/{path.name}"
        if path.suffix not in (".yaml", ".json"):
            hint = "rename it, or move it out of configs/"
            problems.append(Problem("neither .yaml nor .json: it would be ignored", Where(shown, 1, 1), hint))
            continue
        if path.stem in found:
            said = f"`{path.stem}` is there twice, as .yaml and .json"
            problems.append(Problem(said, Where(shown, 1, 1), "keep one of them", "V-44"))
        tree = read(path, shown, problems, store)
        if tree is not None and isinstance(tree.value, dict):
            found[path.stem] = tree
        elif tree is not None:
            problems.append(Problem("the file must hold sections, `name:` with settings below", tree.where))
    return found


def profiles_in_their_place(
    defaults: Collection[Tree], profiles: Mapping[str, Tree], own: Collection[Tree], problems: list[Problem]
) -> None:
    """Only the files of nodes and guests name profiles, and one that nobody names does nothing."""
    for tree in (*defaults, *profiles.values()):
        below = tree.below("profiles")
        if below is not None:
            hint = "a profile and the defaults cannot name further ones"
            said = "`profiles` belongs into a node's or guest's own file"
            problems.append(Problem(said, below.key, hint, "V-04"))
    lists = [below.value for tree in own if (below := tree.below("profiles")) is not None]
    named = [profile.value for found in lists if isinstance(found, list) for profile in found]
    if any(not problem.warning for problem in problems):
        return  # a file that could not be read may well name it
    for name, tree in profiles.items():
        if name not in named:
            said = f"no node or guest names the profile `{name}`"
            problems.append(Problem(said, tree.where, "", "V-39", warning=True))


def layered(
    subject: str, tree: Tree, defaults: Tree, profiles: Mapping[str, Tree], problems: list[Problem]
) -> Tree:
    """Return a file's content with the defaults and the profiles it names laid under it."""
    merged = _for_its_kind(tree, defaults, profiles)
    wanted = tree.below("profiles")
    for profile in wanted.value if wanted and isinstance(wanted.value, list) else ():
        if not isinstance(profile.value, str):
            continue  # said when the head is read
        if profile.value in profiles:
            merged = merge(merged, profiles[profile.value])
        else:
            hint = did_you_mean(profile.value, profiles) or "profiles are the files of configs/profiles/"
            problems.append(Problem(f"{subject}: no profile `{profile.value}`", profile.where, hint, "V-06"))
    return merge(merged, tree)


@cache
def _inhabited() -> frozenset[str]:
    """The kinds of guests."""
    return frozenset(name for name in registry.homes() if registry.kind(name).inhabited)


def _for_its_kind(tree: Tree, defaults: Tree, profiles: Mapping[str, Tree]) -> Tree:
    """Return the defaults without what is about guests of other kinds: a container's are no machine's."""
    wanted = tree.below("profiles")
    named = [one.value for one in wanted.value] if wanted and isinstance(wanted.value, list) else []
    own = [tree, *(profiles[name] for name in named if isinstance(name, str) and name in profiles)]
    said = {key for one in own if isinstance(one.value, dict) for key in one.value}
    kinds = _inhabited()
    if not said & kinds or not isinstance(defaults.value, dict):
        return defaults
    below = {key: part for key, part in defaults.value.items() if key not in kinds - said}
    return Tree(below, defaults.where, defaults.key)


def sections(
    tree: Tree, head: Collection[str], problems: list[Problem]
) -> Iterator[tuple[str, str | None, Tree]]:
    """Yield (kind, name, settings) of every resource declared in a file; no name where there is only one."""
    kinds = registry.homes()
    for key, section in tree.value.items():
        if key in head:
            continue
        if key not in kinds:
            home = _home(key, tree)
            near = did_you_mean(key, [*kinds, *head]) or "`phoenix kinds` lists what sections there are"
            rule = "V-04" if home else "V-03"
            problems.append(Problem(f"unknown key `{key}`", section.key, home or near, rule))
        elif not isinstance(section.value, dict):
            problems.append(Problem(f"`{key}` must hold settings", section.key))
        elif registry.kind(key).singleton or registry.kind(key).scope == "guest":
            yield key, None, Tree(_without_nulls(section.value), section.where, section.key)
        else:
            yield from ((key, name, settings) for name, settings in _named(key, section, problems))


def _home(key: str, tree: Tree) -> str:
    """Say where a key belongs that is known, and not at the root of this file; empty when it is unknown."""
    heads: dict[str, dict[str, Any]] = {
        "configs/site.yaml": SiteHead.model_fields,
        "configs/nodes/": NodeHead.model_fields,
        "configs/guests/": GuestHead.model_fields,
    }
    for place, known in heads.items():
        if key in known:
            return f"`{key}` belongs into {place}"
    own = [name for name in tree.value if name in registry.homes()]
    sections_with_it = [name for name in own if key in registry.kind(name).model_fields]
    return f"`{key}` belongs below `{sections_with_it[0]}`" if sections_with_it else ""


def _named(kind: str, section: Tree, problems: list[Problem]) -> Iterator[tuple[str, Tree]]:
    shared = section.value.get(EVERY, Tree({}, section.where))
    if not isinstance(shared.value, dict | None):
        problems.append(Problem(f"`{EVERY}` must hold settings", shared.key))
    shared = _known_only(kind, shared, problems)
    for name, settings in section.value.items():
        if name == EVERY:
            continue
        own = Tree({}, settings.where, settings.key) if settings.value is None else settings
        if not isinstance(own.value, dict):
            problems.append(Problem(f"`{name}` must hold settings", settings.key))
            continue
        merged = merge(shared, own)
        yield name, Tree(_without_nulls(merged.value), own.where, own.key)


def _known_only(kind: str, shared: Tree, problems: list[Problem]) -> Tree:
    """Take what a kind does not know out of shared settings: it is wrong once, not once for each name."""
    if not isinstance(shared.value, dict):
        return shared
    fields = [field for field in registry.kind(kind).model_fields if field != "name"]
    for key, tree in shared.value.items():
        if key not in fields:
            said = f"{kind}:{EVERY}: unknown key `{key}`"
            problems.append(Problem(said, tree.key, did_you_mean(key, fields), "V-03"))
    return Tree({key: tree for key, tree in shared.value.items() if key in fields}, shared.where, shared.key)


def _without_nulls(settings: dict[str, Any]) -> dict[str, Any]:
    """A key set to nothing takes back what a lower layer said, at any depth."""
    return {
        key: Tree(_without_nulls(tree.value), tree.where, tree.key) if isinstance(tree.value, dict) else tree
        for key, tree in settings.items()
        if tree.value is not None
    }
