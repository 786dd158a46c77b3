"""What may be written where a function turns it into what a model holds: found out by trying.

JSON Schema knows nothing of such a function (pydantic's validators of mode `before`). It is pure, as kinds
are, so one value of each sort tells which sorts it takes. A validator that says it itself, with
`json_schema_input_type`, is not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Schema = dict[str, Any]
Turn = Callable[[Any], Any]

_TRIED: Mapping[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "integer": (1, 1024),
    "number": (1.5,),
    "string": ("x", "X", "on", "1G", "0750", "10", "2-10", "80,443", "10.0.0.1", "10.0.0.1/24", "/x"),
    "array": ([], ["x"], [1]),
    "object": ({}, {"x": "x"}),
}
_REFUSALS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def widened(turn: Turn, schema: Schema) -> Schema:
    """Return the schema of what may be written, where `schema` is that of what `turn` makes of it.

    Whatever it leaves as it is must fit the schema; of what it turns into something else, only the sort
    is known. One that takes nothing of all that is tried may take anything.
    """
    fitting = sorts_of(schema)
    kept: list[str] = []
    turned: list[str] = []
    for sort, values in _TRIED.items():
        made = [(value, result) for value in values for result in _tried(turn, value)]
        made = [(value, result) for value, result in made if _fits(result, fitting)]
        if made:
            same = all(type(value) is type(result) and value == result for value, result in made)
            (kept if same else turned).append(sort)
        elif schema and sort in fitting:
            turned.append(sort)  # what it makes of the right ones is not known
    if not any(list(_tried(turn, value)) for values in _TRIED.values() for value in values):
        return {}
    parts: list[Schema] = [schema] if kept and schema else [{"type": sort} for sort in kept]
    return any_of([*parts, *({"type": sort} for sort in turned)])


def takes(turn: Turn, name: str) -> list[Schema]:
    """Return what a whole model's function makes something else of, where it stands in a field."""
    found = []
    for sort, values in _TRIED.items():
        results = (result for value in values for result in _tried(turn, {name: value}))
        if any(isinstance(one, Mapping) and sort_of(one.get(name)) not in (sort, None) for one in results):
            found.append({"type": sort})
    return found


def _tried(turn: Turn, value: Any) -> Iterable[Any]:
    try:
        yield turn(value)
    except _REFUSALS:
        return


def _fits(value: Any, sorts: set[str]) -> bool:
    return (sort := sort_of(value)) in sorts or (sort == "integer" and "number" in sorts)


def sort_of(value: Any) -> str | None:
    """Return JSON's word for a value's sort."""
    if isinstance(value, bool):
        return "boolean"
    sorts: Mapping[str, Any] = {
        "integer": int,
        "number": float,
        "string": str,
        "array": (list, tuple, set, frozenset),
        "object": Mapping,
        "null": type(None),
    }
    return next((sort for sort, types in sorts.items() if isinstance(value, types)), None)


def sorts_of(schema: Schema) -> set[str]:
    """Return the sorts of values that a schema lets in."""
    if "enum" in schema:
        return {sort for value in schema["enum"] if (sort := sort_of(value))}
    if "anyOf" in schema:
        return {sort for part in schema["anyOf"] for sort in sorts_of(part)}
    found = schema.get("type", [*_TRIED])
    return {found} if isinstance(found, str) else set(found)


def any_of(parts: Iterable[Schema]) -> Schema:
    """Return the schema of what fits one of these; several that only name a sort become one."""
    flat: list[Schema] = []
    for part in parts:
        flat += part["anyOf"] if [*part] == ["anyOf"] else [part]
    if {} in flat:
        return {}
    plain = {sort: None for part in flat if [*part] == ["type"] for sort in sorted(sorts_of(part))}
    rest = [part for part in flat if [*part] != ["type"] and part.get("type") not in [*plain]]
    found = [part for number, part in enumerate(rest) if part not in rest[:number]]
    if plain:
        found.append({"type": [*plain] if len(plain) > 1 else next(iter(plain))})
    return found[0] if len(found) == 1 else {"anyOf": found}
