"""useradd: a row in /etc/passwd, /etc/group and /etc/shadow."""

import os
import sys

import accounts
import model


def main(argv: list[str]) -> int:
    names, options = _parse(argv)
    if len(names) != 1:
        print("Usage: useradd [options] LOGIN", file=sys.stderr)
        return 2
    name = names[0]
    if not _valid(name):
        return fail(f"invalid user name '{name}': use --badname to ignore", 3)
    with model.change():
        # The model's lock keeps two of these from taking the same number.
        return _add(name, options)


def fail(text: str, code: int) -> int:
    print(f"useradd: {text}", file=sys.stderr)
    return code


def _parse(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    long = {"--system": "-r", "--no-create-home": "-M", "--create-home": "-m", "--shell": "-s", "--uid": "-u",
            "--gid": "-g", "--home-dir": "-d", "--home": "-d", "--comment": "-c", "--groups": "-G",
            "--expiredate": "-e", "--no-user-group": "-N",
            "--user-group": "-U", "--non-unique": "-o"}  # fmt: skip
    names, options = [], {}
    words = list(argv)
    while words:
        word, equals, value = words.pop(0).partition("=")
        if not word.startswith("-"):
            names.append(word + equals + value)
            continue
        flags = long.get(word) or (word if not word.startswith("--") else None)
        if flags is None:
            model.not_simulated("useradd", argv)
        for position, flag in enumerate(flags[1:], 1):
            if flag in "sugdcGe":
                options[flag] = flags[position + 1 :] or (value if equals else words.pop(0) if words else "")
                break
            if flag not in "rMmNUo":
                model.not_simulated("useradd", argv)
            options[flag] = ""
    return names, options


def _valid(name: str) -> bool:
    good = name[:1].isalpha() or name[:1] == "_"
    return (
        good
        and len(name) <= 32
        and all(sign.isalnum() or sign in "-_$" for sign in name)
        and name == name.lower()
    )


def _add(name: str, options: dict[str, str]) -> int:
    if accounts.user(name):
        return fail(f"user '{name}' already exists", 9)
    taken = {int(row[2]) for row in accounts.table("passwd")}
    if "u" in options:
        if not options["u"].isdigit():
            return fail(f"invalid user ID '{options['u']}'", 3)
        if int(options["u"]) in taken and "o" not in options:
            return fail(f"UID {options['u']} is not unique", 4)
    uid = int(options["u"]) if "u" in options else free_number("passwd", "r" in options)
    own_group = "g" not in options and "N" not in options
    if own_group and accounts.group(name):
        return fail(f"group {name} exists - if you want to add this user to that group, use -g.", 9)
    gid = _group(uid, options, own_group)
    if gid is None:
        return fail(f"group '{options['g']}' does not exist", 6)
    missing = next((g for g in options.get("G", "").split(",") if g and not accounts.group(g)), None)
    if missing:
        return fail(f"group '{missing}' does not exist", 6)
    home, shell = options.get("d", f"/home/{name}"), options.get("s", "/bin/sh")
    append("passwd", f"{name}:x:{uid}:{gid}:{options.get('c', '')}:{home}:{shell}")
    ages = "::" if "r" in options else "0:99999:7"
    append("shadow", f"{name}:!:{_today()}:{ages}::{days(options.get('e', ''))}:")
    if own_group:
        append("group", f"{name}:x:{gid}:")
    _join(name, [g for g in options.get("G", "").split(",") if g])
    if "m" in options:
        os.makedirs(model.path(home), exist_ok=True)
    return 0


def _group(uid: int, options: dict[str, str], own: bool) -> int | None:
    if "g" in options:
        row = accounts.group(options["g"])
        known = {int(g[2]) for g in accounts.table("group")}
        if row:
            return int(row[2])
        return int(options["g"]) if options["g"].isdigit() and int(options["g"]) in known else None
    if not own:
        return 100
    # A group of the user's own has the user's number where it is free.
    used = {int(row[2]) for row in accounts.table("group")}
    return uid if uid not in used else free_number("group", "r" in options)


def _join(name: str, groups: list[str]) -> None:
    rows = accounts.table("group")
    for row in rows:
        if row[0] in groups:
            row[3] = ",".join([member for member in row[3].split(",") if member] + [name])
    if groups:
        rewrite("group", rows)


def free_number(table: str, system: bool) -> int:
    """Return the number after the highest one in use, system accounts counting down from 999."""
    taken = {int(row[2]) for row in accounts.table(table)}
    if system:
        return next(number for number in range(999, 99, -1) if number not in taken)
    return max([number for number in taken if 1000 <= number < 60000], default=999) + 1


def days(date: str) -> str:
    """Return a date as shadow has it, in days since 1970; nothing for no date."""
    import datetime

    if not date:
        return ""
    return str((datetime.date.fromisoformat(date) - datetime.date(1970, 1, 1)).days)


def _today() -> int:
    import time

    return int(time.time()) // 86400


def append(table: str, line: str) -> None:
    rewrite(table, [*accounts.table(table), line.split(":")])


def rewrite(table: str, rows: list[list[str]]) -> None:
    """Write a table in one go, keeping its mode."""
    final = model.path(f"/etc/{table}")
    mode = (
        os.stat(final).st_mode & 0o7777 if os.path.exists(final) else (0o640 if table == "shadow" else 0o644)
    )
    with open(
        os.open(final + "+", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
    ) as file:
        file.writelines(":".join(row) + "\n" for row in rows)
    os.replace(final + "+", final)
