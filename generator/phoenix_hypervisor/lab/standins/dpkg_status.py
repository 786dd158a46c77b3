"""dpkg's own list of packages, /var/lib/dpkg/status: stanzas with a package, its state, its version."""

import os

import model

STATUS = "/var/lib/dpkg/status"
UPDATES = "/var/lib/dpkg/updates"
LETTERS = {"install": "i", "hold": "h", "deinstall": "r", "purge": "p", "unknown": "u"}
STATES = {
    "not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U",
    "half-configured": "F", "triggers-awaited": "W", "triggers-pending": "t", "installed": "i",
}  # fmt: skip

Stanza = dict[str, str]


def read() -> dict[str, Stanza]:
    """Return what dpkg knows: name → fields."""
    try:
        with open(model.path(STATUS), encoding="utf-8") as file:
            parts = file.read().split("\n\n")
    except FileNotFoundError:
        return {}
    stanzas = (dict(line.split(": ", 1) for line in part.splitlines() if ": " in line) for part in parts)
    return {stanza["Package"]: stanza for stanza in stanzas if stanza}


def write(packages: dict[str, Stanza]) -> None:
    """Put a new list in the place of the old one."""
    text = "".join(
        "".join(f"{name}: {value}\n" for name, value in stanza.items()) + "\n"
        for _, stanza in sorted(packages.items())
    )
    os.makedirs(os.path.dirname(model.path(STATUS)), exist_ok=True)
    with open(model.path(STATUS + "-new"), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(model.path(STATUS + "-new"), model.path(STATUS))


def stanza(name: str, version: str, want: str = "install", state: str = "installed") -> Stanza:
    """Return a package's stanza."""
    return {"Package": name, "Status": f"{want} ok {state}", "Architecture": "amd64", "Version": version}


def state(package: Stanza | None) -> str:
    """Return a package's state: `installed`, `config-files`; `not-installed` for one dpkg does not know."""
    return package["Status"].split()[2] if package else "not-installed"


def held(package: Stanza | None) -> bool:
    return package is not None and package["Status"].startswith("hold ")


def interrupted() -> bool:
    """Whether dpkg was cut off: the files it leaves then have numbers for names."""
    place = model.path(UPDATES)
    return os.path.isdir(place) and any(name.isdigit() for name in os.listdir(place))
