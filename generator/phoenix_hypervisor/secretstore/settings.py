"""The `secrets:` section of configs/site.yaml: where the values of secrets live. Never a value itself."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9._-]+)*")
NAME_RULE = "lower case letters, digits, `.`, `_`, `-`, in parts joined by `/`, like samba/heads"


def is_name(text: str) -> bool:
    """Tell whether a text can be the name of a secret."""
    return NAME.fullmatch(text) is not None


def _name(text: str) -> str:
    if not is_name(text):
        raise PydanticCustomError("secret_name", f"must be the name of a secret: {NAME_RULE}")
    return text


def _public_key(text: str) -> str:
    if not re.fullmatch(r"age1[0-9a-z]+", text):
        raise PydanticCustomError("age_recipient", "must be an age public key: age1…")
    return text


NonEmpty = Annotated[str, StringConstraints(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Source(_Section):
    """Where one secret comes from when it does not live in the age file: exactly one of the three."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The name of an environment variable."""
    file: NonEmpty | None = None
    """A file that holds the value and nothing else; relative to the site folder, `~` is understood."""
    command: Annotated[tuple[NonEmpty, ...], Field(min_length=1)] | None = None
    """A program and its arguments, run in the site folder; what it prints is the value."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Source":
        if len(self.model_fields_set) != 1 or None in (getattr(self, name) for name in self.model_fields_set):
            raise PydanticCustomError(
                "secret_source", "must say one of `env`, `file`, `command`, and only one"
            )
        return self

    def __str__(self) -> str:
        if self.command:
            return f"command {' '.join(self.command)}"
        return f"env {self.env}" if self.env else f"file {self.file}"


class SecretSettings(_Section):
    """Where the site's secrets are, and who may read them."""

    file: NonEmpty = "secrets.age"
    """The age-encrypted file, relative to configs/."""
    identity: NonEmpty = ".phoenix/identity.txt"
    """The private key that opens it, relative to the site folder; PHOENIX_AGE_IDENTITY names another file."""
    recipients: tuple[Annotated[str, AfterValidator(_public_key)], ...] = ()
    """Public keys of the others who may read the file; our own identity always may."""
    sources: dict[Annotated[str, AfterValidator(_name)], Source] = {}
    """Secrets that live elsewhere."""
