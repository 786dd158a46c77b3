"""How commands go through a shell's stdin, and how its answers are told apart.

Every command runs in a subshell of its own, through `eval`, so that nothing it does (cd, exit, a
syntax error) reaches the next. Its end is a marker no output can contain by accident: a control
character and a token drawn for this connection.
"""

import secrets as random
import shlex
from collections.abc import Sequence

from ..secrets import Encoded, Secret, Text
from . import Answer

PREPARE = (
    "export LC_ALL=C; PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; "
    "export PATH; unset CDPATH ENV; umask 022\n"
)

Frame = tuple[str | Secret | Encoded, ...]
"""One command as the shell reads it: parts of a Text."""


class Unframed(Exception):  # noqa: N818  (it is a finding; the caller says what it means)
    """The answers do not match the questions."""


class Framing:
    """Frames for one shell, and the way back."""

    def __init__(self) -> None:
        self._token = random.token_hex(16)

    @property
    def end(self) -> bytes:
        """What both streams end with when everything sent was carried out."""
        return f"\x1e{self._token}!\n".encode()

    @property
    def ending(self) -> str:
        """The command that prints `end` on both streams."""
        return f"printf '\\036%s!\\n' {self._token}; printf '\\036%s!\\n' {self._token} >&2\n"

    def frame(self, command: str, stdin: Text | None = None) -> Frame:
        """Return one command, ended by its status and the marker on both streams."""
        body = f"( eval {shlex.quote(command)} ) 9>&-"
        if stdin is None:
            return (f"{body} </dev/null; {self.mark}",)
        # base64 keeps any byte and any last line whole. A heredoc is a pipe in dash, Debian's sh; bash
        # may use an unlinked file of its own for a long one. It is never an argument.
        begin = f"base64 -d <<'{self._token}' | {body}\n"
        return (begin, Encoded(stdin), f"{self._token}\n{self.mark}")

    @property
    def mark(self) -> str:
        """What prints the last command's status behind the marker, and the marker on stderr."""
        return f"printf '\\036%s%s\\n' {self._token} $?; printf '\\036%s\\n' {self._token} >&2\n"

    def script(self, frames: Sequence[Frame]) -> Text:
        """Return a whole shell program out of frames, for a shell that ends after it."""
        return Text(PREPARE, *(part for frame in frames for part in frame))

    def answers(self, out: bytes, err: bytes, count: int) -> list[Answer]:
        """Return the answers of `count` frames from what came on both streams. Raises Unframed."""
        mark = f"\x1e{self._token}".encode()
        outs, errs = out.split(mark)[-count - 1 :], err.split(mark)[-count - 1 :]
        if len(outs) != count + 1 or len(errs) != count + 1:
            raise Unframed
        return [_answer(outs, errs, n) for n in range(count)]


def _answer(outs: list[bytes], errs: list[bytes], n: int) -> Answer:
    """The text before marker n, and the status that stands behind it."""
    status, _, _ = outs[n + 1].partition(b"\n")
    before = outs[n].partition(b"\n")[2] if n else outs[n]
    said = errs[n].partition(b"\n")[2] if n else errs[n]
    return Answer(int(status), before, said)


def concealed(answer: Answer, stdin: Text | None) -> Answer:
    """Return the answer without the secrets that were sent: a tool that fails may repeat what it read."""
    if stdin is None or not stdin.has_secret:
        return answer
    return Answer(answer.status, stdin.conceal(answer.stdout), stdin.conceal(answer.stderr))
