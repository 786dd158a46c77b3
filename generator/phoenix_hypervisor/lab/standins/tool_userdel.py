"""userdel: take a user's rows out of /etc/passwd, /etc/shadow and /etc/group."""

import sys

import accounts
import model
from tool_useradd import rewrite


def main(argv: list[str]) -> int:
    names = [word for word in argv if not word.startswith("-")]
    if any(word.startswith("-") for word in argv):
        model.not_simulated("userdel", argv)
    if len(names) != 1:
        print("Usage: userdel [options] LOGIN", file=sys.stderr)
        return 2
    name = names[0]
    with model.change():
        row = accounts.user(name)
        if row is None:
            print(f"userdel: user '{name}' does not exist", file=sys.stderr)
            return 6
        for table in ("passwd", "shadow"):
            rewrite(table, [r for r in accounts.table(table) if r[0] != name])
        rewrite("group", _without(name, row[3]))
    return 0


def _without(name: str, gid: str) -> list[list[str]]:
    """Return the groups without the user; its own group goes too unless it is somebody's primary one."""
    primary = {row[3] for row in accounts.table("passwd")}
    rows = []
    for row in accounts.table("group"):
        if (
            row[0] == name
            and row[2] == gid
            and gid not in primary
            and not set(row[3].split(",")) - {"", name}
        ):
            continue
        rows.append([*row[:3], ",".join(member for member in row[3].split(",") if member != name)])
    return rows
