"""The page of kinds, docs/kinds.md: written from each kind's own docstring, fields and samples."""

from __future__ import annotations

import inspect
import io
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .. import fields, registry
from ..dialects import sizes
from ..resource import Kind, Samples
from ..secrets import Secret

HEAD = """\
# Kinds

What can be declared. A section of a node's or guest's file, a profile or the defaults is named after a kind
and maps the names of resources to their settings. `state: absent` is understood by every kind that does not
say otherwise. This page is made by `phoenix kinds --page`.
"""
NAMED: tuple[tuple[Any, str], ...] = (
    (fields.Size, "size, like `800G`"),
    (fields.OnOff, "`on`, `off`"),
    (fields.AbsolutePath, "absolute path"),
    (fields.Mode, 'octal mode in quotes, like `"0750"`'),
    (fields.Account, "user or group name"),
)
PLAIN = {str: "text", int: "number", float: "number", bool: "`true`, `false`", Secret: "`!secret NAME`"}
LIMITS = {
    "ge": "at least {}",
    "le": "at most {}",
    "gt": "more than {}",
    "lt": "less than {}",
    "min_length": "at least {}",
    "max_length": "at most {}",
    "pattern": "matching `{}`",
}


SCOPES = {
    "host": "Belongs to nodes and guests alike.",
    "guest": "Belongs into a guest's file, once: it is about the guest itself.",
}
"""Where a kind may be declared, when that is not only at nodes."""


def page() -> str:
    """Return the whole page, for every kind there is, plugins' kinds among them."""
    return "\n".join([HEAD, *(_chapter(name) for name in registry.homes())])


def sets(kind: type[Kind]) -> list[Samples]:
    """Return a kind's sets of samples; a kind with one set may return it alone."""
    found = kind.samples()
    return [found] if isinstance(found, Samples) else list(found)


GUESTS = "guests"
"""In sections around a sample: file name without ending → the sections of a guest's file."""


def sections(kind: type[Kind], samples: Samples, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the sections of a node's file that declare a resource (None: not) and what it needs.

    What belongs into guests' files stands under `guests`.
    """
    found: dict[str, Any] = {section: dict(below) for section, below in samples.around.items()}
    if settings is None:
        return found
    if samples.inside:
        files = found[GUESTS]
        own = files[samples.inside]
        named = dict(settings) if kind.singleton else {samples.name: dict(settings)}
        own = {**own, kind.kind: {**own.get(kind.kind, {}), **named}}
        return {**found, GUESTS: {**files, samples.inside: own}}
    if kind.singleton:
        return {**found, kind.kind: dict(settings)}
    if kind.scope == "guest":
        files = found.get(GUESTS, {})
        stem = next((stem for stem in files if stem.startswith(f"{samples.name}-")), f"{samples.name}-sample")
        return {**found, GUESTS: {**files, stem: {**files.get(stem, {}), kind.kind: dict(settings)}}}
    return {**found, kind.kind: {**found.get(kind.kind, {}), samples.name: dict(settings)}}


def yaml(tree: Mapping[str, Any]) -> str:
    """Return sections as YAML text that the loader reads back; secrets as `!secret NAME`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Writer(RoundTripRepresenter):
        """Knows secrets, keeps plain lists on a line, and writes again what repeats."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

        def represent_list(self, data: Any) -> Any:
            # libyaml does not read a plain `http://…` inside brackets
            short = not any(isinstance(below, (dict, list)) or ":" in str(below) for below in data)
            return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=short)

    Writer.add_representer(list, Writer.represent_list)
    Writer.add_representer(Secret, lambda writer, secret: writer.represent_scalar("!secret", secret.name))
    writer = YAML()
    writer.Representer = Writer
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 110
    text = io.StringIO()
    writer.dump(dict(tree), text)
    return text.getvalue()


def _chapter(name: str) -> str:
    kind = registry.kind(name)
    first = sets(kind)[0]
    declared = sections(kind, first, first.first)
    own = {name: first.first if kind.scope == "guest" or first.inside else declared[name]}
    if first.inside and not kind.singleton:
        own = {name: {first.name: first.first}}
    lines = [f"## {name}", "", inspect.cleandoc(kind.__doc__ or ""), ""]
    if kind.singleton:
        lines += ["The section holds the settings themselves: there is one for each node.", ""]
    lines += [SCOPES[kind.scope], ""] if kind.scope in SCOPES else []
    if not kind.can_be_absent:
        lines += ["Cannot be declared `absent`.", ""]
    lines += ["| setting | value | default |", "|---|---|---|", *_rows(kind)]
    for model in _nested(kind):
        lines += ["", f"`{model.__name__}`: {inspect.cleandoc(model.__doc__ or '')}", ""]
        lines += ["| setting | value | default |", "|---|---|---|", *_rows(model)]
    return "\n".join([*lines, "", "```yaml", yaml(own).rstrip(), "```", ""])


def _rows(model: type[BaseModel]) -> Iterator[str]:
    hints = get_type_hints(model, include_extras=True)
    for name, declared in model.model_fields.items():
        if issubclass(model, Kind) and name in Kind.model_fields:
            continue
        described = described_type(hints[name]).replace("|", "\\|")
        yield f"| `{name}` | {described} | {_default(declared)} |"


def _default(declared: FieldInfo) -> str:
    if declared.is_required():
        return "required"
    value = declared.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "not managed"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value or value == 0 else "none"


def _nested(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models inside a model's fields, each once."""
    hints = get_type_hints(model, include_extras=True)
    return list(dict.fromkeys(inner for name in model.model_fields for inner in models_in(hints[name])))


def models_in(hint: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in a type, from the outermost."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from models_in(inner)


def described_type(hint: Any) -> str:
    """Return what may be written for a type, in words."""
    if get_origin(hint) is Annotated:
        return _annotated(hint)
    origin, inner = get_origin(hint), [arg for arg in get_args(hint) if arg is not type(None)]
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(described_type(arg) for arg in inner)
    if origin in (tuple, list, frozenset, set):
        return f"list of {described_type(inner[0])}"
    if origin is dict:
        return f"{described_type(inner[0])} → {described_type(inner[1])}"
    return PLAIN.get(hint) or f"`{getattr(hint, '__name__', hint)}`"


def _annotated(hint: Any) -> str:
    base, *notes = get_args(hint)
    for known, words in NAMED:
        of, *wanted = get_args(known)
        if of is base and notes[: len(wanted)] == wanted:
            spell = sizes.show if known is fields.Size else str
            return ", ".join([words, *_limits(notes[len(wanted) :], spell)])
    return ", ".join([described_type(base), *_limits(notes, str)])


def _limits(notes: Iterable[Any], spell: Callable[[Any], str]) -> Iterator[str]:
    """What `Field(…)` asks for, in words."""
    for note in notes:
        for limit in note.metadata if isinstance(note, FieldInfo) else ():
            for name, words in LIMITS.items():
                value = getattr(limit, name, None)
                if value is not None:
                    yield words.format(spell(value))
