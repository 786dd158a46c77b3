"""runuser: a command as another user. What it makes in that user's home is recorded as the user's."""

import os
import subprocess
import sys

import accounts
import model


def main(argv: list[str]) -> int:
    if len(argv) < 4 or argv[0] != "-u" or argv[2] != "--":
        model.not_simulated("runuser", argv)
    row = accounts.user(argv[1])
    if row is None:
        print(f"runuser: user {argv[1]} does not exist", file=sys.stderr)
        return 1
    status = subprocess.run(argv[3:], check=False).returncode
    if row[2] == "0":  # what nobody noted is root's
        return status
    with model.change() as state:
        owners = model.section(state, "owners")
        home = model.path(row[5])
        for folder, folders, files in os.walk(home):
            for path in (folder, *(os.path.join(folder, name) for name in (*folders, *files))):
                if accounts.recorded(owners, path) is None:
                    accounts.record(owners, path, int(row[2]), int(row[3]))
    return status
