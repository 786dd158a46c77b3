"""What systemd does with one unit: start, stop, reload, enable, mask; said and ended as systemctl does.

Commands of units run without the model's lock, because they may be stand-ins that want it.
"""

import os
import re
import sys

import model
import runtime
import runtime_units
import unit_programs
import unit_words
import units

ONESHOT = ("pve-guests.service", "zfs-import-cache.service", "zfs-mount.service", "zfs-share.service")


def say(text: str) -> None:
    print(text, file=sys.stderr)


def update(name: str, **values: object) -> None:
    with model.change() as state:
        unit = units.known(state, name)
        if unit is not None:
            unit.update(values)


def refusal(name: str, verb: str, loaded: bool = False) -> int | None:
    """Say why a job cannot even be queued, and return its exit code; None if it can."""
    unit = units.known(model.read(), name)
    if units.masked(name):
        say(f"Failed to {verb} {name}: Unit {name} is masked.")
        return 1
    if unit is None:
        say(f"Failed to {verb} {name}: Unit {name} not {'loaded' if loaded else 'found'}.")
        return 5
    if units.stale(name, unit):
        say(
            f"Warning: The unit file, source configuration file or drop-ins of {name} changed on disk. "
            "Run 'systemctl daemon-reload' to reload units."
        )
    return None


def start(name: str, verb: str = "start") -> int:
    code = refusal(name, verb)
    if code is not None:
        return code
    if verb == "start" and units.active(model.read(), name):
        return 0
    with model.change() as state:
        # Fetching it under the lock makes systemd's copy of a new unit file.
        unit = dict(units.known(state, name) or {})
    if runtime.in_guest() and "fault" not in unit and runtime_units.runs(name, unit):
        return unit_programs.start(name, unit)
    if "fault" in unit:
        outcome = (1, "failed", "failed", 1)
    elif units.file_of(name) and "definition" in unit:
        outcome = _run(name, unit)
    else:
        outcome = _built_in(name)
    code, active, sub, status = outcome
    result = "exit-code" if active == "failed" else "success"
    update(name, active=active, sub=sub, status=status, result=result)
    if code:
        say(unit_programs.FAILED.format(name))
    return code


def _built_in(name: str) -> tuple[int, str, str, int]:
    """Start a unit that the lab's model came with; those that read files do so."""
    if name == "smbd.service":
        import samba_daemon

        return (0, "active", "running", 0) if samba_daemon.load() else (1, "failed", "failed", 1)
    if name == "nfs-server.service":
        import exports_table

        # `ExecStartPre=-…`: a bad export table does not keep the server from starting.
        exports_table.export_all(exports_table.Log())
        return 0, "active", "exited", 0
    if name == "systemd-timesyncd.service":
        import tool_timedatectl

        servers = tool_timedatectl.servers()
        with model.change() as state:
            model.section(state, "timesyncd")["servers"] = servers
    if name == "chrony.service":
        import tool_chronyc

        sources = tool_chronyc.read()
        with model.change() as state:
            state["chrony"] = sources
    if name == "docker.service":
        import docker_daemon

        if docker_daemon.starts():
            return 1, "failed", "failed", 1
    if name == "pve-firewall.service":
        import firewall_daemon

        firewall_daemon.load()
    if name in ONESHOT:
        return 0, "active", "exited", 0
    return 0, "active", "active" if name.endswith(".target") else "running", 0


def _run(name: str, unit: units.Unit) -> tuple[int, str, str, int]:
    commands = unit["definition"].get("Service", {})
    oneshot = units.setting(unit, "Service", "Type", "simple") == "oneshot"
    if name.endswith(".mount"):  # systemd makes the folder; in the lab nothing is mounted on it
        os.makedirs(model.path(units.setting(unit, "Mount", "Where", "/")), exist_ok=True)
        return 0, "active", "mounted", 0
    if not name.endswith(".service"):
        return 0, "active", "waiting" if name.endswith((".timer", ".path")) else "active", 0
    for line in commands.get("ExecStartPre", []):
        status = command(name, line)
        if status:
            return 1, "failed", "failed", status
    for line in commands.get("ExecStart", []):
        if not oneshot:
            return _daemon(line)
        status = command(name, line)
        if status:
            return 1, "failed", "failed", status
    if oneshot and units.setting(unit, "Service", "RemainAfterExit", "no").lower() not in (
        "yes",
        "true",
        "1",
        "on",
    ):
        return 0, "inactive", "dead", 0
    return 0, "active", "exited", 0


def _daemon(line: str) -> tuple[int, str, str, int]:
    """A daemon is not really run: it is up if its program exists, unless that is `false` or `true`."""
    program = line.lstrip("-@:+!").split()[0]
    if os.path.basename(program) == "false":
        return 0, "failed", "failed", 1
    if os.path.basename(program) == "true":
        return 0, "inactive", "dead", 0
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in unit_words.SEARCHED]
    if not any(os.access(model.path(place), os.X_OK) or os.access(place, os.X_OK) for place in places):
        return 0, "failed", "failed", 203
    return 0, "active", "running", 0


def command(name: str, line: str) -> int:
    """Run one command of a unit and return its status, 0 if the unit does not mind (`-` in front)."""
    import shlex
    import subprocess

    bare = line.lstrip("-@:+!")
    instance = name.partition("@")[2].rpartition(".")[0]
    known = {"%i": instance, "%n": name, "%%": "%", "$$": "$"}
    argv = [re.sub(r"%[in%]|\$\$", lambda sign: known[sign[0]], word) for word in shlex.split(bare)]
    if model.ROOT and os.path.exists(model.path(argv[0])):
        argv[0] = model.path(argv[0])
    try:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    except OSError:
        status = 203
    return 0 if "-" in line[: len(line) - len(bare)] else status


def stop(name: str) -> int:
    if name.endswith(".timer"):
        import lab_timers

        if lab_timers.drop(name):
            return 0
    if units.known(model.read(), name) is None:
        return refusal(name, "stop", loaded=True) or 0
    if name == "nfs-server.service":
        import exports_table

        exports_table.save([])
    elif name == "pve-firewall.service":
        import firewall_daemon

        firewall_daemon.unload()
    if runtime.in_guest():
        unit_programs.stop(name)
    update(name, active="inactive", sub="dead", result="success")
    return 0


def restart(name: str) -> int:
    code = refusal(name, "restart")
    if code is None and name == "nfs-server.service":
        stop(name)
    return start(name, "restart") if code is None else code


def reload(name: str) -> int:
    code = refusal(name, "reload")
    if code is not None:
        return code
    unit = units.known(model.read(), name) or {}
    if not reloadable(name, unit):
        say(f"Failed to reload {name}: Job type reload is not applicable for unit {name}.")
        return 1
    if unit.get("active") != "active":
        say(f"{name} is not active, cannot reload.")
        return 1
    if runtime.in_guest() and name in runtime_units.RELOADED and runtime_units.runs(name, unit):
        return unit_programs.reload(name)
    if name == "smbd.service":
        import samba_daemon

        # smbd is only sent a signal: a bad configuration is not noticed here, and it keeps the old one.
        samba_daemon.load()
    elif name == "nfs-server.service":
        import exports_table

        exports_table.export_all(exports_table.Log())
    elif name == "pve-firewall.service":
        import firewall_daemon

        firewall_daemon.load()
    for line in unit.get("definition", {}).get("Service", {}).get("ExecReload", []):
        if "$MAINPID" in line:
            if runtime.in_guest():
                unit_programs.signal(name, line)
        elif command(name, line):
            say(unit_programs.FAILED.format(name))
            return 1
    return 0


def reloadable(name: str, unit: units.Unit) -> bool:
    if units.file_of(name) is None:
        return name.endswith(".service") and bool(unit.get("reload", True))
    return bool(unit.get("definition", {}).get("Service", {}).get("ExecReload"))


def enable(name: str, quiet: bool = False) -> int:
    unit = units.known(model.read(), name)
    if unit is None:
        say(f"Failed to enable unit: Unit file {name} does not exist.")
        return 1
    if units.masked(name):
        say(f"Failed to enable unit: Unit file {units.FOLDER}/{name} is masked.")
        return 1
    source = units.file_of(name)
    if source is None:
        if unit.get("enabled") not in ("enabled", "static"):
            if not quiet:
                link = f"{units.FOLDER}/multi-user.target.wants/{name}"
                say(f"Created symlink {link} → /lib/systemd/system/{name}.")
            update(name, enabled="enabled")
        return 0
    # systemd reads the file itself to enable it; only running units use the loaded copy.
    links = units.wanted_by({"definition": units.read(name)}, name)
    for link in links:
        if not os.path.lexists(model.path(link)):
            os.makedirs(os.path.dirname(model.path(link)), exist_ok=True)
            os.symlink(source, model.path(link))
            if not quiet:
                say(f"Created symlink {link} → {source}.")
    if not links:
        say(
            "The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\n"
            "Alias= settings in the [Install] section, and DefaultInstance= for template\n"
            "units). This means they are not meant to be enabled or disabled using systemctl."
        )
    return 0


def disable(name: str, quiet: bool = False) -> int:
    unit = units.known(model.read(), name)
    if unit is None:
        say(f"Failed to disable unit: Unit file {name} does not exist.")
        return 1
    if units.file_of(name) is None and unit.get("enabled") == "enabled":
        if not quiet:
            say(f'Removed "{units.FOLDER}/multi-user.target.wants/{name}".')
        update(name, enabled="disabled")
    for folder in (
        sorted(os.listdir(model.path(units.FOLDER))) if os.path.isdir(model.path(units.FOLDER)) else []
    ):
        link = f"{units.FOLDER}/{folder}/{name}"
        if folder.endswith((".wants", ".requires")) and os.path.islink(model.path(link)):
            os.unlink(model.path(link))
            if not quiet:
                say(f'Removed "{link}".')
    return 0


def mask(name: str) -> int:
    place = model.path(f"{units.FOLDER}/{name}")
    if units.masked(name):
        return 0
    if os.path.lexists(place):
        say(f"Failed to mask unit: File {units.FOLDER}/{name} already exists.")
        return 1
    if units.known(model.read(), name) is None:
        say(f"Unit {name} does not exist, proceeding anyway.")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.symlink("/dev/null", place)
    say(f"Created symlink {units.FOLDER}/{name} → /dev/null.")
    return 0


def unmask(name: str) -> int:
    if units.masked(name):
        os.unlink(model.path(f"{units.FOLDER}/{name}"))
        say(f'Removed "{units.FOLDER}/{name}".')
    return 0
