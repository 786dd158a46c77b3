"""The kernel's command line: words between spaces, double quotes around what holds some."""

import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import NamedTuple

_WORD = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')


class Parameter(NamedTuple):
    """A name and what it is set to; None for a word without `=`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


@cache
def words(text: str) -> tuple[str, ...]:
    """Split a command line as the kernel does, quotes kept: it protects spaces with `"`, wherever that is."""
    return tuple(_WORD.findall(text))


def parameter(word: str) -> Parameter:
    """Read one word, without the quotes around it or around its value."""
    body = word.removeprefix('"')
    if body != word:
        body = body.removesuffix('"')
    name, equals, value = body.partition("=")
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    return Parameter(name, value if equals else None)


def parameters(text: str) -> tuple[Parameter, ...]:
    """Read the kernel's parameters; what follows `--` is for the first process."""
    found = words(text)
    end = found.index("--") if "--" in found else len(found)
    return tuple(parameter(word) for word in found[:end])


def same_name(one: str, other: str) -> bool:
    """Whether two names are one to the kernel, which makes no difference between `-` and `_`."""
    return one.replace("-", "_") == other.replace("-", "_")


def named(found: Iterable[Parameter], name: str) -> list[Parameter]:
    """Return the parameters of a name, in order; of most, the last one counts."""
    return [one for one in found if same_name(one.name, name)]


def means(one: Parameter, wanted: Parameter) -> bool:
    """Whether a parameter says what is wanted. `intel_iommu` is a list of switches, `on` among them."""
    if same_name(wanted.name, "intel_iommu") and wanted.value == "on":
        return same_name(one.name, wanted.name) and "on" in (one.value or "").split(",")
    return same_name(one.name, wanted.name) and one.value == wanted.value


def counts(wanted: Parameter, found: Iterable[Parameter]) -> str:
    """Return what is said of a parameter: the last word counts. As it is wanted, where it means that."""
    said = named(found, wanted.name)
    if not said:
        return "not there"
    return str(wanted) if means(said[-1], wanted) else str(said[-1])


def in_effect(wanted: Iterable[Parameter], found: Collection[Parameter]) -> bool:
    """Whether what is wanted is what counts of these."""
    return all(counts(one, found) == str(one) for one in wanted)
