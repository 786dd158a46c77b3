"""usermod: change a row in /etc/passwd, /etc/shadow and /etc/group."""

import sys

import accounts
import model
from tool_useradd import days, rewrite

LONG = {
    "--append": "-a", "--groups": "-G", "--gid": "-g", "--shell": "-s", "--comment": "-c", "--home": "-d",
    "--expiredate": "-e", "--lock": "-L", "--unlock": "-U",
}  # fmt: skip


def main(argv: list[str]) -> int:
    options: dict[str, str] = {}
    names = []
    words = [LONG.get(word, word) for word in argv]
    while words:
        word = words.pop(0)
        if word in ("-a", "-L", "-U"):
            options[word] = ""
        elif word in ("-G", "-g", "-s", "-c", "-d", "-e") and words:
            options[word] = words.pop(0)
        elif word.startswith("-"):
            model.not_simulated("usermod", argv)
        else:
            names.append(word)
    if len(names) != 1:
        print("Usage: usermod [options] LOGIN", file=sys.stderr)
        return 2
    with model.change():
        return _change(names[0], options)


def fail(text: str, code: int) -> int:
    print(f"usermod: {text}", file=sys.stderr)
    return code


def _change(name: str, options: dict[str, str]) -> int:
    if accounts.user(name) is None:
        return fail(f"user '{name}' does not exist", 6)
    wanted = [group for group in options.get("-G", "").split(",") if group]
    for group in [*wanted, *([options["-g"]] if "-g" in options else [])]:
        if accounts.group(group) is None:
            return fail(f"group '{group}' does not exist", 6)
    passwd, shadow = accounts.table("passwd"), accounts.table("shadow")
    row = next(row for row in passwd if row[0] == name)
    if "-g" in options:
        row[3] = (accounts.group(options["-g"]) or [])[2]
    for option, place in (("-c", 4), ("-d", 5), ("-s", 6)):
        if option in options:
            row[place] = options[option]
    secret = next((row for row in shadow if row[0] == name), None)
    if secret and "-L" in options and not secret[1].startswith("!"):
        secret[1] = f"!{secret[1]}"
    if secret and "-U" in options:
        if secret[1] in ("!", "!!", ""):
            return fail(
                "unlocking the user's password would result in a passwordless account.\n"
                "You should set a password with usermod -p to unlock this user's password.",
                1,
            )
        secret[1] = secret[1].removeprefix("!")
    if secret and "-e" in options:
        secret[7] = days(options["-e"])
    rewrite("passwd", passwd)
    rewrite("shadow", shadow)
    if "-G" in options:
        rewrite("group", _joined(name, wanted, append="-a" in options))
    return 0


def _joined(name: str, wanted: list[str], *, append: bool) -> list[list[str]]:
    rows = accounts.table("group")
    for row in rows:
        members = [member for member in row[3].split(",") if member]
        if row[0] in wanted and name not in members:
            members.append(name)
        elif row[0] not in wanted and name in members and not append:
            members.remove(name)
        row[3] = ",".join(members)
    return rows
