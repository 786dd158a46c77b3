"""sshd: only to try its configuration (-t) and to say what it makes of it (-T)."""

import sys

import model
from sshd_config import Bad, Config


def main(argv: list[str]) -> int:
    path, verb = "/etc/ssh/sshd_config", ""
    connection: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in ("-t", "-T"):
            verb = word
        elif word == "-f" and words:
            path = words.pop(0)
        elif word == "-C" and words:
            connection |= dict(pair.partition("=")[::2] for pair in words.pop(0).split(","))
        else:
            model.not_simulated("sshd", argv)
    if not verb:
        model.not_simulated("sshd", argv)
    config = Config(connection)
    try:
        config.read(path)
    except Bad as bad:
        print(bad, file=sys.stderr)
        return 255
    if verb == "-T":
        print(config.text())
    return 0
