"""systemd's unit files, written from sections and read back, and what `systemctl show` prints."""

import re
from collections.abc import Iterable, Mapping

Setting = str | int | bool | tuple[str | int, ...]
"""What a key may be set to; several values become several lines."""
Sections = Mapping[str, Mapping[str, Setting]]

OF_TYPE = {
    "service": "Service",
    "timer": "Timer",
    "socket": "Socket",
    "path": "Path",
    "mount": "Mount",
    "automount": "Automount",
    "swap": "Swap",
    "slice": "Slice",
    "scope": "Scope",
    "target": "",
}
"""What a unit's name ends in → the section that only such a unit has."""
PLAIN_WORD = re.compile(r"[^\s\"'\\;]+")


def text(sections: Sections) -> str:
    """Return a unit file: each section with its keys, in the order in which they are declared."""
    blocks = []
    for section, keys in sections.items():
        lines = [f"{key}={value}" for key, setting in keys.items() for value in values(setting)]
        blocks.append("\n".join([f"[{section}]", *lines, ""]))
    return "\n".join(blocks)


def values(setting: Setting) -> list[str]:
    """Return the values as they stand behind the equals sign; true and false are yes and no."""
    if isinstance(setting, bool):
        return ["yes" if setting else "no"]
    return [str(one) for one in setting] if isinstance(setting, tuple) else [str(setting)]


def parse(written: str) -> dict[str, tuple[str, ...]]:
    """Return `Section.Key` → its values in order, of a unit file; comments and order of keys are left out.

    Lines that are no setting (a key without `=`, anything before the first section) are kept as keys of
    their own without a value, so that they never pass for nothing.
    """
    found: dict[str, tuple[str, ...]] = {}
    section = ""
    for typed in re.sub(r"\\\n", " ", written).splitlines():
        line = typed.strip()
        if not line or line[0] in "#;":
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        name = f"{section}.{key.strip()}"
        found[name] = (*found.get(name, ()), value.strip()) if equals and section else ()
    return found


def word(plain: str) -> str:
    """Return a word of a command line, so that systemd takes it as it is: specifiers, variables, quotes."""
    escaped = plain.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
    if escaped == plain.replace("%", "%%").replace("$", "$$") and PLAIN_WORD.fullmatch(plain):
        return escaped
    return '"' + escaped.replace('"', '\\"').replace("\n", "\\n") + '"'


def command_line(argv: Iterable[str]) -> str:
    """Return the value of ExecStart= for this command."""
    return " ".join(map(word, argv))


def loaded_command(argv: Iterable[str]) -> str:
    """Return how `systemctl show -p ExecStart` prints the words of this command, once it is loaded."""
    return " ".join(plain.replace("$", "$$") for plain in argv)


def shown_command(value: str) -> str:
    """Return the words of the first command in `{ path=… ; argv[]=… ; ignore_errors=… }`; empty for none."""
    found = re.search(r"argv\[\]=(.*?) ; ignore_errors=", value, re.DOTALL)
    return found[1] if found else ""


def properties(shown: str) -> dict[str, str]:
    """Return what `systemctl show` printed of one unit: property → value."""
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def type_of(unit: str) -> str:
    """Return what a unit's name ends in: `service` of `x.service`."""
    return unit.rpartition(".")[2]


def mount_name(path: str) -> str:
    """Return the name that a mount unit for an absolute path must have (systemd.unit(5), string escaping)."""
    parts = [part for part in path.split("/") if part]
    return (
        "-".join(_escaped(part, first=not number) for number, part in enumerate(parts)) + ".mount"
        if parts
        else "-.mount"
    )


def mount_path(name: str) -> str:
    """Return the path that a mount unit of that name is for."""
    parts = name.removesuffix(".mount").strip("-").split("-")
    text = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), "/".join(parts))
    return "/" + text.encode("latin-1").decode()


def _escaped(part: str, *, first: bool) -> str:
    """A letter, a digit, `_`, `:` or `.` (but the very first) is itself; anything else is its bytes."""
    kept = re.compile(r"[A-Za-z0-9_:.]")
    return "".join(
        char
        if kept.match(char) and not (first and not at and char == ".")
        else "".join(f"\\x{byte:02x}" for byte in char.encode())
        for at, char in enumerate(part)
    )
