"""systemd-analyze: `verify`, with its eyes on sections, keys and programs; values are taken as they are."""

import os
import sys

import model
import unit_keys

SECTIONS = ("Socket", "Mount", "Swap", "Slice", "Scope")
"""Those whose keys are not known here."""
PROGRAMS = ("ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost")
SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")


def main(argv: list[str]) -> int:
    known = ("--man=no", "--man=yes", "--recursive-errors=no")
    files = [word for word in argv[1:] if not word.startswith("-")]
    strange = [word for word in argv[1:] if word.startswith("-") and word not in known]
    if argv[:1] != ["verify"] or strange or not files or "--recursive-errors=no" not in argv:
        model.not_simulated("systemd-analyze", argv)
    return max(_verify(file) for file in files)


def _verify(file: str) -> int:
    try:
        with open(model.path(file), encoding="utf-8") as opened:
            lines = opened.read().replace("\\\n", "  ").splitlines()
    except OSError as error:
        print(f"Failed to prepare filename {file}: {error.strerror}", file=sys.stderr)
        return 1
    said, settings = _read(os.path.abspath(file), lines)
    name = os.path.basename(file)
    said += _missing(name, settings)
    for key, value in settings:
        program = value.lstrip("-@:+!|").split(" ")[0].strip('"')
        if key in PROGRAMS and program and not _there(program):
            said.append(f"{name}: Command {program} is not executable: No such file or directory")
    print("\n".join(said), end="\n" if said else "", file=sys.stderr)
    return 1 if said else 0


def _read(file: str, lines: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    said, settings, section = [], [], ""
    for number, typed in enumerate(lines, 1):
        line = typed.strip()
        if not line or line[0] in "#;" or (section.startswith("X-") and line[0] != "["):
            continue
        if line[0] == "[":
            section = line.strip("[]")
            if (
                section not in unit_keys.BY_SECTION
                and not section.startswith("X-")
                and section not in SECTIONS
            ):
                said.append(f"{file}:{number}: Unknown section '{section}'. Ignoring.")
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        keys = unit_keys.BY_SECTION.get(section)
        if not section:
            said.append(f"{file}:{number}: Assignment outside of section. Ignoring.")
        elif not equals:
            said.append(f"{file}:{number}: Missing '=', ignoring line.")
        elif keys is not None and key not in keys and not key.startswith("X-"):
            said.append(f"{file}:{number}: Unknown key '{key}' in section [{section}], ignoring.")
        else:
            settings.append((key, value.strip()))
    return said, settings


def _missing(name: str, settings: list[tuple[str, str]]) -> list[str]:
    keys = {key for key, value in settings if value}
    if name.endswith(".service") and not keys & {"ExecStart", "ExecStop", "SuccessAction"}:
        refused = f"{name}: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."
    elif name.endswith(".timer") and not any(key.startswith("On") for key in keys):
        refused = f"{name}: Timer unit lacks value setting. Refusing."
    else:
        return []
    return [refused, f"Unit {name} has a bad unit file setting."]


def _there(program: str) -> bool:
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in SEARCHED]
    return any(os.access(model.path(place), os.X_OK) or os.access(place, os.X_OK) for place in places)
