"""prometheus where its package is not installed; otherwise its program runs."""

import sys


def main(_: list[str]) -> int:
    print("sh: 1: prometheus: not found", file=sys.stderr)
    return 127
