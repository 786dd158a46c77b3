"""The keeper of a connection: it runs the programs of guests' units, and answers who asks (runtime.py).

It lives as long as the connection. What it knows comes from the models of the node and its guests, which it
reads anew for every question, and what becomes of a program it writes there: so all connections agree on what
runs, and each has programs of its own for it. Questions are lines of JSON; each gets one line.
"""

import contextlib
import json
import os
import select
import signal
import time
from _socket import socket as Socket  # noqa: N812  (the class)
from typing import Any, NoReturn

import guest_attach
import guest_run_simulated
import guest_spaces
import model
import runtime
import runtime_docker
import runtime_faults
import runtime_memory
import runtime_network
import runtime_node
import runtime_units
import unit_words
from runtime_ends import Ends
from runtime_program import ENDED, MOMENT, NOT_EXECUTED, PATIENCE, STARTING, STOPPING, UP, WAITING, Program

Key = tuple[str, str]
SLICE = 600.0


class Asked:
    """A question, and the connection on which it came."""

    def __init__(self, connection: Socket) -> None:
        self.connection = connection
        self.text = b""
        self.told: dict[str, Any] = {}
        self.waits: list[Key] = []
        """What must have come to an end of starting or stopping before it is answered."""
        self.daemons: set[int] = set()
        """Who must have told a daemon before that."""


class Keeper(Ends):
    """The programs, and who waits for them."""

    def __init__(self, listening: int) -> None:
        super().__init__()
        self._listening = Socket(fileno=listening)
        self._network = runtime_network.Network()
        self._asked: dict[int, Asked] = {}
        self._files: dict[int, object] = {}
        """What the kernel is to tell us of: descriptor → what it is."""
        self._poll = select.poll()
        self._hear_of(listening, self)
        self._memory = runtime_memory.Memory()
        self._own = runtime_node.Own()
        self._daemons = runtime_docker.Daemons()

    def run(self) -> NoReturn:
        """Answer for ever."""
        while True:
            now = dict(self._files)
            for file, _ in self._poll.poll(self._sleep()):
                # what came before may have closed it, and opened another of the same number
                if now.get(file) is self._files.get(file):
                    self._happened(file)
            self._time_passed()
            self._answer_those_who_waited()

    def _hear_of(self, file: int, what: object) -> None:
        self._files[file] = [what]
        self._poll.register(file, select.POLLIN)

    def _hear_no_more_of(self, file: int) -> None:
        if self._files.pop(file, None) is not None:
            self._poll.unregister(file)

    def _sleep(self) -> float:
        due = [one.due for one in self.programs.values() if one.due]
        return max(0.0, min([*due, time.time() + SLICE]) - time.time()) * 1000 + 1

    def _happened(self, file: int) -> None:
        if file == self._listening.fileno():
            descriptor, _ = self._listening._accept()  # type: ignore[attr-defined]
            connection = Socket(fileno=descriptor)
            self._asked[descriptor] = Asked(connection)
            self._hear_of(descriptor, connection)
        elif file in self._asked:
            self._read(self._asked[file])
        elif file in self._daemons.told:
            self._hear_no_more_of(file)
            self._daemons.done(file)
        else:
            self._of_a_program(file)

    def _read(self, asked: Asked) -> None:
        try:
            part = asked.connection.recv(65536)
        except OSError:
            part = b""
        if not part:
            self._forget(asked)
            return
        asked.text += part
        if asked.text.endswith(b"\n") and not asked.told:
            asked.told = json.loads(asked.text)
            try:
                self._do(asked)
            except (OSError, KeyError, ValueError) as error:
                self._reply(asked, {"error": str(getattr(error, "strerror", None) or error)})

    def _forget(self, asked: Asked) -> None:
        descriptor = asked.connection.fileno()
        self._memory.free(descriptor)
        self._hear_no_more_of(descriptor)
        del self._asked[descriptor]
        asked.connection.close()

    def _reply(self, asked: Asked, answer: dict[str, Any]) -> None:
        asked.waits = []
        with contextlib.suppress(OSError):  # it may not have waited for the answer
            asked.connection.sendall(json.dumps(answer).encode() + b"\n")

    def _do(self, asked: Asked) -> None:
        verb, guests = asked.told["do"], runtime_network.running()
        vmid = self._who(asked.told["net"])
        if verb == "facts":
            self._reply(asked, {"offline": runtime_faults.offline(vmid)})
        elif verb == "memory":
            self._reply(asked, self._memory.take(asked.connection.fileno(), asked.told))
        elif verb == "cards":
            self._reply(asked, {"cards": self._memory.cards()})
        elif verb in ("look", "changed"):
            self._agree(guests, begin=verb == "look")
            if verb == "look":
                self._own.agree()
                for file in self._daemons.tell(self.programs.values()):
                    self._hear_of(file, self._daemons)
                asked.daemons = set(self._daemons.told)
            asked.waits = list(self.programs) or [("", "")]
        elif verb in ("start", "stop", "signal"):
            self._network.connect(guests)
            self._one(asked, verb, (vmid, asked.told["unit"]), guests)
        else:
            self._reply(asked, {"error": f"unknown: {verb}"})

    def _who(self, net: int) -> str:
        """Return the guest that has this network; empty for the node."""
        for vmid, (pid, _) in guest_spaces.known().items():
            if os.stat(f"/proc/{pid}/ns/net").st_ino == net:
                return vmid
        return ""

    def _one(self, asked: Asked, verb: str, key: Key, guests: dict[str, Any]) -> None:
        """Start, stop or signal the program of one unit of the guest that asks."""
        there = self.programs.get(key)
        if verb == "signal":
            if there is not None and there.phase in (STARTING, UP):
                there.send(int(asked.told["signal"]))
            self._reply(asked, {"done": there is not None})
            return
        if there is not None and there.phase != ENDED:
            there.after = verb == "start"
            self._stop(there)
        elif verb == "start":
            self._new(key, guests)
        asked.waits = [key]

    def _new(self, key: Key, guests: dict[str, Any]) -> None:
        with guest_run_simulated.inside(guests[key[0]]["plan"]["root"]):
            wanted = runtime_units.one(key[1])
            if wanted is None:
                raise OSError(0, f"{key[1]} is no unit whose program could be run")
            runtime_units.write(key[1], active="activating", sub="start", since=wanted.since, restarts=0)
        self._start(Program(key[0], guests[key[0]], wanted))

    def _agree(self, guests: dict[str, Any], *, begin: bool) -> None:
        """Let those programs run that are to run now. Without BEGIN, only stop those that are not."""
        if begin or self.programs:
            self._network.connect(guests)
        wanted: dict[Key, runtime_units.Wanted] = {}
        for vmid, row in guests.items():
            with guest_run_simulated.inside(row["plan"]["root"]):
                wanted |= {(vmid, one.name): one for one in runtime_units.wanted()}
        for key, program in list(self.programs.items()):
            other = wanted.get(key)
            same = program.row["pid"] == guests.get(key[0], {}).get("pid")
            if other is None or not same or other.since != program.wanted.since:
                self._stop(program, quietly=True)
                self._reap(program)
            elif program.phase == UP and self._gone(program):
                program.status = NOT_EXECUTED
                self._stop(program, quietly=True)
                self._reap(program)
                self._failed(program, "exit-code")
                wanted.pop(key)
        for key, one in wanted.items() if begin else ():
            there = self.programs.get(key)
            if there is None or there.phase == ENDED:
                self._start(Program(key[0], guests[key[0]], one))

    def _gone(self, program: Program) -> bool:
        with guest_run_simulated.inside(program.root):
            line = program.wanted.service["ExecStart"][0]
            return unit_words.program(unit_words.command(line, program.unit, {})[1]) is None

    def _reap(self, program: Program) -> None:
        """Wait for the end of a program that nobody wants any more."""
        until = time.time() + 2
        poll = select.poll()
        while program.pid:
            poll.register(program.ended, select.POLLIN)
            if not poll.poll(max(1.0, (until - time.time()) * 1000)):
                program.send(signal.SIGKILL)
            else:
                self._bury(program)
        self.programs.pop(program.key, None)

    def _start(self, program: Program) -> None:
        """Start a program, for the first time or again."""
        self.programs[program.key] = program
        program.times.append(time.time())
        program.announced = False
        service = program.wanted.service
        with guest_run_simulated.inside(program.root):
            try:
                environment = unit_words.environment(program.unit, service)
                prefixes, words = unit_words.command(service["ExecStart"][0], program.unit, environment)
            except unit_words.NotStarted as refused:
                runtime_units.note(program.unit, refused.text)
                self._failed(program, "resources")
                return
        if "@" in prefixes:
            words[:2] = words[:1]  # the second word is only what it is called
        environment |= {"PHOENIX_LAB_SINCE": str(program.wanted.since)}
        environment |= runtime_faults.environment()
        if runtime_faults.never_ready(*program.key):
            words = ["/bin/sleep", "infinity"]
        guest_attach.follow(program.vmid, program.row["plan"])
        program.start(words, environment, model.section(model.read(), "owners"))
        program.due = time.time() + PATIENCE
        for file in (program.ready, program.said, program.ended):  # the order in which they are heard
            self._hear_of(file, program)

    def _of_a_program(self, file: int) -> None:
        for program in list(self.programs.values()):
            if file == program.ready:
                self._told(program, os.read(file, 16))
            elif file == program.said:
                if not self._hear(program):
                    self._hear_no_more_of(file)
                    os.close(file)
                    program.said = -1
            elif file == program.ended:
                self._bury(program)
                self._after_the_end(program)

    def _told(self, program: Program, word: bytes) -> None:
        """A program (or who starts it) says how far it is: `e` executed, `l` one of the lab's, `r` runs."""
        if (b"e" in word or b"l" in word) and program.type == "simple":
            self._announce(program)
        alien = b"e" in word and program.type != "forking"  # of which nothing more will be heard
        if alien:
            program.due = time.time() + MOMENT
        if b"r" in word:
            self._is_up(program)
        if not word or alien or b"r" in word:
            self._hear_no_more_of(program.ready)
            os.close(program.ready)
            program.ready = -1

    def _is_up(self, program: Program) -> None:
        if program.phase != STARTING:
            return
        program.phase, program.due = UP, 0.0
        self._announce(program)
        if runtime_faults.dies(*program.key):
            program.send(signal.SIGKILL)
        with guest_run_simulated.inside(program.root):
            runtime_units.write(
                program.unit, active="active", sub="running", result="success", status=0,
                since=program.wanted.since, restarts=program.again,
            )  # fmt: skip

    def _bury(self, program: Program) -> None:
        """Take the end of a program's process."""
        while program.said >= 0 and self._hear(program):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(program.pid, 0)[1])
        program.status = code if code >= 0 else 128 - code
        for file in (program.ended, program.said, program.ready):
            self._hear_no_more_of(file)
        program.close()

    def _hear(self, program: Program) -> bool:
        """Write down what a program says; False when it has no more to say for now."""
        waiting = select.poll()
        waiting.register(program.said, select.POLLIN)
        part = os.read(program.said, 65536) if waiting.poll(0) else b""
        if part:
            self._write_down(program, part)
        return bool(part)

    def _time_passed(self) -> None:
        now = time.time()
        for program in list(self.programs.values()):
            if not program.due or program.due > now:
                continue
            if program.phase == STARTING:
                self._is_up(program)
            elif program.phase == STOPPING:
                program.send(signal.SIGKILL)
                program.due = now + 1
            elif program.phase == WAITING:
                program.due = 0.0
                self._again(program)

    def _answer_those_who_waited(self) -> None:
        for asked in list(self._asked.values()):
            phases = {self.programs[key].phase for key in asked.waits if key in self.programs}
            if asked.waits and not (phases & {STARTING, STOPPING} or asked.daemons & {*self._daemons.told}):
                self._reply(asked, self._outcome(asked))

    def _outcome(self, asked: Asked) -> dict[str, Any]:
        if asked.told["do"] in ("look", "changed"):
            return {"programs": len(self.programs)}
        program = self.programs.get(asked.waits[0])
        if program is None:
            return {"phase": ENDED, "status": 0, "result": "success"}
        return {"phase": program.phase, "status": program.status, "result": program.result}


def run(listening: int) -> NoReturn:
    """Be the keeper that listens on this descriptor; what it dies of is told to who asks next."""
    runtime.KEEPER.append(True)
    try:
        Keeper(listening).run()
    except BaseException:
        import traceback

        os.unlink(guest_spaces.SOCKET)
        with open(guest_spaces.TROUBLE, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        raise
