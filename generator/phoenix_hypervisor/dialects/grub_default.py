"""/etc/default/grub and what is beside it: assignments in shell, read without running them.

`grub-mkconfig` runs these files one after the other: /etc/default/grub, then /etc/default/grub.d/*.cfg in the
order of their names. Only what can be read for certain is read; otherwise a ValueError says why not.
"""

import re
from collections.abc import Iterable, Mapping

NORMAL = "GRUB_CMDLINE_LINUX_DEFAULT"
"""The words of normal starts; those for rescue are without them."""
ALWAYS = "GRUB_CMDLINE_LINUX"
_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_COMPOUND = re.compile(
    r"(if|then|else|elif|case|for|while|until|eval|source|unset|read|\.|\{|\(|!|\[)(?![\w/])|\w+[ \t]*\(\)"
)
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)")


def command_line(files: Iterable[tuple[str, str]]) -> str:
    """Return the words that GRUB gives the kernel in normal starts: of (path, text), in order."""
    values = values_of(files)
    return " ".join(filter(None, (values.get(ALWAYS, ""), values.get(NORMAL, ""))))


def values_of(files: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return the two variables after all files. Raises ValueError with the path of what cannot be read."""
    values: dict[str, str] = {}
    for path, text in files:
        try:
            _Reader(text, values).read()
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return {name: value for name, value in values.items() if name in (ALWAYS, NORMAL)}


class _Reader:
    """Goes through one file; values of the files before are known."""

    def __init__(self, text: str, values: dict[str, str]) -> None:
        self._text = text.replace("\\\n", "")
        self._at = 0
        self._values = values

    def read(self) -> None:
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign.isspace() or sign in ";&|":
                self._at += 1
            elif sign == "#":
                self._to_end_of_line()
            else:
                self._statement()

    def _to_end_of_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _statement(self) -> None:
        found = _ASSIGNMENT.match(self._text, self._at)
        if found is None:
            if _COMPOUND.match(self._text, self._at) and ALWAYS in self._text[self._at :]:
                raise ValueError(f"{ALWAYS}… is set by more than plain assignments")
            self._skip_command()
            return
        self._at = found.end()
        name = found[1]
        value = self._value()
        if value is None and name in (ALWAYS, NORMAL):
            raise ValueError(f"what {name} is set to is known only by running it")
        self._values[name] = value or ""

    def _skip_command(self) -> None:
        while self._at < len(self._text) and self._text[self._at] not in "\n;":
            if self._text[self._at] in "'\"":
                self._value()
            else:
                self._at += 1

    def _value(self) -> str | None:
        """Read one word of shell, and go behind it; None if it takes running something to know it."""
        parts: list[str | None] = []
        while self._at < len(self._text) and not (
            self._text[self._at].isspace() or self._text[self._at] in ";&|"
        ):
            sign = self._text[self._at]
            if sign == "'":
                parts.append(self._until("'"))
            elif sign == '"':
                parts.append(self._in_double_quotes())
            else:
                parts.append(self._plain('"', quoted=False))
        known = [part for part in parts if part is not None]
        return "".join(known) if len(known) == len(parts) else None

    def _until(self, sign: str) -> str:
        end = self._text.find(sign, self._at + 1)
        if end < 0:
            raise ValueError(f"a {sign} is not closed")
        found = self._text[self._at + 1 : end]
        self._at = end + 1
        return found

    def _in_double_quotes(self) -> str | None:
        self._at += 1
        parts: list[str | None] = []
        while self._at < len(self._text) and self._text[self._at] != '"':
            parts.append(self._plain('$`"\\\n', quoted=True))
        if self._at >= len(self._text):
            raise ValueError('a " is not closed')
        self._at += 1
        return None if None in parts else "".join(part for part in parts if part is not None)

    def _plain(self, escaped: str, *, quoted: bool) -> str | None:
        """Read one sign, or what begins with it: a variable, a command, a backslash."""
        sign = self._text[self._at]
        self._at += 1
        if sign == "\\" and self._at < len(self._text):
            after = self._text[self._at]
            self._at += 1
            return after if not quoted or after in escaped else sign + after
        if sign == "`":
            self._at -= 1
            self._until("`")
            return None
        if sign != "$":
            return sign
        if self._text.startswith("(", self._at):
            self._behind_command()
            return None
        found = _NAME.match(self._text, self._at)
        if found is None:
            return None if self._text.startswith("{", self._at) else sign
        self._at = found.end()
        return self._values.get(found[1] or found[2], "")

    def _behind_command(self) -> None:
        depth = 0
        while self._at < len(self._text):
            sign = self._text[self._at]
            self._at += 1
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if depth == 0:
                return
        raise ValueError("a $( is not closed")
