"""Run phoenix and write down what it asks each host: `python -m benchmarks.record FOLDER ARGUMENT…`.

FOLDER then holds, for each host, the floor: one shell script that asks the very same questions.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phoenix_hypervisor.cli import run
from phoenix_hypervisor.secrets import Text
from phoenix_hypervisor.transport import Question
from phoenix_hypervisor.transport.framing import PREPARE
from phoenix_hypervisor.transport.shell import ShellTransport

END = "END-OF-WHAT-IT-READS"


class Recorder:
    """Keeps the questions by host, and stands between phoenix and its transports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, list[str]] = {}
        self.ask, self.lock = ShellTransport.ask, ShellTransport.lock

    def attach(self) -> None:
        """Stand in for the two methods by which phoenix asks; whatever acts is refused."""
        recorder = self

        def ask(transport: ShellTransport, questions: Sequence[Question]) -> Any:
            found = recorder.lines.setdefault(transport.address.host, [])
            found += [line for question in questions for line in _lines(question)]
            return recorder.ask(transport, questions)

        def lock(transport: ShellTransport, path: str, owner: str) -> Any:
            taking = f"exec 9>>{shlex.quote(path)}; flock -n 9; printf '%s\\n' {shlex.quote(owner)} >&9"
            recorder.lines.setdefault(transport.address.host, []).append(taking)
            return recorder.lock(transport, path, owner)

        def act(transport: ShellTransport, command: str, stdin: Text | None = None, _hear: Any = None) -> Any:
            raise AssertionError(f"{transport.address.host} has not converged: {command} {stdin!r}")

        for name, stand_in in (("ask", ask), ("lock", lock), ("act", act)):
            setattr(ShellTransport, name, stand_in)

    def write(self) -> None:
        """Write one script a host."""
        for host, lines in self.lines.items():
            (self.folder / f"{host}.sh").write_text(PREPARE + "\n".join([*lines, ":"]) + "\n")


def _lines(question: Question) -> list[str]:
    # a subshell each, as a syntax error or an `exit` in one must not reach the next
    if question.stdin is None:
        return [f"( {question.command}\n) </dev/null"]
    # the secrets of a generated site are made for it, and its folder is this user's own
    return [f"( {question.command}\n) <<'{END}'", question.stdin.reveal().decode().rstrip("\n"), END]


if __name__ == "__main__":
    record = Recorder(Path(sys.argv[1]))
    record.attach()
    status = run(sys.argv[2:])
    record.write()
    sys.exit(status)
