"""python3: one that asks libcuda for memory gets the lab's answer; all else is the machine's own to run.

Behind the cards of the lab there is nothing, and so no library that a real interpreter could load.
"""

import os
import sys

import model
import nvidia_state


def main(argv: list[str]) -> int:
    if argv[:1] != ["-c"] or len(argv) != 2 or "libcuda.so.1" not in argv[1]:
        os.execv("/usr/bin/python3", ["python3", *argv])  # noqa: S606 - this process becomes the real tool
    state = model.read()
    version, cards = nvidia_state.userland(state), nvidia_state.cards(state)
    if not version:
        said = "OSError: libcuda.so.1: cannot open shared object file: No such file or directory"
        print(f"Traceback (most recent call last):\n{said}", file=sys.stderr)
        return 1
    status = 803 if version != nvidia_state.loaded(state) else 0 if cards else 100
    if status:
        print(f"cuInit: error {status}", file=sys.stderr)
        return 1
    print("allocated on", len(cards))
    return 0
