"""Field types that several kinds share. Each keeps one canonical spelling of a value."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .dialects import sizes

_OCTAL = re.compile("0?[0-7]{3,4}")


class RuleError(ValueError):
    """What a model refuses and a rule has an id for: raised by validators, told with the id."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def _on_off(value: object) -> object:
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def _absolute(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or "" in parts[1:] or "." in parts or ".." in parts:
        raise ValueError("must be an absolute path without `//`, `.` or `..`, and not end with `/`")
    if any(ord(char) < 32 for char in path):
        raise ValueError("must not hold control characters")
    return path


def _mode(value: object) -> object:
    # a number is refused: YAML 1.2 reads 0750 as 750, and nobody means 1356 by that
    if not isinstance(value, str) or not _OCTAL.fullmatch(value):
        raise ValueError('must be an octal mode in quotes, like "0750"')
    return value.lstrip("0").rjust(3, "0")


_Written = int | Annotated[str, Field(pattern=sizes.WRITTEN)]
Size = Annotated[int, BeforeValidator(sizes.parse, json_schema_input_type=_Written)]
"""A size in bytes; written `1M`, `1.5G`, `800G`; units are powers of 1024, as ZFS has them."""

OnOff = Annotated[
    str,
    BeforeValidator(_on_off, json_schema_input_type=Literal["on", "off", True, False]),
    Field(pattern="^(on|off)$"),
]
"""A ZFS switch: `on` or `off` (true and false are understood)."""

AbsolutePath = Annotated[str, AfterValidator(_absolute)]
"""An absolute path on the host, in its one spelling."""

Mode = Annotated[
    str,
    BeforeValidator(_mode, json_schema_input_type=Annotated[str, Field(pattern=f"^{_OCTAL.pattern}$")]),
]
"""An octal mode as text without leading zeros: `750`."""

Account = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,30}$")]
"""The name of a Unix user or group."""

WebAddress = Annotated[str, Field(pattern=r"^(https?://[!#-\[\]-~]+|file:///[!#-\[\]-~]+)$")]
"""Where a file is fetched from: http, https, or a `file:///` of the node's; without quotes and spaces."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A file's checksum, as `sha256sum` prints it."""
