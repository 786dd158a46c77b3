"""ssh-keygen -A: host keys where there are none. The lab's are no keys, and take no time to make."""

import os
import sys

import model

KINDS = {"rsa": "ssh-rsa", "ecdsa": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}
"""The kinds of keys in OpenSSH's order, with what their public halves begin with."""


def main(argv: list[str]) -> int:
    if argv != ["-A"]:
        model.not_simulated("ssh-keygen", argv)
    made = []
    for kind, name in KINDS.items():
        place = model.path(f"/etc/ssh/ssh_host_{kind}_key")
        if os.path.exists(place) and os.path.getsize(place):
            continue
        try:
            _write(place, "a host key of the lab\n", 0o600)
            _write(f"{place}.pub", f"{name} {os.urandom(32).hex()} root@{os.uname().nodename}\n", 0o644)
        except OSError as error:
            print(f'Saving key "{place}" failed: {error.strerror}', file=sys.stderr)
            return 1
        made.append(kind.upper())
    if made:
        print(f"ssh-keygen: generating new host keys: {' '.join(made)} ")
    return 0


def _write(place: str, text: str, mode: int) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(descriptor, mode)
