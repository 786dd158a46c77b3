"""Values of a guest's conf as a person would declare them.

Each reader raises CannotBeSaidError for a value that cannot be declared.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..dialects import property_string, sizes

_LIST = re.compile(r"[\s,;]+")
_MIB = 1 << 20


class CannotBeSaidError(ValueError):
    """A value that no setting can express; the text says what happens to it."""


def text_of(value: str) -> str:
    """Return a text that is not empty."""
    if not value.strip():
        raise CannotBeSaidError("it is empty")
    return value


def switch(value: str) -> bool:
    """Return whether it is on."""
    if property_string.boolean(value) not in ("0", "1"):
        raise CannotBeSaidError(f"`{value}` is neither on nor off")
    return property_string.boolean(value) == "1"


def whole(value: str) -> int:
    """Return a whole number."""
    if not (value.isascii() and value.isdecimal()):
        raise CannotBeSaidError(f"`{value}` is no whole number")
    return int(value)


def number(value: str) -> float:
    """Return a number, without a fraction where there is none."""
    plain = property_string.number(value)
    if not re.fullmatch(r"\d+(\.\d+)?", plain, re.ASCII):
        raise CannotBeSaidError(f"`{value}` is no number")
    return float(plain) if "." in plain else int(plain)


def mebibytes(value: str) -> str:
    """Return a number of MiB as a size."""
    return sizes.show(whole(value) * _MIB)


def disk_size(value: str) -> str:
    """Return a size in its usual spelling."""
    try:
        return sizes.show(sizes.parse(value))
    except ValueError as error:
        raise CannotBeSaidError(f"`{value}` is no size") from error


def words(value: str) -> list[str]:
    """Return the words of a list, however they are parted."""
    return [word for word in _LIST.split(value) if word]


def valid(kind: Any, value: Any) -> Any:
    """Return a value that our own model takes as it is."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors()]
        said = "; ".join(f"`{name}`: {message}" if name else message for name, message in wrong)
        raise CannotBeSaidError(f"{said.replace('Value error, ', '')}; it is left alone") from error
    return value


Reader = Callable[[str], Any]
Readers = Mapping[str, tuple[str, Reader]]
"""Property → the name of our field, and what reads its value."""


def said(values: Mapping[str, str], readers: Readers, model: type[BaseModel], **more: str) -> dict[str, Any]:
    """Return the properties by the names of our fields. All must be known: half a setting is none."""
    unknown = [f"{key}={value}" for key, value in values.items() if key not in readers]
    if unknown:
        raise CannotBeSaidError(f"`{','.join(unknown)}` cannot be declared; it is left alone")
    found = {readers[key][0]: readers[key][1](value) for key, value in sorted(values.items())}
    return dict(valid(model, {**more, **found}))


def storage_of(volume: str) -> str:
    """Return the storage on which a volume lies."""
    storage, colon, _ = volume.partition(":")
    if not colon or volume.startswith("/"):
        raise CannotBeSaidError(f"`{volume}` lies on no storage; it is left alone")
    return storage
