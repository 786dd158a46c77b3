"""JSON Schema of what may be written for a type of a model's field."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, reduce
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, PlainValidator, TypeAdapter, WrapValidator
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ..resource import Kind
from ..secrets import Secret
from .kinds_page import described_type, models_in
from .schema_probes import Schema, Turn, any_of, sorts_of, takes, widened

WORDS = ("on", "off", "yes", "no")
"""What is a word in YAML 1.2, and what a switch understands."""
LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
PLAIN: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"enum": [True, False, *WORDS]},
    type(None): {"type": "null"},
    Secret: {"type": "string"},
    Any: {},
}
FUNCTIONS = (BeforeValidator, PlainValidator, WrapValidator)


class Files(NamedTuple):
    """How files meet where a value stands."""

    merged: bool
    """Another file may say the rest: nothing is required."""
    nulls: bool
    """`null` takes back what a weaker file says."""


LAYERED = Files(merged=True, nulls=True)
HEAD = Files(merged=True, nulls=False)
WHOLE = Files(merged=False, nulls=False)


def of_type(hint: Any, files: Files) -> Schema:
    """Return the schema of what may be written for a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return noted(inner[0], inner[1:], files)
    if origin is not None:
        return _of_several(origin, inner, files)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return model(hint, files)
    return dict(PLAIN[hint]) if hint in PLAIN else _of_pydantic(hint)


def _of_several(origin: Any, inner: tuple[Any, ...], files: Files) -> Schema:
    """The schema of a type that is made of others."""
    found: Schema = {}
    if origin is Literal:
        found = {"enum": [*inner]}
    elif origin in (Union, types.UnionType):
        several = any_of(of_type(one, files) for one in inner if one is not types.NoneType)
        found = nullable(several) if types.NoneType in inner else several
    elif origin is tuple and inner[-1] is not Ellipsis:
        each = [of_type(one, WHOLE) for one in inner]
        found = {"type": "array", "prefixItems": each, "minItems": len(each), "maxItems": len(each)}
    elif origin in (tuple, list, set, frozenset):
        found = {"type": "array", "items": of_type(inner[0], WHOLE)}
    elif origin in (dict, Mapping):
        found = _mapping(inner[0], inner[1], files)
    return found


def noted(base: Any, notes: Iterable[Any], files: Files) -> Schema:
    """Return the schema of a type with notes: limits, and functions that take more than it says."""
    notes = [*notes]
    functions = [note for note in notes if isinstance(note, FUNCTIONS)]
    said = next((given for note in reversed(functions) if (given := _input_type(note))), None)
    if said is not None:
        return of_type(said, files)
    schema = {} if any(isinstance(note, PlainValidator) for note in notes) else of_type(base, files)
    schema = _limited(schema, notes)
    if any(isinstance(note, WrapValidator) for note in functions):
        return {}
    turns: list[Any] = [note.func for note in reversed(functions)]
    return widened(_one_after_the_other(turns), schema) if turns else schema


def _input_type(note: BeforeValidator | PlainValidator | WrapValidator) -> Any:
    """What a validator says itself that it takes."""
    given = note.json_schema_input_type
    return None if given in (PydanticUndefined, Any) else given


def _one_after_the_other(turns: list[Turn]) -> Turn:
    return lambda value: reduce(lambda made, turn: turn(made), turns, value)


def _mapping(key: Any, value: Any, files: Files) -> Schema:
    keys = of_type(key, WHOLE)
    below = of_type(value, files)
    found: Schema = {"type": "object", "additionalProperties": nullable(below) if files.nulls else below}
    # keys are read as text, whatever they look like
    return found if sorts_of(keys) != {"string"} or [*keys] == ["type"] else {**found, "propertyNames": keys}


def _limited(schema: Schema, notes: Iterable[Any]) -> Schema:
    found: Schema = {}
    for limit in _limits(notes):
        for name, word in LIMITS.items():
            if (value := getattr(limit, name, None)) is not None:
                found[word] = value
        for number, name in enumerate(("min_length", "max_length")):
            if (value := getattr(limit, name, None)) is not None:
                found |= {LENGTHS[sort][number]: value for sort in sorted(sorts_of(schema) & LENGTHS.keys())}
        if (pattern := getattr(limit, "pattern", None)) is not None:
            found["pattern"] = pattern
    if not found:
        return schema
    return {**schema, **found} if "anyOf" not in schema else {"allOf": [schema, found]}


def _limits(notes: Iterable[Any]) -> Iterator[Any]:
    for note in notes:
        yield from note.metadata if isinstance(note, FieldInfo) else (note,)


def _of_pydantic(hint: Any) -> Schema:
    """What pydantic says of a type that is not ours; one that it cannot say alone may be anything."""
    try:
        found = TypeAdapter(hint).json_schema()
    except PydanticUserError:
        return {}
    return {} if "$defs" in found else found


@cache
def model(of: type[BaseModel], files: Files) -> Schema:
    """Return the schema of a model's settings; a kind's name is its key, and no setting."""
    fields = {
        name: field
        for name, field in of.model_fields.items()
        if not (name == "name" and issubclass(of, Kind))
    }
    documented, hints = field_docs(of), get_type_hints(of, include_extras=True)
    properties = {}
    for name, field in fields.items():
        schema = _field(of, name, Annotated[hints[name], *_outside(field)], files)
        inner = next(models_in(hints[name]), None)
        about = documented.get(name) or (
            inspect.cleandoc(inner.__doc__ or "") if inner else described_type(hints[name])
        )
        schema = {**(nullable(schema) if files.nulls else schema), "description": about}
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, str | int | float) and default != "":
            schema["default"] = default
        properties[name] = schema
    found: Schema = {
        "type": "object",
        "description": inspect.cleandoc(of.__doc__ or ""),
        "properties": properties,
    }
    required = [name for name, field in fields.items() if field.is_required()]
    if required and not files.merged:
        found["required"] = required
    return found | ({"additionalProperties": False} if of.model_config.get("extra") == "forbid" else {})


def _outside(field: FieldInfo) -> tuple[Any, ...]:
    """Limits of a field, wherever they are said; functions are said with its type only."""
    return tuple(note for note in field.metadata if not isinstance(note, FUNCTIONS)) or (None,)


def _field(of: type[BaseModel], name: str, hint: Any, files: Files) -> Schema:
    schema = of_type(hint, files)
    decorators = of.__pydantic_decorators__
    before: list[Turn] = [
        getattr(of, method)
        for method, one in decorators.field_validators.items()
        if one.info.mode != "after" and (name in one.info.fields or "*" in one.info.fields)
    ]
    if before:
        schema = widened(_one_after_the_other(before[::-1]), schema)
    whole = [
        getattr(of, method)
        for method, one in decorators.model_validators.items()
        if one.info.mode == "before"
    ]
    if name == "state" and issubclass(of, Kind) and not of.can_be_absent:
        schema = {"enum": [word for word in schema["enum"] if word != "absent"]}
    return any_of([schema, *(part for turn in whole for part in takes(turn, name))]) if whole else schema


def nullable(schema: Schema) -> Schema:
    """Return the schema that lets in `null` as well."""
    if not schema or ("null" in sorts_of(schema) and "$ref" not in schema):
        return schema
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    if isinstance(schema.get("type"), list):
        return {**schema, "type": [*schema["type"], "null"]}
    return (
        {"anyOf": [*schema["anyOf"], {"type": "null"}]}
        if [*schema] == ["anyOf"]
        else {"anyOf": [schema, {"type": "null"}]}
    )


@cache
def field_docs(of: type) -> dict[str, str]:
    """Return what stands below the fields of a class, and of those it is made from, as text in the source."""
    found: dict[str, str] = {}
    for base in reversed(of.__mro__[: of.__mro__.index(BaseModel)] if BaseModel in of.__mro__ else (of,)):
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):  # made at run time
            continue
        body = ast.parse(source).body[0]
        assert isinstance(body, ast.ClassDef)
        for one, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(one, ast.AnnAssign)
                and isinstance(one.target, ast.Name)
                and isinstance(after, ast.Expr)
            ):
                text = after.value.value if isinstance(after.value, ast.Constant) else None
                found |= {one.target.id: inspect.cleandoc(text)} if isinstance(text, str) else {}
    return found
