"""Process 1 of what is attached to a guest: it starts the command, buries the dead, and does the work of the
stand-ins that are called there.

It is forked from a stand-in, so Python is started already, and what a start would cost is saved for each
attached command (warm.py).
"""

import contextlib
import ctypes
import os
import signal
import sys

import accounts
import enter
import warm

CAPABILITIES_3 = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3: three words for each of two halves."""


def run(command: list[str], environment: dict[str, str], complaint: str) -> int:
    """Start the command; the status with which it ends, when it does. `complaint` is as for enter.be_init."""
    main = getattr(sys.modules["__main__"], "main", None)
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # a kernel without: nobody could be served
        main = None
    if main is None:
        return enter.be_init(command, environment, complaint)
    listening = warm.listen()
    child = os.fork()
    if child == 0:
        enter.carefully(lambda: enter.become(command, environment, complaint))
    give_up_rights()
    os.chdir("/")
    accounts.forget()
    return Init(main, listening, child).until_it_ends()


def give_up_rights() -> None:
    """Have no more rights than the command, which has become another program and lost what is kept here."""
    enter.give_up_rights()
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    rights = (ctypes.c_uint32 * 6)()
    enter.kernel("capget", header, rights)
    for word in range(3):  # effective, permitted, inheritable
        rights[word] &= ~(1 << enter.CAP_SYS_ADMIN)
    enter.kernel("capset", header, rights)


class Init(warm.Warm):
    """Does the work of stand-ins until a command ends."""

    def __init__(self, main: warm.Main, listening: int, child: int) -> None:
        super().__init__(main, listening)
        self.child = child
        self.died, told = os.pipe()
        for number in (self.died, told):
            os.set_blocking(number, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.died, warm.READABLE)
        self.told = told

    def until_it_ends(self) -> int:
        while True:
            status = self.bury()
            if status is not None:
                return status
            self.wait()

    def bury(self) -> int | None:
        """Take the ends of all that have died; the command's status when it has."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return None
            if dead is None:
                return None
            file = next((file for file, call in self.calls.items() if call.worker == dead.si_pid), -1)
            if file >= 0:
                self.ended(file)
                continue
            status = os.waitpid(dead.si_pid, 0)[1]
            if dead.si_pid == self.child:
                return enter.exit_status(status)

    def wait(self) -> None:
        super().wait()
        with contextlib.suppress(BlockingIOError):
            os.read(self.died, 4096)

    def let_go(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self.died)
        os.close(self.told)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
