"""What can go wrong, said for a person at night: what, where (file:line:column), what to do."""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """The exit status of every verb. Over several nodes 1 wins, then 3, then 2."""

    OK = 0
    """Converged, or nothing to do."""
    FAILED = 1
    """Something failed: a check, a step, or bad input."""
    PENDING = 2
    """Changes are pending (`plan`, `render --check`); after an `apply`, only reboots."""
    UNKNOWN = 3
    """We could not tell: a node did not answer, a tool was missing, a check broke."""
    USAGE = 64
    """The command line was wrong."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""

    @classmethod
    def worst(cls, codes: Iterable["ExitCode"]) -> "ExitCode":
        """Return the one that wins over several nodes."""
        seen = set(codes)
        for code in (cls.FAILED, cls.UNKNOWN, cls.PENDING):
            if code in seen:
                return code
        return cls.OK


class Where(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One thing wrong with the input, with its place and what to do about it."""

    message: str
    where: Where | None = None
    hint: str = ""
    rule: str = ""
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        sort = "warning: " if self.warning else ""
        rule = f" [{self.rule}]" if self.rule else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{sort}{self.message}{rule}{hint}"


class PhoenixError(Exception):
    """Expected trouble: shown without a traceback, ends the verb with `code`."""

    code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message + (f"\n  hint: {self.hint}" if self.hint else "")


class InputError(PhoenixError):
    """The site's files are wrong; carries every problem at once, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # what many nodes take from one profile is wrong once
        self.problems = sorted(dict.fromkeys(problems), key=_file_order)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(PhoenixError):
    """The command line asks for something that does not exist or does not fit."""

    code = ExitCode.USAGE


class HostError(PhoenixError):
    """A host did not answer, or its connection broke: nothing is known about it."""

    code = ExitCode.UNKNOWN


class GuestError(HostError):
    """A guest cannot be entered: nothing is known about what is inside; its node is there."""


class GuestDownError(GuestError):
    """A guest does not run, so nothing can be asked in it: as declared, or because it is not made yet."""


class CheckError(PhoenixError):
    """The checks themselves could not be run: nothing is known about anything."""

    code = ExitCode.UNKNOWN


class SecretError(PhoenixError):
    """A secret is missing or its store cannot be opened. Never holds a value."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean X?` for the nearest known word, or an empty string."""
    import difflib  # only needed when something is already wrong

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _file_order(problem: Problem) -> tuple[str, int, int]:
    return problem.where or Where("", 0, 0)
