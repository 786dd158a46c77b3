"""Command lines and environments of units, as systemd reads them (systemd.service(5), systemd.exec(5))."""

import os
import re

import model
import units
from guest_paths import inner

SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
"""Where systemd looks for a program that is named without its folder."""
PATH = ":".join((*SEARCHED, "/sbin", "/bin"))
PREFIXES = "-@:+!"
ESCAPES = {"n": "\n", "t": "\t", "s": " ", "r": "\r"}
_SIGN = re.compile(r"\$\{(\w+)\}|\$\$")
_SPECIFIER = re.compile(r"%([%inNpH])")

Environment = dict[str, str]


class NotStarted(Exception):  # noqa: N818  (what systemd says: it was not)
    """Why a program is not started, and systemd's status for it."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text, self.status = text, status


def split(line: str) -> list[str]:
    """Return a line's words: quotes hold words together, a backslash escapes."""
    words: list[str] = []
    word, quote, rest = None, "", iter(line)
    for sign in rest:
        if sign == "\\":
            following = next(rest, "")
            word = (word or "") + ESCAPES.get(following, following)
        elif quote:
            word, quote = (word or "", "") if sign == quote else ((word or "") + sign, quote)
        elif sign in "\"'":
            word, quote = word or "", sign
        elif sign.isspace():
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + sign
    return words + ([] if word is None else [word])


def specifiers(text: str, name: str) -> str:
    """Return a setting with %i, %n and their like replaced."""
    stem = name.rpartition(".")[0]
    known = {
        "%": "%",
        "i": stem.partition("@")[2],
        "p": stem.partition("@")[0],
        "n": name,
        "N": stem,
        "H": str(model.read().get("hostname", "localhost")),
    }
    return _SPECIFIER.sub(lambda found: known[found[1]], text)


def command(line: str, name: str, environment: Environment) -> tuple[str, list[str]]:
    """Return the prefixes (`-` and its like) of a command line, and its words with variables put in."""
    bare = line.lstrip(PREFIXES)
    prefixes = line[: len(line) - len(bare)]
    words: list[str] = []
    for word in split(specifiers(bare, name)):
        if words and re.fullmatch(r"\$\w+", word):  # a word of its own: split where there is space
            words += environment.get(word[1:], "").split()
        else:
            words.append(_SIGN.sub(lambda found: environment.get(found[1], "") if found[1] else "$", word))
    return prefixes, words


def environment(name: str, service: dict[str, list[str]]) -> Environment:
    """Return what a program finds in its environment. Raises NotStarted for a file that is not there."""
    found = {"PATH": PATH, "LANG": "C.UTF-8", "SHELL": "/bin/sh"}
    user = (service.get("User") or ["root"])[-1]
    found |= {"USER": user, "LOGNAME": user, "HOME": "/root" if user == "root" else f"/home/{user}"}
    for line in service.get("Environment", []):
        found |= dict(word.partition("=")[::2] for word in split(specifiers(line, name)) if "=" in word)
    for place in service.get("EnvironmentFile", []):
        try:
            with open(inner(model.ROOT, place.lstrip("-")), encoding="utf-8") as file:
                found |= _file(file.read())
        except OSError as error:
            if not place.startswith("-"):
                said = f"{name}: Failed to load environment files: {error.strerror}"
                raise NotStarted(said) from None
    return found


def _file(text: str) -> Environment:
    found = {}
    for typed in text.replace("\\\n", "").splitlines():
        line = typed.strip()
        if line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip().strip("\"'") if value.strip()[:1] in "\"'" else value.strip()
    return found


def program(words: list[str]) -> str | None:
    """Return the path of the program that a command line starts; None if there is none."""
    first = words[0] if words else ""
    places = [first] if "/" in first else [f"{folder}/{first}" for folder in SEARCHED]
    for place in places if first else []:
        if os.access(inner(model.ROOT, place), os.X_OK) or os.access(place, os.X_OK):
            return place
    return None


def program_is_gone(name: str, unit: units.Unit) -> bool:
    """Tell whether the file that a unit's service runs is there no more."""
    service = unit.get("definition", {}).get("Service", {})
    lines = service.get("ExecStart", [])
    return bool(lines) and program(command(lines[0], name, {})[1][:1]) is None
