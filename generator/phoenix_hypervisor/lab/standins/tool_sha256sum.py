"""sha256sum: of a file of the lab that stands for a real one it tells the real one's published checksum.

Of everything else it tells what the real tool would; `stamps` has how the two are told apart.
"""

import os
import sys

import model
import stamps


def main(argv: list[str]) -> int:
    names = argv or ["-"]
    if any(word.startswith("-") and word != "-" for word in names):
        os.execv("/usr/bin/sha256sum", ["sha256sum", *argv])  # noqa: S606 - this process becomes the real tool
    status = 0
    for name in names:
        try:
            print(f"{_digest(name)}  {name}")
        except OSError as error:
            print(f"sha256sum: {name}: {os.strerror(error.errno or 0)}", file=sys.stderr)
            status = 1
    return status


def _digest(name: str) -> str:
    import hashlib

    if name == "-":
        content = sys.stdin.buffer.read()
    else:
        with open(model.path(name) if name.startswith("/") else name, "rb") as file:
            content = file.read()
    return stamps.published(content) or hashlib.sha256(content).hexdigest()
