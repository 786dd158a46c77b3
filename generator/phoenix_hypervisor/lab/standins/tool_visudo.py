"""visudo -c: whether files of sudo's rules can be read. sudoers(5) as far as people write it."""

import os
import re
import sys

import model

NAME = r"[!%#]?[\w.@+-]+|ALL|\\?\".*?\""
LIST = rf"(?:{NAME})(?:\s*,\s*(?:{NAME}))*"
TAGS = r"(?:(?:NO)?(?:PASSWD|EXEC|SETENV|LOG_INPUT|LOG_OUTPUT|MAIL|FOLLOW)\s*:\s*)*"
COMMAND = rf"(?:\([^()]*\)\s*)?{TAGS}!?(?:ALL|sudoedit(?:\s+\S+)*|/[^,=:]*|[A-Z][A-Z0-9_]*)"
GRANT = rf"{LIST}\s*=\s*{COMMAND}(?:\s*,\s*{COMMAND})*"
RULE = re.compile(rf"{LIST}\s+{GRANT}(?:\s*:\s*{GRANT})*")
ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\s+[A-Z][A-Z0-9_]*\s*=\s*\S.*")
OTHER = re.compile(r"Defaults([@:!>]\S+)?\s+\S.*|[@#]include(dir)?\s+\S+")


def main(argv: list[str]) -> int:
    words = [word for word in argv if word not in ("-c", "-q", "--check", "--quiet", "-s", "--strict")]
    quiet = "-q" in argv or "--quiet" in argv
    if "-cf" in words:
        words[words.index("-cf")] = "-f"
    if len(words) == 2 and words[0] == "-f" and words != argv:
        return _check(words[1], quiet)
    if words or not argv:
        model.not_simulated("visudo", argv)
    return max([_check(path, quiet) for path in ["/etc/sudoers", *_folder()]])


def _folder() -> list[str]:
    folder = "/etc/sudoers.d"
    names = sorted(os.listdir(model.path(folder))) if os.path.isdir(model.path(folder)) else []
    return [f"{folder}/{name}" for name in names if "." not in name and not name.endswith("~")]


def _check(path: str, quiet: bool) -> int:
    try:
        with open(model.path(path), encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        print(f"visudo: unable to open {path}: {error.strerror}", file=sys.stderr)
        return 1
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
        rule = re.sub(r"(?<![\w%])#(?!include).*", "", line).strip()
        if rule and not any(pattern.fullmatch(rule) for pattern in (OTHER, ALIAS, RULE)):
            print(f"{path}:{number}:{len(line)}: syntax error\n{line}", file=sys.stderr)
            return 1
    if not quiet:
        print(f"{path}: parsed OK")
    return 0
