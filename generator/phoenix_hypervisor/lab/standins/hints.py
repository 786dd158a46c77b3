"""Names for annotations: typing and collections.abc cost 3 ms, and stand-ins are started often."""

from __future__ import annotations

__all__ = ["IO", "Any", "Callable", "Iterable", "Iterator", "Mapping", "NoReturn", "Sequence", "TextIO"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import IO, Any, NoReturn, TextIO
else:

    class Any:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    IO = NoReturn = TextIO = Callable = Iterable = Iterator = Mapping = Sequence = Any
