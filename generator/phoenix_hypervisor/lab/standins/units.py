"""systemd's units in the lab: those the model came with and those of /etc/systemd/system.

A unit of the model is `{"load", "active", "sub", "enabled"}` (all optional) and more once it was used:
`result`, `status` (of its main process), `definition` (the unit file as systemd has it loaded).
"""

import os

import model
from hints import Any

FOLDER = "/etc/systemd/system"
SUFFIXES = (
    ".service",
    ".target",
    ".timer",
    ".mount",
    ".socket",
    ".path",
    ".slice",
    ".scope",
    ".device",
    ".swap",
    ".automount",
)
ALIASES = {"nfs-kernel-server.service": "nfs-server.service", "samba.service": "smbd.service"}

Unit = dict[str, Any]
Definition = dict[str, dict[str, list[str]]]


def full_name(name: str) -> str:
    """Return the name with its suffix and with aliases resolved."""
    name = name if name.endswith(SUFFIXES) else name + ".service"
    return ALIASES.get(name, name)


def template_of(name: str) -> str:
    """Return `x@.service` for `x@one.service`, else the name."""
    stem, at, rest = name.partition("@")
    return f"{stem}@.{rest.rpartition('.')[2]}" if at else name


def file_of(name: str) -> str | None:
    """Return the absolute path of the unit's own file, if the node has one."""
    for candidate in (name, template_of(name)):
        if os.path.lexists(model.path(f"{FOLDER}/{candidate}")):
            return f"{FOLDER}/{candidate}"
    return None


def masked(name: str) -> bool:
    place = model.path(f"{FOLDER}/{name}")
    return os.path.islink(place) and os.readlink(place) == "/dev/null"


def known(state: model.Model, name: str) -> Unit | None:
    """Return the model's unit, made on first sight of its file; None if there is no such unit."""
    parts = model.section(state, "units")
    unit: Unit | None = parts.get(name) or parts.get(name.removesuffix(".service"))
    path = file_of(name)
    if unit is None and path is None:
        return None
    if unit is None:
        unit = parts[name] = {"active": "inactive", "sub": "dead"}
    if path and not masked(name) and "definition" not in unit:
        unit["definition"] = read(name)
    return unit


def read(name: str) -> Definition:
    """Parse the unit's file and its drop-ins as they are now."""
    texts = []
    path = file_of(name)
    for place in [path] if path else []:
        with open(model.path(place), encoding="utf-8") as file:
            texts.append(file.read())
    for place in drop_ins(name):
        with open(model.path(place), encoding="utf-8") as file:
            texts.append(file.read())
    definition: Definition = {}
    for text in texts:
        _merge(definition, text)
    return definition


def drop_ins(name: str) -> list[str]:
    folder = f"{FOLDER}/{name}.d"
    try:
        return [
            f"{folder}/{entry}" for entry in sorted(os.listdir(model.path(folder))) if entry.endswith(".conf")
        ]
    except OSError:
        return []


def _merge(definition: Definition, text: str) -> None:
    section = ""
    for typed in text.replace("\\\n", " ").splitlines():
        line = typed.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            values = definition.setdefault(section, {}).setdefault(key.strip(), [])
            if value.strip():
                values.append(value.strip())
            else:
                # An empty assignment forgets what was said before.
                values.clear()


def setting(unit: Unit, section: str, key: str, default: str = "") -> str:
    values = unit.get("definition", {}).get(section, {}).get(key)
    return values[-1] if values else default


def stale(name: str, unit: Unit) -> bool:
    """Say whether the files changed since systemd read them (a forgotten daemon-reload)."""
    return (
        "definition" in unit
        and file_of(name) is not None
        and not masked(name)
        and read(name) != unit["definition"]
    )


def active(state: model.Model, name: str) -> bool:
    unit = known(state, full_name(name))
    return unit is not None and unit.get("active") == "active"


def wanted_by(unit: Unit, name: str) -> list[str]:
    """Return the paths of the links that enabling this unit makes."""
    install = unit.get("definition", {}).get("Install", {})
    return [
        f"{FOLDER}/{target}.{kind}/{name}"
        for key, kind in (("WantedBy", "wants"), ("RequiredBy", "requires"))
        for value in install.get(key, [])
        for target in value.split()
    ]


def enabled(name: str, unit: Unit) -> str:
    """Return what `is-enabled` prints."""
    if masked(name):
        return "masked"
    if file_of(name) is None:
        return str(unit.get("enabled") or "disabled")
    links = wanted_by(unit, name)
    if not links:
        return "static"
    return "enabled" if any(os.path.islink(model.path(link)) for link in links) else "disabled"
