"""Secrets are names. A `Secret` can be passed around freely: whatever prints it prints its name."""

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .errors import SecretError

RUN_KEY = random.token_hex(16)
"""Drawn anew for each run: the key of the digests by which secrets are compared without being told."""


class Store(Protocol):
    """Where the values of secrets live."""

    def value(self, name: str) -> bytes:
        """Return the secret's bytes; raises SecretError when there is none."""

    def has(self, name: str) -> bool:
        """Tell whether there is a value; raises SecretError when that cannot be told."""

    def check_writable(self, name: str) -> None:
        """Raise SecretError when this secret cannot be given a value here."""

    def set(self, name: str, value: bytes) -> bool:
        """Give the secret a value."""


class Unopened:
    """The store of a site loaded for review: names only, no values."""

    def value(self, name: str) -> NoReturn:
        """Refuse: nothing offline needs a value."""
        raise SecretError(f"secret `{name}` was asked for while no store is open")

    has = check_writable = value

    def set(self, name: str, value: bytes) -> NoReturn:  # noqa: ARG002  (as a store has it)
        """Refuse: nothing offline has a value to keep."""
        self.value(name)


class Secret:
    """A named secret. Not a `str`: text of any sort made from it shows `<secret NAME>`."""

    __slots__ = ("_store", "name")

    def __init__(self, name: str, store: Store | None = None) -> None:
        self.name = name
        self._store: Store = store or Unopened()

    def reveal(self) -> bytes:
        """Return the value. Only `process.py` (on its way to a stdin) and this module may call this."""
        return self._store.value(self.name)

    def trouble(self) -> SecretError | None:
        """Return why there is no value, or None when there is one."""
        try:
            self.reveal()
        except SecretError as error:
            return error
        return None

    def known(self) -> bool:
        """Tell whether there is a value."""
        return self._store.has(self.name)

    def closed(self) -> SecretError | None:
        """Return why no value can be kept for it, or None when one can."""
        try:
            self._store.check_writable(self.name)
        except SecretError as error:
            return error
        return None

    def keep(self, value: bytes) -> None:
        """Give it the value that a host has made. Raises SecretError, which does not show it."""
        self._store.set(self.name, value)

    def keyed_digest(self, form: Callable[[bytes], str]) -> str:
        """Return the hex digest sha256(RUN_KEY ":" form(value)), to compare without telling.

        It says nothing to who sees it later. A node computes the same with
        `printf '%s:%s' KEY FORM | sha256sum`.
        """
        try:
            formed = form(self.reveal())
        except UnicodeDecodeError:  # it shows the bytes it failed on
            raise SecretError(f"secret `{self.name}` is not UTF-8 text") from None
        return hashlib.sha256(f"{RUN_KEY}:{formed}".encode()).hexdigest()

    def __str__(self) -> str:
        return f"<secret {self.name}>"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(other.name.encode(), self.name.encode())

    def __hash__(self) -> int:
        return hash(("secret", self.name))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self} cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _only_a_reference,
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "description": "a reference, `!secret NAME`"}


def _only_a_reference(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    raise PydanticCustomError(
        "secret_literal", "a secret must be a reference, never a value: write `!secret NAME`"
    )


class Text:
    """Text for a process's stdin, in parts: plain strings and secrets. Printing it shows names only."""

    __slots__ = ("parts",)

    def __init__(self, *parts: "str | Secret | Encoded") -> None:
        self.parts = parts

    def reveal(self) -> bytes:
        """Return the bytes with every secret in its place. Only `process.py` may call this."""
        return b"".join(part.encode() if isinstance(part, str) else part.reveal() for part in self.parts)

    def keyed_digest(self) -> str:
        """Return the hex digest sha256(RUN_KEY ":" text): `Secret.keyed_digest` for a whole text."""
        return hashlib.sha256(f"{RUN_KEY}:".encode() + self.reveal()).hexdigest()

    @property
    def has_secret(self) -> bool:
        """Tell whether any part is a secret, or holds one."""
        return any(
            isinstance(p, Secret) or (isinstance(p, Encoded) and p.text.has_secret) for p in self.parts
        )

    def conceal(self, said: bytes) -> bytes:
        """Return what a program said after reading this text, without the secrets it repeats."""
        for part in self.parts:
            if isinstance(part, Encoded):
                said = part.text.conceal(said)
            elif isinstance(part, Secret):
                value = part.reveal()
                for piece in filter(None, [value, *value.splitlines()]):
                    said = said.replace(piece, str(part).encode())
        return said

    def __str__(self) -> str:
        return "".join(str(part) for part in self.parts)

    def __repr__(self) -> str:
        return f"Text({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)


class Encoded:
    """A text inside another one, as lines of base64: any byte of it stays whole, whatever surrounds it."""

    __slots__ = ("text",)

    def __init__(self, text: Text) -> None:
        self.text = text

    def reveal(self) -> bytes:
        """Return the lines. Only `Text.reveal` calls this."""
        return base64.encodebytes(self.text.reveal())

    def __str__(self) -> str:
        return str(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoded) and other.text == self.text

    def __hash__(self) -> int:
        return hash(("encoded", self.text))


# Jinja's sandbox, in which templates are rendered, refuses to call what carries this mark.
for _tells in (
    Secret.reveal,
    Secret.keyed_digest,
    Secret.keep,
    Text.reveal,
    Text.keyed_digest,
    Encoded.reveal,
):
    vars(_tells)["unsafe_callable"] = True
