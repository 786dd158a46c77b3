"""What happens in a simulated guest when it starts: volatile folders are empty, enabled units are up.

Called with the guest's root as the stand-ins' root (model.ROOT). What they run is started when somebody
looks (runtime_keeper.py): until then they are up, and unproven.
"""

import os
import time

import guest_setup
import model
import runtime_units
import units
from guest_paths import inner

UNITS = (
    "console-getty", "cron", "dbus", "rsyslog", "ssh", "systemd-journald", "systemd-logind",
    "systemd-networkd", "systemd-resolved",
)  # fmt: skip
TARGETS = ("multi-user.target", "graphical.target")
"""What a fresh system starts up to: it wants to be a desktop unless somebody says otherwise."""


def boot(hostname: str, kernel: dict[str, str]) -> None:
    """Start what is enabled, as systemd would; the kernel is the node's."""
    for folder in ("/run", "/tmp"):  # noqa: S108  (the guest's)
        _empty(inner(model.ROOT, folder))
    os.mkdir(inner(model.ROOT, "/run/lock"))
    _give_identity()
    with model.change() as state:
        state["hostname"] = hostname
        state["boot"] = kernel
        rows = model.section(state, "units")
        if not rows:
            rows.update({f"{name}.service": {"load": "loaded", "enabled": "enabled"} for name in UNITS})
            rows.update({name: {"load": "loaded", "enabled": "static"} for name in TARGETS})
        for name in {*map(units.full_name, rows), *_wanted()}:
            unit = units.known(state, name)
            if unit is not None:
                if units.file_of(name) and not units.masked(name):
                    unit["definition"] = units.read(name)
                _up(name, unit)


def _give_identity() -> None:
    """A machine without an id of its own gets one at its first start."""
    known = guest_setup.read(model.ROOT, "/etc/machine-id").strip()
    if known in ("", "uninitialized"):
        guest_setup.put(model.ROOT, "/etc/machine-id", os.urandom(16).hex() + "\n")


def _up(name: str, unit: units.Unit) -> None:
    active, sub = "inactive", "dead"
    if units.enabled(name, unit) == "enabled" or name in TARGETS:
        active, sub = "active", "running" if name.endswith(".service") else "active"
        if units.setting(unit, "Service", "Type") == "oneshot":
            stays = units.setting(unit, "Service", "RemainAfterExit").lower() in ("yes", "true", "1", "on")
            active, sub = ("active", "exited") if stays else ("inactive", "dead")
        if "fault" in unit:
            active, sub = "failed", "failed"
    unit.update(active=active, sub=sub, result="exit-code" if active == "failed" else "success")
    if active == "active" and runtime_units.runs(name, unit):
        unit.update(since=time.time(), unproven=True)


def _wanted() -> set[str]:
    """The units that links in /etc/systemd/system pull in."""
    found = set()
    top = inner(model.ROOT, units.FOLDER)
    for folder in os.listdir(top) if os.path.isdir(top) else []:
        if folder.endswith((".wants", ".requires")):
            found.update(os.listdir(os.path.join(top, folder)))
    return found


def _empty(folder: str) -> None:
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            _empty(entry.path)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
