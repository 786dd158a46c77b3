"""Jobs of units whose programs really run: `systemctl` in a guest asks the keeper for them (runtime.py)."""

import re
import signal as signals
import sys
import time
from typing import Any

import model
import runtime
import runtime_units
import unit_words
import units

EARLY, PATIENT = (200, 203, 226), ("notify", "forking", "dbus")
"""As in runtime_ends.py."""
FAILED = """Job for {0} failed because the control process exited with error code.
See "systemctl status {0}" and "journalctl -xeu {0}" for details."""


def start(name: str, unit: units.Unit) -> int:
    """Start a unit's program anew; what became of it is in the model then. The exit status of systemctl."""
    service = runtime_units.service_of(name, unit)
    failed = _before(name, service)
    if failed:
        runtime_units.note(name, f"{name}: Control process exited, code=exited, status={failed}/n/a")
        runtime_units.note(name, f"{name}: Failed with result 'exit-code'.", f"Failed to start {name}.")
        runtime_units.write(name, active="failed", sub="failed", status=failed, result="exit-code")
        _say(FAILED.format(name))
        return 1
    outcome = _ask("start", unit=name)
    if outcome is None:
        return 1
    # Of a simple service systemd only knows that it was forked off, of `exec` that it became its program.
    kind = runtime_units.setting(service, "Type", "simple")
    early = outcome["result"] == "resources" or (kind == "exec" and outcome["status"] in EARLY)
    if outcome["phase"] != "up" and outcome["result"] != "success" and (early or kind in PATIENT):
        _say(FAILED.format(name))
        return 1
    return 0


def stop(name: str) -> None:
    """Stop a unit's program, and wait for its end."""
    unit = units.known(model.read(), name)
    if unit is not None and runtime_units.runs(name, unit):
        _ask("stop", unit=name)


def signal(name: str, line: str) -> None:
    """Do what `kill -HUP $MAINPID` does."""
    found = re.search(r"kill\s+(?:-s\s*)?-?(?:SIG)?([A-Z0-9]+)\s+\$\{?MAINPID", line)
    if found is None:
        model.not_simulated("systemctl", ["reload", name, line])
    word = found[1]
    number = int(word) if word.isdecimal() else int(getattr(signals, f"SIG{word}"))
    _ask("signal", unit=name, signal=number)


def reload(name: str) -> int:
    """Let a program of a package read its files anew, if they are good: else it goes on with those it has."""
    import subprocess

    tried = subprocess.run(
        runtime_units.RELOADED[name], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if tried.returncode:
        words = tried.stderr.decode(errors="replace").splitlines()
        runtime_units.note(name, *words, who="nginx[1]")
        runtime_units.note(name, f"{name}: Control process exited, code=exited, status=1/FAILURE")
        runtime_units.note(name, f"Reload failed for {name}.")
        _say(FAILED.format(name))
        return 1
    if _ask("signal", unit=name, signal=int(signals.SIGHUP)) is None:
        return 1
    runtime_units.write(name, since=time.time())  # those of other connections are to read them, too
    return 0


def settle(names: list[str]) -> None:
    """Let it be known how units are of which nobody has looked yet since the guest started.

    A unit that is said to be active, and whose program's file is gone, has failed.
    """
    rows = model.section(model.read(), "units")
    mine = {name: rows.get(name) or rows.get(name.removesuffix(".service")) for name in names}
    up = {name: unit for name, unit in mine.items() if unit and unit.get("active") == "active"}
    running = [name for name, unit in up.items() if runtime_units.runs(name, unit)]
    for name in running:
        if units.file_of(name) and unit_words.program_is_gone(name, up[name]):
            runtime_units.note(name, f"{name}: Main process exited, code=exited, status=203/EXEC")
            runtime_units.note(name, f"{name}: Failed with result 'exit-code'.")
            runtime_units.write(name, active="failed", sub="failed", status=203, result="exit-code")
    if any("unproven" in up[name] for name in running):
        _ask("look")


def _before(name: str, service: runtime_units.Service) -> int:
    """Run what is to be run before; the status of what fails."""
    import unit_jobs

    for line in service.get("ExecStartPre", []):
        status = unit_jobs.command(name, line)
        if status:
            return status
    return 0


def _ask(verb: str, **more: object) -> dict[str, Any] | None:
    try:
        return runtime.ask(verb, **more)
    except runtime.RuntimeDownError as error:
        _say(str(error))
        return None


def _say(text: str) -> None:
    print(text, file=sys.stderr)
