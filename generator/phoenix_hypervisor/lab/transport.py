"""The transport into a lab node: a shell in its sandbox, a log of every act, and faults on demand."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from ..errors import HostError
from ..process import Broken, Child
from ..secrets import Text
from ..transport import Address, Answer
from ..transport.framing import Frame
from ..transport.hearing import Hear, Hearing
from ..transport.shell import ShellTransport
from . import boots, door
from .faults import Fault, Faults, Sort
from .node import ACTIONS
from .site import node_in
from .vm.node import VmNode

# A sandbox dies with the thread that started it. Shells are opened in threads that end long before
# the run does, so they are all started from this one, which ends with the process.
_starter = ThreadPoolExecutor(1, thread_name_prefix="lab-shells")
_acts: Counter[Path] = Counter()
_counting = Lock()


class LabTransport(ShellTransport):
    """A shell in the lab node whose folder is the address's first option."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, ())
        self.node = node_in(Path(address.options[0]))
        self.faults = Faults(self.node.folder)
        self._up = 0

    def _start(self) -> Child:
        """Enter the node. Raises HostError if it is not up, or refuses."""
        if not self.node.exists:
            raise HostError(
                f"host `{self.address.host}`: the lab node is not up",
                hint=f"`phoenix lab up {self.address.host}`",
            )
        if self.faults.refusing():
            raise self.unreachable(Broken("Connection refused (a fault of the lab)"))
        if isinstance(self.node, VmNode):
            return self._start_in(self.node)
        shut = door.knock(self.node)
        if shut:
            raise self.unreachable(Broken(shut))
        self._up = boots.went_down(self.node.root)
        argv = self.node.argv(door.shell(self.node), full=self.faults.full_folders())
        return _starter.submit(Child, argv).result()

    def _start_in(self, node: VmNode) -> Child:
        """Open a shell on a virtual machine, which has a door and boots of its own."""
        if not node.machine.running:
            raise HostError(
                f"host `{self.address.host}`: its virtual machine does not run",
                hint=f"`phoenix lab up {self.address.host}`",
            )
        return Child(node.argv(["sh"]))

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        """Run one command, after the faults that are due before it; write it down."""
        self.open()
        number = self._next_act()
        for fault in self.faults.take(number):
            self._suffer(fault)
        try:
            answer = super().act(command, stdin, hear)
        except HostError:
            self._write_down(number, command, None)
            raise
        self._write_down(number, command, answer.status)
        if self.node.sandboxed and door.away(self.node):  # the answer goes where nobody is
            self._drop()
            raise self.lost(Broken("no answer"))
        return answer

    def _exchange(self, frames: list[Frame], timeout: float, heard: Sequence[Hearing] = ()) -> list[Answer]:
        """Speak to the shell, unless the node went down meanwhile: it died then, whether it knows or not."""
        if self.node.sandboxed and boots.went_down(self.node.root) != self._up:
            raise Broken("the connection ended", b"Connection closed by remote host (it went down)")
        return super()._exchange(frames, timeout, heard)

    def _next_act(self) -> int:
        with _counting:
            _acts[self.node.folder] += 1
            return _acts[self.node.folder]

    def _suffer(self, fault: Fault) -> None:
        match fault.sort:
            case Sort.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Sort.CHANGE:
                self.node.run(fault.detail)
            case Sort.HANG:
                super().act("sleep infinity")
            case Sort.DROP:
                # The shell ends without a word, as it does when a cable is pulled and TCP gives up.
                super().act("kill -9 $$")
            case _:
                raise AssertionError(f"{fault} does not happen before an act")

    def _write_down(self, number: int, command: str, status: int | None) -> None:
        """Append to the log of acts. Never the stdin: that is where secrets travel."""
        row = {"time": round(time.time(), 3), "n": number, "command": command, "status": status}
        with (self.node.folder / ACTIONS).open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
