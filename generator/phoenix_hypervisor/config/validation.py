"""Pydantic's findings, said in our words at the place in the file."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..dialects import docker
from ..errors import Problem, did_you_mean
from ..fields import RuleError
from .tree import Tree

Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model], plain: Mapping[str, Any], tree: Tree, subject: str, problems: list[Problem]
) -> Model | None:
    """Return the model, or None after adding one problem for each thing that is wrong."""
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems.extend(_problem(model, one, tree, subject) for one in found if not _follows(one, found))
        return None


def _follows(one: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Whether a list is too short only because what is wrong in it was left out."""
    inner = (other["loc"] for other in found if len(other["loc"]) > len(one["loc"]))
    return one["type"] == "too_short" and any(loc[: len(one["loc"])] == one["loc"] for loc in inner)


def _problem(model: type[BaseModel], found: ErrorDetails, tree: Tree, subject: str) -> Problem:
    path = _path(found["loc"], tree)
    name = ".".join(str(part) for part in path)
    about = f"{subject}: " if subject else ""
    where = tree.place(*path)
    if found["type"] == "extra_forbidden":
        hint, rule = _known_instead(model, path)
        return Problem(f"{about}unknown key `{name}`", where, hint, rule)
    if found["type"] == "missing":
        return Problem(f"{about}`{name}` is missing", where)
    if found["type"] in ("model_type", "dict_type"):
        return Problem(f"{about}{f'`{name}`' if name else 'the file'} must hold settings", where)
    said = found["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if found["type"] == "too_short":
        said = f"needs at least {found['ctx']['min_length']}"
    named = f"`{name}` " if name else ""
    near = did_you_mean(str(path[-1]), found.get("ctx", {}).get("known", ())) if path else ""
    return Problem(f"{about}{named}{said[:1].lower()}{said[1:]}", where, near, _rule(found, tree))


def _rule(found: ErrorDetails, tree: Tree) -> str:
    """The id of what is wrong: what the model says of it; a name that stands as a key is wrong as one."""
    error = found.get("ctx", {}).get("error")
    if isinstance(error, RuleError):
        return error.rule
    loc, ctx = found["loc"], found.get("ctx", {})
    if (loc == ("name",) and tree.below("name") is None) or loc[-1:] == ("[key]",):
        return "V-05"
    if ctx.get("pattern") == docker.PINNED:
        return "V-41"
    return "V-47" if loc[-1:] == ("hostname",) and "pattern" in ctx else ""


def _known_instead(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, str]:
    """What an unknown key may have meant, and the rule: a known one elsewhere is only misplaced (V-04)."""
    known, key = _fields_at(model, path[:-1]), str(path[-1])
    near = did_you_mean(key, known)
    homes = [] if near else list(dict.fromkeys(_homes(model, key)))
    if homes:
        return f"`{key}` belongs to {' or '.join(f'`{home}`' for home in homes[:3])}", "V-04"
    return near or (f"known: {', '.join(sorted(known))}" if known else ""), "V-03"


def _homes(model: type[BaseModel], key: str, path: str = "", depth: int = 4) -> Iterator[str]:
    """Yield where in a model a key is known, below its own level: `net.NAME`."""
    for name, field in model.model_fields.items():
        nested = _model_in(field.annotation)
        if nested is None or not depth:
            continue
        several = get_origin(field.annotation) is dict
        here = f"{path}{name}.NAME" if several else f"{path}{name}"
        if key in nested.model_fields:
            yield here
        yield from _homes(nested, key, f"{here}.", depth - 1)


def _path(loc: tuple[int | str, ...], tree: Tree) -> tuple[int | str, ...]:
    """A place as the file has it: without pydantic's own machinery, `function-before[…]`, `[key]`."""
    path: list[int | str] = []
    here: Tree | None = tree
    for part in loc:
        below = here.below(part) if here else None
        if below is not None or not str(part).endswith("]"):
            path.append(part)
            here = below
    return tuple(path)


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys a model knows at a path, as far down as models are nested in it."""
    fields = model.model_fields
    for part in path:
        below = fields.get(str(part))
        nested = _model_in(below.annotation) if below else None
        if nested is None:
            return [] if below is None and not isinstance(part, int) else list(fields)
        fields = nested.model_fields
    return [name for name in fields if name != "name"]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
