"""What the files say of one resource: where each value comes from, what it needs and why, how it is known.

Everything here comes from the files and the code: no host is asked, and of secrets only names are known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..config.layers import EVERY
from ..config.tree import Tree
from ..inspect.checks import check_files
from ..resource import Given, Kind, Ref, Want
from .screen import shown

if TYPE_CHECKING:
    from ..config import Site
    from ..errors import Where

VERSION = 1
INSIDE = "it is inside the guest"
ABOUT = "it is about the guest"
FINISHED = "it is about the finished guest"
GOES_FIRST = "both go away, and this one needed it"
SAID_BY_THE_KIND = "the kind says so"
WIDEST = 60
MARKS = {"probe": "uses it", "notice": "tells, and is no drift", "precondition": "only before it is made"}


def explained(site: Site, ref: Ref) -> dict[str, Any]:
    """Return the explanation as JSON values; docs/plan.md says what each means."""
    resource, guest = site.resources[ref], site.guest_of(ref)
    needs = site.needs[ref]
    return {
        "version": VERSION,
        "resource": ref.full,
        "place": str(site.place(ref)),
        "node": site.node_of(ref.host),
        "guest": guest.name if guest else None,
        "lane": guest.name if guest else ref.host,
        "present": resource.present,
        "values": [*_declared(site, ref), *_defaults(resource, site.places[ref])],
        "given": [
            {
                "topic": one.topic,
                "key": one.key,
                "from": one.ref.full if one.ref else None,
                "value": shown(one.value) if one.value is not None else "",
            }
            for one in _given(resource)
        ],
        "needs": [{"resource": need.full, "why": why(site, ref, need)} for need in needs],
        "needed_by": [
            {"resource": other.full, "why": why(site, other, ref)}
            for other, found in site.needs.items()
            if ref in found
        ],
        "artifacts": [
            {"path": one.path, "template": one.template, "mode": f"{one.mode:04o}", "script": one.script}
            for one in (resource.artifacts() if resource.present else ())
        ],
        "checks": [*_checks(site, ref.kind)],
    }


def why(site: Site, ref: Ref, need: Ref) -> list[str]:
    """Return why a resource needs another: the settings that ask for it, or what stands in the files."""
    resource = site.resources[ref]
    found = [
        f"`{want.attribute}` takes {want.topic} `{want.key}`" + (", only to make it" if want.making else "")
        for want in resource.consumes()
        if any(one.ref == need and _answers(one.key, want) for one in resource.given(want.topic))
    ]
    if str(need) in resource.needs() and need.host == ref.host:
        found.append(_named_in(resource, need.name))
    if not found and not resource.present:
        found.append(GOES_FIRST)
    if not found and (guest := site.guest_of(ref)) and need in site.of_guest(guest.name):
        found.append(INSIDE if ref.host == guest.name else ABOUT if resource.beside else FINISHED)
    return found or [SAID_BY_THE_KIND]


def _answers(key: str, want: Want) -> bool:
    return key == want.key or (not want.exact and want.key.startswith(f"{key}/"))


def _named_in(resource: Kind, name: str) -> str:
    """The setting in which a name stands; a resource's own name may hold it as well."""
    for field in type(resource).model_fields:
        if field not in Kind.model_fields and name in _words(getattr(resource, field)):
            return f"`{field}` names it"
    return "its name says so" if resource.name.startswith(name) else SAID_BY_THE_KIND


def _words(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield key
            yield from _words(below)
    elif isinstance(value, (list, tuple, frozenset)):
        for below in value:
            yield from _words(below)
    else:
        yield value


def _given(resource: Kind) -> list[Given]:
    """What others and the files give to it, each once."""
    found: list[Given] = []
    for topic in dict.fromkeys(want.topic for want in resource.consumes()):
        found += [given for given in resource.given(topic) if given not in found]
    return found


def _declared(site: Site, ref: Ref) -> Iterator[dict[str, Any]]:
    settings = site.places[ref]
    host = site.guest_of(ref) or site.nodes[ref.host]
    section = host.tree.below(ref.kind)
    shared = section.below(EVERY) if section and ref.name in section.value else None
    for path, leaf in _leaves(settings, ()):
        same = _at(shared, path) if shared else None
        every = same is not None and same.where == leaf.where
        yield {
            "attribute": ".".join(map(str, path)),
            "value": leaf.plain(),
            "from": _source(leaf.where, every=every),
            "place": str(leaf.key or leaf.where),
        }


def _leaves(tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Tree]]:
    for key, below in tree.value.items():
        if isinstance(below.value, dict) and below.value:
            yield from _leaves(below, (*path, key))
        else:
            yield (*path, key), below


def _at(tree: Tree | None, path: tuple[str, ...]) -> Tree | None:
    for part in path:
        tree = tree.below(part) if tree else None
    return tree


def _source(where: Where, *, every: bool) -> str:
    """Which layer says it: see docs/configuration.md, what wins."""
    folder, _, file = where.file.rpartition("/")
    name = file.rpartition(".")[0]
    said = {"configs": "the site's defaults", "configs/profiles": f"profile `{name}`"}.get(
        folder, "its own file"
    )
    return f"{said}, for `{EVERY}`" if every else said


def _defaults(resource: Kind, settings: Tree) -> Iterator[dict[str, Any]]:
    for name in type(resource).model_fields:
        if name != "name" and name not in settings.value:
            value = getattr(resource, name)
            yield {"attribute": name, "value": _plain(value), "from": "the kind's default", "place": None}


def _plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value


def _checks(site: Site, kind: str) -> Iterator[dict[str, Any]]:
    """The checks that take the kind, ours or the site's own, read and not run."""
    for path in check_files([kind], site.folder):
        for one in ast.parse(path.read_text(encoding="utf-8")).body:
            takes = isinstance(one, ast.FunctionDef) and kind in [argument.arg for argument in one.args.args]
            if isinstance(one, ast.FunctionDef) and takes and one.name.startswith("test_"):
                marks = [ast.unparse(mark).rpartition(".")[2] for mark in one.decorator_list]
                yield {
                    "name": one.name.removeprefix("test_"),
                    "about": (ast.get_docstring(one) or "").partition("\n")[0],
                    "sort": next((mark for mark in marks if mark in MARKS), "state"),
                    "file": path.name,
                }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield an explanation as a person reads it."""
    yield found["resource"] + ("" if found["present"] else "  should not be there")
    where = f"guest {found['guest']} on {found['node']}" if found["guest"] else f"node {found['node']}"
    yield f"  declared in {found['place']}; {where}; lane {found['lane']}"
    said = [one for one in found["values"] if one["place"]]
    rows = [(one["attribute"], shown(one["value"]), f"{one['from']}, {one['place']}") for one in said]
    yield from _table("values", rows)
    others = [one for one in found["values"] if not one["place"]]
    default = [(one["attribute"], shown(one["value"]), "") for one in others if one["value"] is not None]
    yield from _table("by default", default)
    unmanaged = [one["attribute"] for one in others if one["value"] is None]
    yield from [f"  not managed: {', '.join(unmanaged)}"] if unmanaged else []
    given = [
        (f"{one['topic']} {one['key']}", one["value"], one["from"] or "the files") for one in found["given"]
    ]
    yield from _table("given", given)
    for title in ("needs", "needed by"):
        needs = [(one["resource"], "; ".join(one["why"]), "") for one in found[title.replace(" ", "_")]]
        yield from _table(title, needs)
    artifacts = [
        (one["path"], one["mode"], "a script" if one["script"] else "") for one in found["artifacts"]
    ]
    yield from _table("artifacts", artifacts)
    checks = [(one["name"], MARKS.get(one["sort"], ""), one["about"]) for one in found["checks"]]
    yield from _table("checks", checks)


def _table(title: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"  {title}"
    short = [(first, " ".join(second.split())[:WIDEST], third) for first, second, third in rows]
    widths = [max(len(row[n]) for row in short) for n in range(2)]
    for first, second, third in short:
        yield f"    {first:{widths[0]}}  {second:{widths[1]}}  {third}".rstrip()
