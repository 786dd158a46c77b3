r"""nginx's configuration: directives with arguments and blocks, written and read.

A `$` begins a variable wherever it stands, also between quotation marks, and nothing takes that from it:
so a text of somebody's goes through `literal`, which refuses one. Between quotation marks nginx knows the
escapes `\"`, `\'`, `\\`, `\t`, `\r` and `\n`, and keeps every other backslash.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_BARE = re.compile(r"""[^\s"'{};#\\]+""")
_NAMED = re.compile(r"\$\{[A-Za-z0-9_]*\}")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_READ = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


class Directive(NamedTuple):
    """One directive: `listen 80;`, or with a block, `server { … }`."""

    name: str
    arguments: tuple[str, ...] = ()
    block: "tuple[Directive, ...] | None" = None


def d(name: str, *arguments: object, block: Iterable[Directive] | None = None) -> Directive:
    """Return a directive; arguments that are no text are written as `str` has them."""
    return Directive(name, tuple(map(str, arguments)), None if block is None else tuple(block))


def literal(text: str) -> str:
    """Return a text that means itself. Raises ValueError for one that nginx would read as another."""
    if "$" in text or any((ord(char) < 32 and char not in "\n\t\r") or ord(char) == 127 for char in text):
        raise ValueError("nginx cannot be told a text with `$` or control characters")
    return text


def word(text: str) -> str:
    """Return an argument as the file has it, in quotation marks where it needs them."""
    if _BARE.fullmatch(text):
        return text
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def write(directives: Iterable[Directive], indent: str = "") -> str:
    """Return directives as text; between those of the top level with a block stands an empty line."""
    lines = []
    for directive in directives:
        head = " ".join(map(word, [directive.name, *directive.arguments]))
        if directive.block is None:
            lines.append(f"{indent}{head};\n")
        else:
            space = "" if indent or not lines or lines[-1] == "\n" else "\n"
            lines.append(f"{space}{indent}{head} {{\n{write(directive.block, indent + '    ')}{indent}}}\n")
    return "".join(lines)


def parse(text: str) -> tuple[Directive, ...]:
    """Read a configuration. Raises ValueError with the line of what is no configuration."""
    tokens = _tokens(text)
    found = _block(tokens, inside=False)
    return tuple(found)


def every(directives: Iterable[Directive], *names: str) -> Iterator[Directive]:
    """Yield all directives of these names, however deep they stand."""
    for directive in directives:
        if directive.name in names:
            yield directive
        yield from every(directive.block or (), *names)


class _Token(NamedTuple):
    text: str
    line: int
    quoted: bool


def _block(tokens: Iterator[_Token], *, inside: bool) -> Iterator[Directive]:
    words: list[_Token] = []
    for token in tokens:
        if token.quoted or token.text not in (";", "{", "}"):
            words.append(token)
            continue
        if token.text == "}":
            if words or not inside:
                raise ValueError(f"line {token.line}: unexpected `}}`")
            return
        if not words:
            raise ValueError(f"line {token.line}: unexpected `{token.text}`")
        below = tuple(_block(tokens, inside=True)) if token.text == "{" else None
        yield Directive(words[0].text, tuple(one.text for one in words[1:]), below)
        words = []
    if words or inside:
        raise ValueError("the file ends within a directive or a block")


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char.isspace():
            line += char == "\n"
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in ";{}":
            yield _Token(char, line, quoted=False)
            at += 1
        else:
            found, end = _quoted(text, at, line) if char in "\"'" else _bare(text, at)
            yield _Token(found, line, quoted=True)
            line += text.count("\n", at, end)
            at = end


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    sign, parts, here = text[at], [], at + 1
    while here < len(text) and text[here] != sign:
        if text[here] == "\\" and here + 1 < len(text):
            parts.append(_READ.get(text[here + 1], text[here : here + 2]))
            here += 2
        else:
            parts.append(text[here])
            here += 1
    if here >= len(text):
        raise ValueError(f"line {line}: a quotation mark is not closed")
    if here + 1 < len(text) and not (text[here + 1].isspace() or text[here + 1] in ";{)"):
        raise ValueError(f"line {line}: unexpected `{text[here + 1]}` behind a quotation mark")
    return "".join(parts), here + 1


def _bare(text: str, at: int) -> tuple[str, int]:
    parts, here = [], at
    while here < len(text) and not text[here].isspace() and text[here] not in ";{":
        named = _NAMED.match(text, here)
        if named:
            parts.append(named[0])
            here = named.end()
        elif text[here] == "\\" and here + 1 < len(text):
            parts.append(_READ.get(text[here + 1], text[here : here + 2]))
            here += 2
        else:
            parts.append(text[here])
            here += 1
    return "".join(parts), here
