"""Which programs a guest's units want to be running, and what of it is written into the guest's model.

To be used with the guest's root as the stand-ins' root (guest_run_simulated.inside).
"""

import os
import time
from typing import Any, NamedTuple

import guest_journal
import model
import units
from guest_paths import inner

BUILT_IN = {
    "nginx.service": ("/usr/sbin/nginx", "-g", "daemon off;"),
    "xrdp.service": ("/usr/sbin/xrdp", "--nodaemon"),
    "docker.service": ("/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"),
    "prometheus.service": ("/usr/bin/prometheus", "$ARGS"),
    "prometheus-node-exporter.service": ("/usr/bin/prometheus-node-exporter", "$ARGS"),
    "prometheus-nginx-exporter.service": ("/usr/bin/prometheus-nginx-exporter", "$ARGS"),
    "systemd-journal-remote.service": ("/usr/lib/systemd/systemd-journal-remote", "--listen-https=-3"),
    "systemd-journal-upload.service": ("/usr/lib/systemd/systemd-journal-upload", "--save-state"),
}
"""Units that packages bring, with what they run: started where the package brought a stand-in for it."""
RELOADED = {
    "nginx.service": ("/usr/local/sbin/nginx", "-t", "-q"),
    "prometheus.service": ("/usr/bin/true",),  # it finds out itself, and goes on with what it has
}
"""Those that take a new configuration while they run, with what finds out before whether it is one."""
WAITING = "auto-restart"
YES = ("yes", "true", "1", "on")
Service = dict[str, list[str]]


class Wanted(NamedTuple):
    """A unit whose program is to be running."""

    name: str
    since: float
    """When it was started last: another time, another process."""
    service: Service
    description: str

    @property
    def title(self) -> str:
        """What systemd calls it in a journal."""
        return f"{self.name} - {self.description}" if self.description else self.name


def runs(name: str, unit: units.Unit) -> bool:
    """Tell whether a unit is one whose program really runs."""
    service = unit.get("definition", {}).get("Service", {})
    if not name.endswith(".service") or units.masked(name):
        return False
    if units.file_of(name):
        return bool(service.get("ExecStart")) and _last(service, "Type", "simple") != "oneshot"
    return name in BUILT_IN and _stand_in(name) is not None


def service_of(name: str, unit: units.Unit) -> Service:
    """Return the [Service] section; for a unit of a package what is like it."""
    if units.file_of(name):
        found: Service = unit.get("definition", {}).get("Service", {})
        return found
    line = " ".join(f'"{word}"' for word in (_stand_in(name), *BUILT_IN[name][1:]))
    more: Service = unit.get("definition", {}).get("Service", {})  # of drop-ins
    program, _, rest = next(iter(more.get("ExecStart", ())), "").partition(" ")
    line = f"{_stand_in(name)} {rest}" if program == BUILT_IN[name][0] else line
    if name.startswith("prometheus"):
        more = {**more, "EnvironmentFile": [f"-/etc/default/{name.removesuffix('.service')}"]}
    restart = "always" if name == "docker.service" else "no"
    return {"Restart": [restart], **more, "ExecStart": [line], "Type": ["notify"]}


def _stand_in(name: str) -> str | None:
    place = "/usr/local/sbin/" + os.path.basename(BUILT_IN[name][0])
    return place if os.path.exists(inner(model.ROOT, place)) else None


def described(unit: units.Unit) -> str:
    return units.setting(unit, "Unit", "Description")


def wanted() -> list[Wanted]:
    """Return the units whose programs are to be running now."""
    found = []
    rows = model.section(model.read(), "units")
    for typed, unit in rows.items():
        name = units.full_name(typed)
        up = unit.get("active") == "active" or unit.get("sub") == WAITING
        if up and runs(name, unit):
            found.append(Wanted(name, float(unit.get("since", 0)), service_of(name, unit), described(unit)))
    return found


def one(name: str) -> Wanted | None:
    """Return a unit that is to be started now, with its time."""
    unit = units.known(model.read(), name)
    if unit is None or not runs(name, unit):
        return None
    return Wanted(name, time.time(), service_of(name, unit), described(unit))


def write(name: str, **values: Any) -> None:
    """Note what became of a unit."""
    with model.change() as state:
        unit = units.known(state, name)
        if unit is not None:
            unit.update(values)
            unit.pop("unproven", None)


def note(name: str, *lines: str, who: str = "systemd[1]") -> None:
    """Write into the guest's journal."""
    guest_journal.append(name, lines, who)


def _last(service: Service, key: str, default: str = "") -> str:
    values = service.get(key)
    return values[-1] if values else default


def setting(service: Service, key: str, default: str = "") -> str:
    """Return a setting of a service that has one value."""
    return _last(service, key, default)


def seconds(service: Service, key: str, default: float) -> float:
    """Return a time span in seconds: `5`, `500ms`, `1min 30s`, `infinity`."""
    text = _last(service, key)
    if text in ("", "infinity"):
        return default
    total = 0.0
    for word in text.replace("min", "m").split():
        number = word.rstrip("hms")
        factor = {"ms": 0.001, "m": 60.0, "h": 3600.0}.get(word[len(number) :], 1.0)
        total += float(number) * factor
    return total
