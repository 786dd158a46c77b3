"""The way into a virtual machine by ssh of its own: its node is asked only why that does not work."""

import shlex
from collections.abc import Callable, Sequence
from threading import RLock

from ..errors import GuestDownError, GuestError, HostError
from ..secrets import Text
from . import Answer, Question, Transport
from .hearing import Hear


class DirectTransport:
    """Reaches one virtual machine with a transport of its own, connected when it is first needed.

    One that could not be reached is not tried again before its next start: who waits for it has waited.
    """

    def __init__(self, host: str, vmid: str, node: Transport, connect: Callable[[], Transport]) -> None:
        self._host = host
        self._vmid = vmid
        self._node = node
        self._connect = connect
        self._own: Transport | None = None
        self._refused: tuple[str, GuestError] | None = None
        self._lock = RLock()
        self.trips = 0

    def open(self) -> None:
        """Connect to the machine. Raises GuestError."""
        self.ask([Question(":")])

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Run questions in the machine, over a new connection if it was restarted. Raises GuestError."""
        with self._lock:
            if self._own is not None:
                try:
                    return self._own.ask(questions)
                except HostError:
                    self._drop()
            try:
                return self._connected().ask(questions)
            except GuestError:
                raise
            except HostError as error:
                raise self._why(error) from None

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        """Run one command in the machine that may change it. Raises GuestError."""
        with self._lock:
            self.open()  # an act is never run twice: what is asked here shows whether the connection holds
            try:
                return self._connected().act(command, stdin, hear)
            except GuestError:
                raise
            except HostError as error:
                raise self._why(error) from None

    def lock(self, path: str, owner: str) -> str | None:
        """Take the node's lock: what changes a guest holds its node."""
        return self._node.lock(path, owner)

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        with self._lock:
            self._drop()

    def _connected(self) -> Transport:
        if self._own is None:
            if self._refused is not None and self._refused[0] == self._life():
                raise self._refused[1].with_traceback(None)
            own = self._connect()
            try:
                own.open()
            except HostError as error:
                own.close()
                why = self._why(error)
                self._refused = (self._life(), why)
                raise why from None
            self._own, self._refused = own, None
        self.trips += 1
        return self._own

    def _drop(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()

    def _why(self, error: HostError) -> GuestError:
        """Say why nobody gets inside; the node knows whether it runs at all."""
        self._drop()
        if not self._life():
            return GuestDownError(f"guest `{self._host}` does not run")
        said = error.message.partition(": ")[2] or error.message
        return GuestError(f"guest `{self._host}` cannot be entered by ssh: {said}", hint=error.hint)

    def _life(self) -> str:
        """What tells one run of the machine from the next, by its node; empty when it does not run."""
        scope = f"/sys/fs/cgroup/qemu.slice/{shlex.quote(self._vmid)}.scope"
        (answer,) = self._node.ask([Question(f"stat -c %i {scope} 2>/dev/null || :")])
        return answer.stdout.decode(errors="replace").strip()
