"""Docker's daemons in guests: a connection's own is told what was changed through another connection.

Each connection runs programs of its own, and so a daemon of its own for each guest with Docker, but what
containers there are is one file. Whoever changes it tells the daemon of his connection, and no other.
"""

import os
from collections.abc import Iterable
from contextlib import suppress

import docker_daemon
import docker_state
import guest_spaces
from runtime_program import UP, Program


class Daemons:
    """What they have been told."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        """Of each daemon: the file's state when it was last told of it."""
        self.told: dict[int, int] = {}
        """Who tells one right now, and waits until it has seen to it: descriptor of the process → pid."""

    def tell(self, programs: Iterable[Program]) -> list[int]:
        """Tell those daemons whose containers have changed; returns descriptors that are ready afterwards."""
        begun = []
        for program in programs:
            if program.called == "dockerd" and program.phase == UP:
                state = _state(program)
                if state != self._seen.get(program.key):
                    self._seen[program.key] = state
                    begun.append(self._begin(program))
        return begun

    def done(self, file: int) -> None:
        """Let go of who has told a daemon."""
        os.close(file)
        os.waitpid(self.told.pop(file), 0)

    def _begin(self, program: Program) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                guest_spaces.close_others()
                guest_spaces.join(program.vmid, program.row["pid"])
                docker_daemon.tell()  # its socket is the guest's network's
            finally:
                os._exit(0)
        file = os.pidfd_open(pid)
        self.told[file] = pid
        return file


def _state(program: Program) -> tuple[int, int]:
    with suppress(FileNotFoundError):
        found = os.stat(f"{program.root}{docker_state.FOLDER}/lab.json")
        return found.st_ino, found.st_mtime_ns
    return 0, 0
