"""An interpreter of python-build-standalone: `-m venv` and `-m pip` are the lab's, the rest the machine's."""

import os
import sys
import zipfile

import model
import wheels

SWITCHES = frozenset((
    "-q", "--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input",
))  # fmt: skip


def main(argv: list[str]) -> int:
    version, *words = argv
    if words in (["-V"], ["--version"]):
        print(f"Python {version}")
    elif words[:3] == ["-m", "venv", "--without-pip"] and len(words) == 4:
        wheels.make(version, words[3])
    elif words[:2] == ["-m", "pip"]:
        return _pip(words[2:])
    elif words[:2] == ["-m", "venv"]:
        model.not_simulated("python", words)
    else:
        os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - this process becomes the machine's
    return 0


def _pip(argv: list[str]) -> int:
    options, rest = wheels.take(argv, SWITCHES, frozenset(("--python",)))
    if rest == ["check"] and "--python" in options:
        print("No broken requirements found.")
        return 0
    if rest[:1] != ["install"] or not {"--python", "--no-index", "--no-deps"} <= options.keys():
        model.not_simulated("pip", argv)
    try:
        found = wheels.install(options["--python"], rest[1:])
    except (OSError, zipfile.BadZipFile) as error:
        return wheels.failed("ERROR: Could not install packages due to an OSError", error)
    if "-q" not in options:
        print(f"Successfully installed {' '.join(one.replace('==', '-') for one in found)}")
    return 0
