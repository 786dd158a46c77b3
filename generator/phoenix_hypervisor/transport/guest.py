"""The way into a container: through its node, one attach for a whole batch of questions.

`lxc-attach` is what `pct exec` runs itself, without half a second of Perl before it. The attached
shell gets its program on stdin, so secrets travel as they do to the node.
"""

import shlex
from collections.abc import Sequence

from ..errors import GuestDownError, GuestError
from ..secrets import Text
from . import Answer, Question, Transport
from .framing import Framing, Unframed, concealed
from .hearing import Hear

DOWN = 97
"""The exit status by which the node says that the guest does not run."""


class GuestTransport:
    """Reaches one container with the node's own transport."""

    def __init__(self, host: str, vmid: str, node: Transport) -> None:
        self._host = host
        self._vmid = vmid
        self._node = node
        self._framing = Framing()
        self.trips = 0

    def open(self) -> None:
        """Connect to the node; the guest itself is entered anew with each batch."""
        self._node.open()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Run questions in the guest, in one round trip to its node. Raises GuestError."""
        return self.told(self._node.ask([self.question(questions)])[0], questions)

    def question(self, questions: Sequence[Question]) -> Question:
        """Return the one question to the node that carries these to the guest."""
        return Question(self._enter, self._script(questions))

    def told(self, answer: Answer, questions: Sequence[Question]) -> list[Answer]:
        """Return what the guest answered, out of the node's answer. Raises GuestError."""
        if answer.status == DOWN:
            raise GuestDownError(f"guest `{self._host}` does not run")
        try:
            found = self._framing.answers(*self._streams(answer), len(questions))
        except Unframed:
            raise GuestError(f"guest `{self._host}` cannot be entered: {self._reason(answer)}") from None
        return [concealed(one, asked.stdin) for one, asked in zip(found, questions, strict=True)]

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        """Run one command in the guest that may change it. Raises GuestError."""
        asked = [Question(command, stdin)]
        return self.told(self._node.act(self._enter, self._script(asked), hear), asked)[0]

    def lock(self, path: str, owner: str) -> str | None:
        """Take the node's lock: what changes a guest holds its node."""
        return self._node.lock(path, owner)

    def close(self) -> None:
        """Nothing stays open in the guest."""

    def _streams(self, answer: Answer) -> tuple[bytes, bytes]:
        """Return what was written inside."""
        return answer.stdout, answer.stderr

    def _reason(self, answer: Answer) -> str:
        """Say why nobody got inside."""
        said = answer.stderr.decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"lxc-attach ended with {answer.status}"

    @property
    def _enter(self) -> str:
        vmid = shlex.quote(self._vmid)
        return (
            f"lxc-attach -n {vmid} --clear-env -- /bin/sh || {{ status=$?; "
            f'[ "$(lxc-info -n {vmid} -sH 2>/dev/null)" = RUNNING ] && exit "$status"; exit {DOWN}; }}'
        )

    def _script(self, questions: Sequence[Question]) -> Text:
        # the first frame is one of ours: what a profile prints before it is dropped with it
        return self._framing.script([self._framing.frame(*question) for question in questions])
