"""xrdp, where its package is not installed; else its program runs (programs/program_xrdp.py)."""

import sys


def main(_: list[str]) -> int:
    print("sh: 1: xrdp: not found", file=sys.stderr)
    return 127
