"""A testinfra backend that asks many questions in one round trip.

A check that asks something nobody has asked yet is stopped (`Unanswered`) and run again later, when
all such questions of all checks of the host have been asked together. Where it is known what was answered
before, it is not stopped: that is a guess at what it will ask next, and it is run again with the new answers.
"""

from collections.abc import Mapping

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from ..errors import HostError
from ..secrets import Text
from ..transport import Answer, Question
from .fleet import Fleet


class Unanswered(BaseException):
    """A question has no answer yet. Not an Exception, so that a check's own `except` lets it pass."""


class BatchBackend(BaseBackend):  # type: ignore[misc]  # testinfra ships no types
    """Answers from what was asked before; `speculating`, it notes a new question instead of asking it."""

    NAME = "phoenix"

    def __init__(self, host: str, fleet: Fleet, before: "BatchBackend | None" = None) -> None:
        """`before` has answers of a while ago: what a check would ask on these is asked ahead."""
        super().__init__(host)
        self._fleet = fleet
        self._before: Mapping[Question, CommandResult] = before._answers if before else {}
        self._encoding = "utf-8"
        self._answers: dict[Question, CommandResult] = {}
        self._open: dict[Question, None] = {}
        self.speculating = False
        self.stops = 0
        """How often a check came to a question without an answer: a run in which it did says nothing."""
        self.trouble: HostError | None = None
        """Why nothing can be asked of it, when it is not its node that is lost."""

    def run(self, command: str, *args: str, **_: object) -> CommandResult:
        """Return the answer to a shell command. Raises HostError when the host is lost."""
        return self._answer(Question(self.get_command(command, *args)))

    def feed(self, command: str, stdin: Text) -> CommandResult:
        """Return the answer to a command that reads text on its stdin: the only way a secret gets there."""
        return self._answer(Question(command, stdin))

    @property
    def open_questions(self) -> list[Question]:
        """What was noted and nobody has asked yet."""
        return list(self._open)

    def take(self, answered: list[Answer] | HostError) -> None:
        """Take the answers to all open questions, or why there are none."""
        questions = self.open_questions
        self._open.clear()
        if isinstance(answered, HostError):
            self.trouble = answered
        else:
            self._note(questions, answered)

    def _answer(self, question: Question) -> CommandResult:
        if question not in self._answers:
            if self.trouble is not None:
                raise self.trouble.with_traceback(None)  # else it grows with each check
            if self.speculating:
                self._open[question] = None
                self.stops += 1
                if question in self._before:
                    return self._before[question]
                raise Unanswered
            self._note([question], self._fleet.transport(self.hostname).ask([question]))
        return self._answers[question]

    def _note(self, questions: list[Question], answers: list[Answer]) -> None:
        for question, answer in zip(questions, answers, strict=True):
            # decoded once, so that the cached readers know a text again by its identity
            self._answers[question] = CommandResult(
                backend=self,
                exit_status=answer.status,
                command=question.command.encode(),
                _stdout=answer.stdout.decode(errors="surrogateescape"),
                _stderr=answer.stderr.decode(errors="surrogateescape"),
            )


def host_of(name: str, fleet: Fleet, before: BatchBackend | None = None) -> tuple[Host, BatchBackend]:
    """Return testinfra's Host for a host of ours, and its backend."""
    backend = BatchBackend(name, fleet, before)
    host = Host(backend)
    backend.set_host(host)
    return host, backend
