"""A secret that is given for one run: on stdin, typed, or in a file. It is kept nowhere."""

from pathlib import Path
from typing import NoReturn

from ..errors import SecretError
from ..secrets import Secret
from .sources import without_newline

MOST_BYTES = 1 << 16


class GivenStore:
    """A store of one value."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self, name: str) -> bytes:  # noqa: ARG002  (there is but one)
        """Return the value."""
        return self._value

    def has(self, name: str) -> bool:  # noqa: ARG002  (there is but one)
        """Tell that there is a value."""
        return True

    def check_writable(self, name: str) -> NoReturn:
        """Refuse: nothing is kept."""
        raise SecretError(f"secret `{name}` was given for this run alone")

    def set(self, name: str, value: bytes) -> NoReturn:  # noqa: ARG002  (as a store has it)
        """Refuse: nothing is kept."""
        self.check_writable(name)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store of secrets cannot be pickled or copied")


def given(name: str, value: bytes) -> Secret:
    """Return a secret of this value. Raises SecretError for an empty one."""
    value = without_newline(value)
    if not value:
        raise SecretError(f"no value was given for `{name}`")
    return Secret(name, GivenStore(value))


def from_file(name: str, path: Path) -> Secret:
    """Return the secret that a file holds. Raises SecretError."""
    try:
        with path.open("rb") as file:
            return given(name, file.read(MOST_BYTES))
    except OSError as error:
        raise SecretError(f"`{name}`: cannot read {path}: {error.strerror}") from error
