"""pdbedit: look at Samba's accounts, add and remove them."""

import sys

import accounts
import model
import samba_accounts


def main(argv: list[str]) -> int:
    flags, name = set(), ""
    words = [
        {"--list": "-L", "--verbose": "-v", "--smbpasswd-style": "-w", "--delete": "-x"}.get(w, w)
        for w in argv
    ]
    while words:
        word = words.pop(0)
        if word in ("-u", "--user"):
            name = words.pop(0) if words else ""
        elif word.startswith("--user="):
            name = word.partition("=")[2]
        elif word.startswith("-") and not set(word[1:]) - set("Lvwxat"):
            flags |= set(word[1:])
        elif word.startswith("-") or name:
            model.not_simulated("pdbedit", argv)
        else:
            name = word
    if (not flags and not name) or (flags & set("xa") and not name) or len(flags & set("xaL")) > 1:
        model.not_simulated("pdbedit", argv)
    if "x" in flags:
        return _delete(name)
    if "a" in flags:
        if "t" not in flags:
            model.not_simulated("pdbedit", argv)
        return _add(name)
    return _list(name, flags)


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 255


def _delete(name: str) -> int:
    with model.change() as state:
        if samba_accounts.users(state).pop(name, None) is None:
            return _fail(f"user {name} does not exist in the passdb")
    return 0


def _add(name: str) -> int:
    lines = [sys.stdin.readline(), sys.stdin.readline()]
    if not all(lines):
        return _fail("Failed to read passwords.")
    if lines[0] != lines[1]:
        return _fail("Passwords do not match!")
    with model.change() as state:
        if accounts.user(name) is None and name not in samba_accounts.users(state):
            return _fail(f"Failed to add entry for user {name}.")
        samba_accounts.store(state, name, lines[0].rstrip("\n"))
    return _list(name, {"v"})


def _list(name: str, flags: set[str]) -> int:
    state = model.read()
    found = samba_accounts.users(state)
    if name and name not in found:
        return _fail("Username not found!")
    for user in [name] if name else sorted(found):
        row = accounts.user(user)
        uid = row[2] if row else "4294967295"
        if "w" in flags:
            print(_line(user, uid, found[user]))
        elif "v" in flags:
            print(("" if name else "---------------\n") + _long(state, user, row, found[user]))
        else:
            print(f"{user}:{uid}:{_gecos(row)}")
    return 0


def _gecos(row: list[str] | None) -> str:
    return row[4].partition(",")[0] if row else ""


def _line(user: str, uid: str, record: dict[str, str]) -> str:
    lanman = "NO PASSWORD" + "X" * 21 if "N" in record["flags"] else samba_accounts.EMPTY_LANMAN
    changed = int(record["changed"])
    return f"{user}:{uid}:{lanman}:{record['nt']}:{samba_accounts.flags_of(record)}:LCT-{changed:08X}:"


def _long(state: model.Model, user: str, row: list[str] | None, record: dict[str, str]) -> str:
    import time

    host = str(state.get("hostname", "localhost")).upper()[:15]
    sid = samba_accounts.domain_sid(host)
    changed = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(int(record["changed"])))
    end = "Wed, 06 Feb 2036 15:06:39 UTC"
    return "\n".join((
        f"Unix username:        {user}",
        "NT username:          ",
        f"Account Flags:        {samba_accounts.flags_of(record)}",
        f"User SID:             {sid}-{record['rid']}",
        f"Primary Group SID:    {sid}-513",
        f"Full Name:            {_gecos(row)}",
        f"Home Directory:       \\\\{host}\\{user}",
        "HomeDir Drive:        ",
        "Logon Script:         ",
        f"Profile Path:         \\\\{host}\\{user}\\profile",
        f"Domain:               {host}",
        "Account desc:         ",
        "Workstations:         ",
        "Munged dial:          ",
        "Logon time:           0",
        f"Logoff time:          {end}",
        f"Kickoff time:         {end}",
        f"Password last set:    {changed}",
        f"Password can change:  {changed}",
        "Password must change: never",
        "Last bad password   : 0",
        "Bad password count  : 0",
        "Logon hours         : " + "F" * 42,
    ))  # fmt: skip
