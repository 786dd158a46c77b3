"""sha512sum: of the lab's own archives it tells the published checksum of what they stand for.

Everything else is the real tool's to say.
"""

import os
import sys

import appliances
import model


def main(argv: list[str]) -> int:
    names = argv or ["-"]
    if any(word.startswith("-") and word != "-" for word in names):
        return fallback(argv)
    status = 0
    for name in names:
        try:
            digest = _digest(name)
        except OSError as error:
            print(f"sha512sum: {name}: {os.strerror(error.errno or 0)}", file=sys.stderr)
            status = 1
            continue
        print(f"{digest}  {name}")
    return status


def _digest(name: str) -> str:
    import hashlib

    if name == "-":
        content = sys.stdin.buffer.read()
    else:
        with open(model.path(name) if name.startswith("/") else name, "rb") as file:
            content = file.read()
    found = hashlib.sha512(content).hexdigest()
    for appliance, published in appliances.PUBLISHED.items():
        if content == appliances.archive(appliance):
            return published
    return found


def fallback(argv: list[str]) -> int:
    for program in ("/usr/bin/sha512sum", "/bin/sha512sum"):
        if os.access(program, os.X_OK):
            os.execv(program, ["sha512sum", *argv])  # noqa: S606 - this process becomes the real tool
    model.not_simulated("sha512sum", argv)
