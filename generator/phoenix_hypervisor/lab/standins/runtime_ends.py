"""How programs of units end, and what systemd makes of it: the journal, Restart=, the start limit."""

import signal
import time
from abc import ABC, abstractmethod
from typing import Any

import guest_run_simulated
import runtime_units
from runtime_program import ENDED, SIGN, STARTING, STOPPING, WAITING, Program

STATUSES = {200: "CHDIR", 203: "EXEC", 226: "NAMESPACE", 1: "FAILURE", 2: "INVALIDARGUMENT"}
EARLY = (200, 203, 226)
"""Statuses of what has not become the program yet."""
PATIENT = ("notify", "forking", "dbus")
"""Sorts of services of which systemd waits until they say that they run."""
GENTLE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
"""Signals that systemd takes for a clean end."""
KILLED = {128 + number for number in signal.Signals}
"""How a shell says that a signal ended a program."""
BURST, INTERVAL = 5, 10.0
"""systemd's defaults: so many starts in so many seconds are too many."""
PAUSE = 0.1
"""RestartSec= where the unit says nothing."""
TIMEOUT = 5.0
"""Seconds to end in; systemd would wait for ninety."""


class Ends(ABC):
    """What the keeper does about programs that end."""

    def __init__(self) -> None:
        self.programs: dict[tuple[str, str], Program] = {}

    def _stop(self, program: Program, *, quietly: bool = False) -> None:
        """Ask a program to end. QUIETLY: nobody has stopped the unit, its state is others' to say."""
        program.quiet = quietly
        if program.pid:
            number = runtime_units.setting(program.wanted.service, "KillSignal", "SIGTERM")
            program.send(getattr(signal, number, signal.SIGTERM))
            program.phase = STOPPING
            limit = runtime_units.seconds(program.wanted.service, "TimeoutStopSec", TIMEOUT)
            program.due = time.time() + min(limit, TIMEOUT)
        elif program.phase != ENDED:
            self._stopped(program)

    def _after_the_end(self, program: Program) -> None:
        """Decide what becomes of a unit whose process has ended."""
        if program.phase == STOPPING:
            self._stopped(program)
            return
        name, policy = program.unit, runtime_units.setting(program.wanted.service, "Restart", "no")
        killed = program.status in KILLED
        clean = program.status == 0 or (killed and program.status - 128 in GENTLE)
        program.result = "success" if clean else "signal" if killed else "exit-code"
        early = program.status in EARLY or program.type in PATIENT
        if not early:
            self._announce(program)
        with guest_run_simulated.inside(program.root):
            if not clean:
                runtime_units.note(name, f"{name}: Main process exited, {said(program.status)}")
                runtime_units.note(name, f"{name}: Failed with result '{program.result}'.")
                if not program.announced:
                    runtime_units.note(name, f"Failed to start {program.wanted.title}.")
            else:
                runtime_units.note(name, f"{name}: Deactivated successfully.")
        if program.status in limited(program.wanted.service) or not again(policy, clean, killed):
            self._rest(program, "inactive" if clean else "failed", "dead" if clean else "failed")
        else:
            program.phase = WAITING
            pause = runtime_units.seconds(program.wanted.service, "RestartSec", PAUSE)
            program.due = time.time() + pause
            self._write(program, active="activating", sub=runtime_units.WAITING)

    def _announce(self, program: Program) -> None:
        """Say once that it is started, when systemd knows."""
        if not program.announced:
            program.announced = True
            with guest_run_simulated.inside(program.root):
                runtime_units.note(program.unit, f"Started {program.wanted.title}.")

    def _again(self, program: Program) -> None:
        """Start a program again, unless it was too often already."""
        name, service = program.unit, program.wanted.service
        interval = runtime_units.seconds(service, "StartLimitIntervalSec", INTERVAL)
        burst = int(runtime_units.setting(service, "StartLimitBurst", str(BURST)))
        recent = [when for when in program.times if when > time.time() - interval]
        with guest_run_simulated.inside(program.root):
            program.again += 1
            line = f"{name}: Scheduled restart job, restart counter is at {program.again}."
            runtime_units.note(name, line)
            if burst and len(recent) >= burst:
                runtime_units.note(
                    name,
                    f"{name}: Start request repeated too quickly.",
                    f"{name}: Failed with result '{program.result}'.",
                    f"Failed to start {program.wanted.title}.",
                )
        if burst and len(recent) >= burst:
            self._rest(program, "failed", "failed")
        else:
            self._start(program)

    @abstractmethod
    def _start(self, program: Program) -> None:
        """Start a program, for the first time or again."""

    @abstractmethod
    def _new(self, key: tuple[str, str], guests: dict[str, Any]) -> None:
        """Start a unit's program as it is declared now."""

    def _failed(self, program: Program, result: str) -> None:
        """A program was not even started."""
        program.result = result
        with guest_run_simulated.inside(program.root):
            runtime_units.note(program.unit, f"{program.unit}: Failed with result '{result}'.")
        self._rest(program, "failed", "failed")

    def _stopped(self, program: Program) -> None:
        """A program ended because it was told to."""
        if program.after:
            program.after = False
            program.phase = ENDED
            self._new(program.key, {program.vmid: program.row})
            return
        program.result, program.status = "success", 0
        program.phase, program.due = ENDED, 0.0
        if not program.quiet:
            with guest_run_simulated.inside(program.root):
                runtime_units.note(program.unit, f"{program.unit}: Deactivated successfully.")
            self._write(program, active="inactive", sub="dead")

    def _rest(self, program: Program, active: str, sub: str) -> None:
        program.phase, program.due = ENDED, 0.0
        self._write(program, active=active, sub=sub)

    def _write(self, program: Program, **values: Any) -> None:
        with guest_run_simulated.inside(program.root):
            runtime_units.write(
                program.unit, status=program.status, result=program.result, restarts=program.again,
                since=program.wanted.since, **values,
            )  # fmt: skip

    def _write_down(self, program: Program, part: bytes) -> None:
        """Put what a program said into the journal, line by line."""
        text = program.rest + part
        *lines, program.rest = text.split(b"\n")
        if len(program.rest) > 4096 or (program.phase != STARTING and not program.pid):
            lines, program.rest = [*lines, program.rest], b""
        if program.type == "exec" and any(line and not line.startswith(SIGN) for line in lines):
            self._announce(program)  # it was executed, then
        who = f"{program.called}[{program.number}]"
        with guest_run_simulated.inside(program.root):
            for line in lines:
                own = line.startswith(SIGN)
                plain = line.removeprefix(SIGN).decode(errors="replace").rstrip("\r")
                runtime_units.note(program.unit, plain, who="systemd[1]" if own else who)


def said(status: int) -> str:
    """Return how a process ended, in systemd's words."""
    if status in KILLED:
        number = status - 128
        return f"code=killed, status={number}/{signal.Signals(number).name.removeprefix('SIG')}"
    return f"code=exited, status={status}/{STATUSES.get(status, 'n/a')}"


def again(policy: str, clean: bool, killed: bool) -> bool:
    """Tell whether Restart= wants a program to be started again."""
    return {
        "always": True,
        "on-success": clean,
        "on-failure": not clean,
        "on-abnormal": killed and not clean,
        "on-abort": killed and not clean,
    }.get(policy, False)


def limited(service: runtime_units.Service) -> set[int]:
    """Return the exit statuses after which the unit does not want to be started again."""
    words = " ".join(service.get("RestartPreventExitStatus", [])).split()
    return {int(word) for word in words if word.isdigit()}
