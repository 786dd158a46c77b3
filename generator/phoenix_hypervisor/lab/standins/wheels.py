"""Environments of Python in the lab: files as the real ones have, run by the machine's own Python."""

import os
import sys
import zipfile

PYTHON = """\
#!/bin/sh
# a stand-in of the lab
case ${{1-}} in -V | --version) echo 'Python {version}'; exit ;; esac
env=$(dirname "$(dirname "$0")")
PYTHONPATH=$env/lib/python{minor}/site-packages exec /usr/local/sbin/lab-program python "$@"
"""
COMMAND = """\
#!/bin/sh
# a stand-in of the lab
export PHOENIX_LAB_ENV="${{0%/bin/*}}"
exec /usr/local/sbin/lab-program {name} "$@"
"""


def make(version: str, folder: str) -> None:
    """Make an empty environment, as `python -m venv --without-pip` does."""
    minor = version.rpartition(".")[0]
    os.makedirs(f"{folder}/lib/python{minor}/site-packages", exist_ok=True)
    _script(f"{folder}/bin/python", PYTHON.format(version=version, minor=minor))
    os.symlink("python", f"{folder}/bin/python3")
    with open(f"{folder}/pyvenv.cfg", "w", encoding="ascii") as file:
        file.write(f"home = {os.path.dirname(folder)}/python/bin\nversion = {version}\n")


def install(python: str, files: list[str]) -> list[str]:
    """Install wheels into the environment of an interpreter; return `name==version` of each.

    Raises OSError, zipfile.BadZipFile.
    """
    env = os.path.dirname(os.path.dirname(python))
    (minor,) = os.listdir(f"{env}/lib")
    there = f"{env}/lib/{minor}/site-packages"
    for place in files:
        with zipfile.ZipFile(place) as archive:
            for name in archive.namelist():
                archive.extract(name, there)
                if name.endswith("entry_points.txt"):
                    for line in archive.read(name).decode().splitlines():
                        command, equals, _ = line.partition(" = ")
                        if equals:
                            _script(f"{env}/bin/{command}", COMMAND.format(name=command))
    return ["==".join(os.path.basename(place).split("-")[:2]) for place in files]


def take(
    words: list[str], switches: frozenset[str], values: frozenset[str]
) -> tuple[dict[str, str], list[str]]:
    """Split a command line into options and the rest; an option that is not known stays in the rest."""
    options: dict[str, str] = {}
    rest = []
    words = list(words)
    while words:
        word = words.pop(0)
        if word in values and words:
            options[word] = words.pop(0)
        elif word in switches:
            options[word] = ""
        else:
            rest.append(word)
    return options, rest


def failed(tool: str, error: Exception) -> int:
    print(f"{tool}: {error}", file=sys.stderr)
    return 2


def _script(place: str, text: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(place, 0o755)  # noqa: S103  (a program)
