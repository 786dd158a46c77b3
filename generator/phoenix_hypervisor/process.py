"""The only place that starts a process, and the only one that reveals a secret: on a stdin.

A `Child` is a process we talk to over its stdin, stdout and stderr for as long as it lives. `run`
starts one, feeds it, and waits for its end.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .errors import PhoenixError
from .secrets import Text

CHUNK = 65536


class Ended(NamedTuple):
    """What a finished process left: exit status (negative: killed by that signal), stdout, stderr."""

    status: int
    stdout: bytes
    stderr: bytes


class Broken(PhoenixError):  # noqa: N818  (it is what the process is)
    """The process went away or did not answer in time; `stderr` is what it said last."""

    def __init__(self, message: str, stderr: bytes = b"") -> None:
        super().__init__(message)
        self.stderr = stderr


def run(
    argv: Sequence[str],
    stdin: Text | None = None,
    *,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end. Raises Broken when it cannot start or does not end in `timeout` seconds.

    Whatever happens (a secret that is missing, Ctrl-C), nothing of its process group is left behind.
    """
    until = time.monotonic() + timeout
    child = Child(argv, env=env)
    try:
        child.send(stdin or Text(), close=True)
        out, err = child.read_to_end(timeout)
        status = child.wait(max(0.0, until - time.monotonic()))
    except BaseException:
        child.end()
        raise
    if child.cut_off:
        raise Broken(f"did not end in {timeout:g} seconds", err)
    return Ended(status, out, err)


def attach(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program on our own terminal and return its exit status: editors, interactive shells."""
    try:
        return subprocess.call(list(argv), env=dict(env) if env is not None else None)
    except OSError as error:
        raise Broken(f"cannot start `{argv[0]}`: {error.strerror}") from error


class Child:
    """A running process in a process group of its own, with all three standard streams in our hands."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=dict(env) if env is not None else None,
            )
        except OSError as error:
            raise Broken(f"cannot start `{argv[0]}`: {error.strerror}") from error
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._stdin, self._stdout, self._stderr = (
            self._process.stdin.fileno(),
            self._process.stdout.fileno(),
            self._process.stderr.fileno(),
        )
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream, False)
        self._outgoing = bytearray()
        self._close_after = False
        self._closed: set[int] = set()
        self.cut_off = False
        """Whether `wait` had to end the process."""

    def send(self, *parts: bytes | Text, close: bool = False) -> None:
        """Queue bytes and texts for the child's stdin."""
        # all or nothing: a secret that is missing must not leave half a message behind
        ready = b"".join(part.reveal() if isinstance(part, Text) else part for part in parts)
        assert not (ready and self._process.stdin and self._process.stdin.closed), "stdin is closed already"
        self._outgoing += ready
        self._close_after = self._close_after or close

    def read_until(
        self, end: bytes, timeout: float, heard: Sequence[Callable[[bytes], None]] = ()
    ) -> tuple[bytes, bytes]:
        """Return what stdout and stderr say up to the first `end` line on each, without it.

        `heard`, one for stdout and one for stderr, are called with what comes as it comes. Bytes
        after `end` would belong to an answer nobody asked for yet; the framing never causes them. Raises
        Broken when a stream ends first or nothing more comes for `timeout` seconds.
        """
        wanted = {self._stdout: bytearray(), self._stderr: bytearray()}
        found: dict[int, bytes] = {}
        hearing = dict(zip(wanted, heard, strict=False))
        while len(found) < len(wanted):
            silent_until = time.monotonic() + timeout
            left = [stream for stream in wanted if stream not in found]
            for stream, data in self._move(left, silent_until, f"no answer for {timeout:g} seconds", wanted):
                wanted[stream] += data
                if stream in hearing:
                    hearing[stream](data)
                tail = max(0, len(wanted[stream]) - len(data) - len(end))
                at = wanted[stream].find(end, tail)
                if at >= 0:
                    found[stream] = bytes(wanted[stream][:at])
        return found[self._stdout], found[self._stderr]

    def read_to_end(self, timeout: float) -> tuple[bytes, bytes]:
        """Return all that stdout and stderr say until both end. Raises Broken after `timeout` seconds."""
        until, late = time.monotonic() + timeout, f"did not end in {timeout:g} seconds"
        got = {self._stdout: bytearray(), self._stderr: bytearray()}
        while left := [s for s in got if s not in self._closed]:
            for stream, data in self._move(left, until, late, got, at_end_raise=False):
                got[stream] += data
        return bytes(got[self._stdout]), bytes(got[self._stderr])

    def wait(self, timeout: float) -> int:
        """Return the exit status; kills the process group when it does not end in time."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.cut_off = True
            self.kill()
            return self._process.wait()
        finally:
            self._close_pipes()

    def kill(self) -> None:
        """End the whole process group now."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()

    def interrupt(self) -> None:
        """Ask it to stop, as Ctrl-C does; may be called from any thread."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> None:
        """End the whole process group now and leave nothing of it behind."""
        self.kill()
        self.wait(5)

    def close(self, patience: float = 2) -> None:
        """Close stdin, give the process `patience` seconds to end, then kill it."""
        self._shut(self._stdin)
        self.wait(patience)

    def _move(
        self,
        wanted: list[int],
        deadline: float,
        late: str,
        so_far: Mapping[int, bytearray],
        *,
        at_end_raise: bool = True,
    ) -> list[tuple[int, bytes]]:
        """Write what can be written, read what can be read; the streams and bytes that came.

        Raises Broken with the words `late` when nothing can be done until `deadline`.
        """
        got: list[tuple[int, bytes]] = []
        while not got and not self._closed.issuperset(wanted):
            wanted = [stream for stream in wanted if stream not in self._closed]
            ready = self._ready(wanted, max(0.0, deadline - time.monotonic()))
            if not ready:
                self.kill()
                raise Broken(late, bytes(so_far[self._stderr]))
            if self._stdin in ready:
                self._write()
            for stream in ready - {self._stdin}:
                data = os.read(stream, CHUNK)
                if data:
                    got.append((stream, data))
                elif at_end_raise:
                    raise Broken("the connection ended", self._last_words(so_far, got))
                else:
                    self._closed.add(stream)
        return got

    def _ready(self, wanted: list[int], seconds: float) -> set[int]:
        """The streams that can be read or written now; none when that does not come to be in time."""
        with selectors.DefaultSelector() as selector:
            for stream in wanted:
                selector.register(stream, selectors.EVENT_READ)
            if self._outgoing:
                selector.register(self._stdin, selectors.EVENT_WRITE)
            elif self._close_after:
                self._shut(self._stdin)
            return {key.fd for key, _ in selector.select(seconds)}

    def _write(self) -> None:
        try:
            written = os.write(self._stdin, self._outgoing[:CHUNK])
        except BrokenPipeError:
            self._outgoing.clear()
            return
        del self._outgoing[:written]

    def _last_words(self, so_far: Mapping[int, bytearray], just_read: list[tuple[int, bytes]]) -> bytes:
        """What stderr holds when the child has gone: the reason, most often."""
        words = so_far[self._stderr] + b"".join(data for stream, data in just_read if stream == self._stderr)
        os.set_blocking(self._stderr, True)
        with selectors.DefaultSelector() as selector:
            selector.register(self._stderr, selectors.EVENT_READ)
            while selector.select(1) and (data := os.read(self._stderr, CHUNK)):
                words += data
        return bytes(words)

    def _shut(self, stream: int) -> None:
        if stream == self._stdin and self._process.stdin and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                return

    def _close_pipes(self) -> None:
        self._shut(self._stdin)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe and not pipe.closed:
                pipe.close()
