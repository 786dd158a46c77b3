"""One program of a unit in a guest: how it is started there, and how it is going.

A program runs in the guest's network and in a root of its own, as a command that is attached does. Between it
and the keeper are two processes: one that waits for it on the node's side, and the first in its namespaces.
What it needs to tell (that its arguments are good and its port is its own) it writes into the descriptor that
PHOENIX_LAB_READY names; of programs that are not the lab's nothing is known, so they are given a moment.
"""

import contextlib
import os
import signal
from typing import Any, NoReturn

import enter
import guest_attach
import guest_spaces
import runtime_units
import unit_words

NOT_EXECUTED, NO_FOLDER, NO_NAMESPACE = 203, 200, 226
"""systemd's EXIT_EXEC, EXIT_CHDIR and EXIT_NAMESPACE."""
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
STARTING, UP, WAITING, STOPPING, ENDED = "starting", "up", "waiting", "stopping", "ended"
MOMENT = 0.12
"""Seconds after which a program that is not the lab's is taken to run."""
PATIENCE = 120.0
"""Seconds within which a program of the lab's must say that it runs."""
SIGN = b"\x1f"
"""Begins a line that systemd says, not the program."""


class Program:
    """A program, from its first start until nobody wants it any more."""

    def __init__(self, vmid: str, row: dict[str, Any], wanted: runtime_units.Wanted) -> None:
        self.vmid, self.row = vmid, row
        """`row` is what the node's model says of the guest."""
        self.wanted = wanted
        self.phase = STARTING
        self.due = 0.0
        """When the phase ends by itself: it is taken to run, it is started again, it is killed."""
        self.pid = self.number = 0
        """Of the process that waits for it; what journals call it, when it is gone, too."""
        self.ended = self.said = self.ready = -1
        """Descriptors: of the process's end, of what the program says, of its word that it runs."""
        self.status = 0
        self.result = "success"
        self.times: list[float] = []
        """When it was started of itself, for the limit."""
        self.again = 0
        self.rest = b""
        """The begin of a line that it has not ended yet."""
        self.announced = False
        """Whether the journal says of this start that it went well."""
        self.after = self.quiet = False
        """Whether it is started again when it has ended; whether nobody is told that it has."""

    @property
    def unit(self) -> str:
        return self.wanted.name

    @property
    def key(self) -> tuple[str, str]:
        return self.vmid, self.unit

    @property
    def type(self) -> str:
        """The service's Type=."""
        return runtime_units.setting(self.wanted.service, "Type", "simple")

    @property
    def root(self) -> str:
        """The guest's root as the node sees it."""
        root: str = self.row["plan"]["root"]
        return root

    @property
    def called(self) -> str:
        """What journals call it."""
        words = unit_words.split(self.wanted.service["ExecStart"][0].lstrip(unit_words.PREFIXES))
        return os.path.basename(words[0] if words else self.unit)

    def start(self, words: list[str], environment: dict[str, str], owners: Any) -> None:
        """Start it. Raises OSError."""
        said, saying = os.pipe()
        ready, telling = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _stand_by(self, words, environment, owners, saying, telling)
        os.close(saying)
        os.close(telling)
        self.said, self.ready = said, ready
        self.number = self.pid
        self.ended = os.pidfd_open(self.pid)
        self.phase = STARTING

    def send(self, number: int) -> None:
        """Send the program a signal; one that ended meanwhile gets none."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self) -> None:
        """Let go of what is open when the process ended."""
        for file in (self.ended, self.said, self.ready):
            if file >= 0:
                os.close(file)
        self.pid = 0
        self.ended = self.said = self.ready = -1


def _stand_by(
    program: Program, words: list[str], environment: dict[str, str], owners: Any, saying: int, telling: int
) -> NoReturn:
    """Be the process that waits for the program; end as it ended."""
    status = NO_NAMESPACE
    try:
        for number in range(1, 3):
            os.dup2(saying, number)
        os.set_inheritable(telling, True)
        guest_spaces.close_others(telling)
        guest_spaces.join(program.vmid, program.row["pid"])
        enter.kernel("unshare", guest_attach.SPACES)
        child = os.fork()
        if child == 0:
            enter.carefully(lambda: _first(program, words, environment, owners, telling))
        os.close(telling)
        _forward(child)
        status = enter.exit_status(os.waitpid(child, 0)[1])
    except OSError as error:
        enter.say(f"the lab: {error.strerror}")
    finally:
        os._exit(status)


def _first(program: Program, words: list[str], environment: dict[str, str], owners: Any, telling: int) -> int:
    """Be process 1 where the program is another one."""
    guest_attach.make_root(program.row["plan"], owners)
    child = os.fork()
    if child == 0:
        try:
            _become(program, words, environment, telling)
        finally:
            os._exit(NOT_EXECUTED)
    _forward(child)
    if program.type == "forking":
        return _left_alone(child, telling)
    os.close(telling)
    while True:
        pid, status = os.wait()
        if pid == child:
            return enter.exit_status(status)


def _left_alone(child: int, telling: int) -> int:
    """Wait for a program that leaves others behind: when it ended well they are what runs."""
    last = 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return last
        last = enter.exit_status(status)
        if pid == child:
            if last:
                return last
            os.write(telling, b"r")
            os.close(telling)
            for number in FORWARDED:
                signal.signal(number, lambda sent, _: _to_all(sent))


def _to_all(sent: int) -> None:
    """Send a signal to all but ourselves, the first of our namespace."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, sent)


def _forward(child: int) -> None:
    for number in FORWARDED:
        signal.signal(number, lambda sent, _: os.kill(child, sent))


def _become(program: Program, words: list[str], environment: dict[str, str], telling: int) -> None:
    for number in FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    folder = runtime_units.setting(program.wanted.service, "WorkingDirectory", "/").replace("~", "/root")
    try:
        os.chdir(folder.lstrip("-"))
    except OSError as error:
        if not folder.startswith("-"):
            _complain(f"{program.unit}: Changing to the requested working directory failed: {error.strerror}")
            os._exit(NO_FOLDER)
    place = unit_words.program(words[:1]) or (words[0] if "/" in words[0] else f"/usr/bin/{words[0]}")
    environment |= {"PHOENIX_LAB_READY": str(telling)}
    enter.give_up_rights()
    try:
        os.write(telling, b"l" if _ours(place) else b"e")
        os.execve(place, words, environment)  # noqa: S606  (that is what it is for)
    except OSError as error:
        _complain(f"{program.unit}: Failed at step EXEC spawning {place}: {error.strerror}")


def _ours(place: str) -> bool:
    """Tell whether a program is one of the lab's, which say themselves when they run."""
    try:
        with open(place, "rb") as file:
            head = file.read(2000)
    except OSError:
        return False
    return head.startswith(b"#!") and (b"lab-program" in head or b" dockerd " in head)


def _complain(text: str) -> None:
    os.write(2, SIGN + text.encode() + b"\n")
