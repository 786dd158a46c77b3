"""chpasswd: passwords for accounts, `name:password` lines on stdin."""

import sys

import accounts
import crypt_hash
import model
from tool_useradd import rewrite


def main(argv: list[str]) -> int:
    hashed = argv in (["-e"], ["--encrypted"])
    if argv and not hashed:
        model.not_simulated("chpasswd", argv)
    status = 0
    with model.change():
        for number, line in enumerate(sys.stdin, 1):
            name, colon, word = line.rstrip("\n").partition(":")
            if not colon:
                print(f"chpasswd: line {number}: missing new password", file=sys.stderr)
                status = 1
            elif accounts.user(name) is None:
                print(f"chpasswd: (user {name}) pam_chauthtok() failed, error:", file=sys.stderr)
                print("Authentication token manipulation error", file=sys.stderr)
                status = 1
            else:
                _set(name, word if hashed else crypt_hash.of(word, "$6$"))
    return status


def _set(name: str, made: str) -> None:
    rows = accounts.table("shadow")
    for row in rows:
        if row[0] == name:
            row[1] = made
    rewrite("shadow", rows)
