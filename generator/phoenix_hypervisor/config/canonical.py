"""In which order the keys of a site's files stand, as `phoenix fmt` writes them.

Keys of a model stand as the model has them, head keys before sections. Sections and names keep their
order, for it is the order in which what does not need each other is converged; only what another
section builds on comes before it, and in a guest's file what the guest itself is comes first.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from .. import registry
from ..graph import Loop, order
from ..resource import Kind, Samples
from .layers import EVERY
from .model import GuestHead, InventoryEntry, NodeHead, SiteHead

Shape = Any
"""What may stand at a place: a type, or one of the two below."""


class Sections:
    """A file's sections, with the keys of a head above them."""

    def __init__(self, *heads: type[BaseModel]) -> None:
        self.heads = heads


class Each:
    """Names with settings below; `*` comes first where it has a meaning."""

    def __init__(self, below: Shape, first: str = "") -> None:
        self.below = below
        self.first = first


NODE, GUEST, PROFILE = Sections(NodeHead), Sections(GuestHead), Sections(GuestHead, NodeHead)
BELOW: Mapping[tuple[type[BaseModel], str], Shape] = {
    (SiteHead, "defaults"): NODE,
    (SiteHead, "guest_defaults"): GUEST,
}
FILES: Mapping[str, Shape] = {
    "configs/site": SiteHead,
    "configs/nodes/*": NODE,
    "configs/guests/*": GUEST,
    "configs/profiles/*": PROFILE,
    "inventory/hosts": Each(InventoryEntry),
    "inventory/groups": Each(InventoryEntry),
    "inventory/defaults": InventoryEntry,
}
"""Which files a site has, without their endings, and what stands in them."""


def arranged(shape: Shape, keys: Sequence[str]) -> list[str]:
    """Return the keys of a mapping in their order; what nobody knows comes last."""
    if isinstance(shape, Sections):
        return _sections(shape, keys)
    if isinstance(shape, Each):
        return sorted(keys, key=lambda key: key != shape.first)
    of = _model(shape, keys)
    return _by([*of.model_fields], keys) if of else [*keys]


def below(shape: Shape, key: str | int, keys: Sequence[str] = ()) -> Shape:
    """Return what stands below a key, or in a list's place, of something that has these keys."""
    if isinstance(shape, Sections):
        for head in shape.heads:
            if key in head.model_fields:
                return _hint(head, str(key))
        return _section(str(key)) if key in registry.homes() else None
    if isinstance(shape, Each):
        return shape.below
    if isinstance(key, int):
        return next((get_args(one)[0] for one in _alternatives(shape) if _is_list(one)), None)
    of = _model(shape, keys)
    if of is not None:
        return BELOW.get((of, key)) or (_hint(of, key) if key in of.model_fields else None)
    return next(
        (get_args(one)[1] for one in _alternatives(shape) if get_origin(one) in (dict, Mapping)), None
    )


def _section(name: str) -> Shape:
    kind = registry.kind(name)
    return kind if kind.singleton or kind.scope == "guest" else Each(kind, EVERY)


def _sections(shape: Sections, keys: Sequence[str]) -> list[str]:
    head = [field for of in shape.heads for field in of.model_fields]
    sections = [key for key in keys if key in registry.homes()]
    guest = [key for key in sections if registry.kind(key).scope == "guest"]
    guest.sort(key=lambda key: not registry.kind(key).inhabited)
    others = [key for key in sections if key not in guest]
    with contextlib.suppress(Loop):  # somebody's kinds have each other in their samples: any order will do
        others = order({key: [need for need in others if need in builds_on(key)] for key in others})
    return _by([*head, *guest, *others], keys)


def _by(wanted: Collection[str], keys: Sequence[str]) -> list[str]:
    places = {key: place for place, key in reversed([*enumerate(wanted)])}
    return sorted(keys, key=lambda key: places.get(key, len(places) + len(wanted)))


@cache
def builds_on(name: str) -> frozenset[str]:
    """Return the kinds that a kind's samples have around them: what it is made of, or needs."""
    found = registry.kind(name).samples()
    sets: Iterable[Samples] = [found] if isinstance(found, Samples) else found
    return frozenset(section for one in sets for section in one.around) - {name}


@cache
def _hints(of: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(of, include_extras=True)


def _hint(of: type[BaseModel], key: str) -> Shape:
    return None if issubclass(of, Kind) and key == "name" else _hints(of)[key]


def _alternatives(shape: Shape) -> list[Any]:
    """The types that a type may stand for, without notes."""
    origin: Any = get_origin(shape)
    if origin is Annotated:
        return _alternatives(get_args(shape)[0])
    if origin in (Union, types.UnionType):
        return [one for inner in get_args(shape) for one in _alternatives(inner)]
    return [shape]


def _is_list(shape: Shape) -> bool:
    origin: Any = get_origin(shape)
    return origin in (tuple, list, set, frozenset) and bool(get_args(shape))


def _model(shape: Shape, keys: Sequence[str]) -> type[BaseModel] | None:
    """The model among the alternatives that knows most of the keys."""
    models = [one for one in _alternatives(shape) if isinstance(one, type) and issubclass(one, BaseModel)]
    known: Callable[[type[BaseModel]], int] = lambda of: len({*keys} & of.model_fields.keys())  # noqa: E731
    return max(models, key=known, default=None)
