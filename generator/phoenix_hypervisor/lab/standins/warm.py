"""A process that has Python started already, and forks for each call of a stand-in: a start saved each time.

The first stand-in called somewhere (on a node, in what is attached to a guest) leaves one behind, in its own
process namespace; it dies with that. The next ones are called by their wrapper, a shell (lab/quick.py): it
names itself in a FIFO in /dev, which such a namespace has for itself, and waits on a pipe of its own for an
exit status. What the call was given (arguments, environment, folder, umask, open files) is read off that
shell with /proc and pidfd_getfd(2), so nothing has to be quoted. Where the kernel or anything else is
against it, the wrapper starts Python as ever. What is attached to a guest need not even start the first one:
the process 1 that it gets is a Python already (guest_init.py).
"""

import contextlib
import os
import signal
import sys

from hints import Any, Callable, NoReturn

PLACE = "/dev/.phoenix-lab-warm"
IN_A_UNIT = "PHOENIX_LAB_READY"
"""In the environment of what a unit runs, whose namespace ends with its last process: none may stay there."""
GIVEN = (7, 6, 2)
"""The wrapper's stdin, stdout and stderr: its own 0 and 1 are other files while it asks."""
REPLY = 8
"""Its descriptor behind which it waits for an answer."""
REFUSED = b"no\n"
READABLE = 1
"""POLLIN."""
PIDFD_GETFD = 438
"""The number of the system call, the same on every architecture but alpha; libc has no name for it yet."""

Main = Callable[[str, list[str]], NoReturn]
"""Does what a tool with its arguments does, and ends the process."""


def leave_behind(main: Main) -> None:
    """Let there be a process that calls MAIN for others, unless there is one or none may be."""
    if os.path.exists(PLACE) or IN_A_UNIT in os.environ:
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                _close(int(name))
        os.chdir("/")
        listening = listen()
        try:
            Warm(main, listening).serve()
        finally:
            os.unlink(PLACE)
    finally:
        os._exit(1)


def listen() -> int:
    """Return the FIFO, which has a name once somebody listens. Raises OSError if another one was first."""
    new = f"{PLACE}.{os.getpid()}"
    os.mkfifo(new, 0o600)
    try:
        listening = os.open(new, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        os.link(new, PLACE)
    finally:
        os.unlink(new)
    return listening


class Call:
    """One call: the shell that made it, the files it has, and the process that does the work."""

    def __init__(self, pid: int, take: Callable[[int, int], int]) -> None:
        """TAKE copies a file of another process. Raises OSError where it may not."""
        self.worker = 0
        self.caller = pid
        self.open: list[int] = []
        try:
            self.open.append(os.pidfd_open(pid))
            self.caller = _shown_as(self.open[0])
            for number in (*GIVEN, REPLY):
                self.open.append(take(self.open[0], number))
        except ProcessLookupError:
            raise
        except OSError:
            refuse(self.caller)
            self.close()
            raise

    def close(self) -> None:
        for number in self.open:
            _close(number)

    def reply(self, text: bytes) -> None:
        """Tell the shell; it may be gone."""
        with contextlib.suppress(OSError):
            os.write(self.open[-1], text)
        self.close()


class Warm:
    """All calls at a time."""

    def __init__(self, main: Main, listening: int) -> None:
        import ctypes
        import select

        self.main = main
        self.listening = listening
        self.libc: Any = ctypes.CDLL(None, use_errno=True)
        self.poll = select.poll()
        self.poll.register(listening, READABLE)
        self.calls: dict[int, Call] = {}
        """By the pidfd of the worker."""
        self.callers: dict[int, Call] = {}
        """By the pidfd of the shell."""

    def serve(self) -> NoReturn:
        while True:
            self.wait()

    def wait(self) -> None:
        """Wait until something happens, and do what is to be done then."""
        ready = [file for file, _ in self.poll.poll()]
        for file in ready:
            if file in self.calls:
                self.ended(file)
            elif file in self.callers:  # nobody waits for it any more
                os.kill(self.callers[file].worker, signal.SIGTERM)
                self.poll.unregister(file)
        if self.listening in ready:  # last: a new call may get the number of a file closed just now
            for line in os.read(self.listening, 65536).splitlines():
                self.called(line)

    def called(self, line: bytes) -> None:
        """Begin a call: `PID TOOL`."""
        pid, _, tool = line.decode().partition(" ")
        try:
            call = Call(int(pid), self.take)
        except OSError:
            return
        try:
            words = _words(f"/proc/{call.caller}/cmdline")
            if os.path.basename(words[1]) != tool.encode() or not _alike(call.caller):
                raise OSError
            for name in getattr(__import__(module(tool)), "AHEAD", ()):
                __import__(name)
            call.worker = os.fork()
        except (OSError, ImportError, IndexError):
            call.reply(REFUSED)
            return
        if call.worker == 0:
            self.work(call, tool, [os.fsdecode(word) for word in words[2:]])
        ended = os.pidfd_open(call.worker)
        self.calls[ended] = self.callers[call.open[0]] = call
        self.poll.register(ended, READABLE)
        self.poll.register(call.open[0], READABLE)

    def ended(self, file: int) -> None:
        """Tell the shell how the worker ended, as a shell would have been told of the tool itself."""
        call = self.calls.pop(file)
        code = os.waitstatus_to_exitcode(os.waitpid(call.worker, 0)[1])
        del self.callers[call.open[0]]
        with contextlib.suppress(KeyError):
            self.poll.unregister(call.open[0])
        self.poll.unregister(file)
        _close(file)
        call.reply(b"%d\n" % (code if code >= 0 else 128 - code))

    def work(self, call: Call, tool: str, argv: list[str]) -> NoReturn:
        """Be the process that does the work: with what the shell was given, and nothing of another call's."""
        try:
            for number in range(3):
                os.dup2(call.open[1 + number], number)
            for other in (call, *self.calls.values()):
                other.close()
            for number in (self.listening, *self.calls):
                _close(number)
            self.let_go()
            become(call.caller, [tool, *argv])
            self.main(tool, argv)
        except SystemExit as end:
            if isinstance(end.code, int):
                os._exit(end.code)
            print(end.code, file=sys.stderr)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
            os._exit(1)

    def let_go(self) -> None:
        """Leave to the process of a call nothing else that is the server's."""

    def take(self, pidfd: int, number: int) -> int:
        """A copy of another process's open file. Raises OSError."""
        taken: int = self.libc.syscall(PIDFD_GETFD, pidfd, number, 0)
        if taken < 0:
            raise OSError("pidfd_getfd")
        return taken


def become(pid: int, argv: list[str]) -> None:
    """Take over arguments, environment, folder and umask from the shell."""
    sys.argv = argv
    os.environb.clear()
    for word in _words(f"/proc/{pid}/environ"):
        name, _, value = word.partition(b"=")
        os.environb[name] = value
    os.chdir(f"/proc/{pid}/cwd")
    os.umask(int(_status(pid, "Umask:"), 8))
    if os.isatty(1):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def refuse(pid: int) -> None:
    """Tell a shell whose files we may not have to see for itself."""
    try:
        file = os.open(f"/proc/{pid}/fd/{REPLY}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return
    os.write(file, REFUSED)
    _close(file)


def module(tool: str) -> str:
    """The module of a tool. The prefix keeps `stat` and `mount` from hiding the standard library's.

    Its AHEAD names modules that are imported later, when they are needed; a warm process has them at once.
    """
    return "tool_" + tool.replace("-", "_").replace(".", "_")


SETTINGS = b"PHOENIX_LAB_"
_SETTINGS = {name + b"=" + value for name, value in os.environb.items() if name.startswith(SETTINGS)}


def _words(file: str) -> list[bytes]:
    with open(file, "rb") as stream:
        return stream.read().split(b"\0")[:-1]


def _alike(pid: int) -> bool:
    """Whether what modules ask for when they are imported would be the same for the caller."""
    own = {word for word in _words(f"/proc/{pid}/environ") if word.startswith(SETTINGS)}
    return own == _SETTINGS and int(_status(pid, "Uid:")) == os.getuid()


def _status(pid: int, name: str) -> str:
    return _fact(f"/proc/{pid}/status", name)


def _shown_as(pidfd: int) -> int:
    """The number of a process in the /proc that is shown here: in a guest it may be the node's."""
    return int(_fact(f"/proc/self/fdinfo/{pidfd}", "Pid:"))


def _fact(file: str, name: str) -> str:
    with open(file, encoding="ascii", errors="replace") as stream:
        return next(line.split()[1] for line in stream if line.startswith(name))


def _close(number: int) -> None:
    with contextlib.suppress(OSError):
        os.close(number)
