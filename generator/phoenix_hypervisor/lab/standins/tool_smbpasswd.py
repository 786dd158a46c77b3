"""smbpasswd: change Samba's accounts, as root. Passwords come on stdin (`-s`)."""

import sys

import accounts
import model
import samba_accounts


def main(argv: list[str]) -> int:
    flags, names = "", []
    for word in argv:
        if word.startswith("-"):
            flags += word[1:]
        else:
            names.append(word)
    actions = set(flags) - {"s"}
    if len(names) != 1 or len(actions) > 1 or actions - set("axden") or not actions | set(flags):
        model.not_simulated("smbpasswd", argv)
    name = names[0]
    password = None
    if not actions or "a" in actions:
        if "s" not in flags:
            model.not_simulated("smbpasswd", argv)
        password = _read_twice()
        if password is None:
            return 1
    with model.change() as state:
        if password is not None:
            return _set(state, name, password, "a" in actions)
        return _mark(state, name, flags.replace("s", ""))


def _read_twice() -> str | None:
    lines = [sys.stdin.readline(), sys.stdin.readline()]
    if not all(line.endswith("\n") for line in lines):
        _fail("Unable to get new password.")
        return None
    if lines[0] != lines[1]:
        _fail("Mismatch - password unchanged.\nUnable to get new password.")
        return None
    return lines[0][:-1]


def _fail(text: str) -> None:
    print(text, file=sys.stderr)


def _set(state: model.Model, name: str, password: str, add: bool) -> int:
    new = name not in samba_accounts.users(state)
    if new and not add:
        _fail(f"Failed to find entry for user {name}.")
        return 1
    if new and accounts.user(name) is None:
        _fail(f"Failed to add entry for user {name}.")
        return 1
    samba_accounts.store(state, name, password)
    if new:
        print(f"Added user {name}.")
    return 0


def _mark(state: model.Model, name: str, action: str) -> int:
    record = samba_accounts.users(state).get(name)
    if record is None:
        enabling = f"Failed to find user {name} in passdb backend."
        _fail(enabling if action == "e" else f"Failed to find entry for user {name}.")
        return 1
    if action == "x":
        del samba_accounts.users(state)[name]
        print(f"Deleted user {name}.")
    elif action == "n":
        record["flags"] = "N" + record["flags"].replace("N", "")
        print(f"User {name} password set to none.")
    else:
        samba_accounts.enable(record, action == "e")
        print(f"{'Enabled' if action == 'e' else 'Disabled'} user {name}.")
    return 0
