"""prometheus-node-exporter where its package is not installed; otherwise its program runs."""

import sys


def main(_: list[str]) -> int:
    print("sh: 1: prometheus-node-exporter: not found", file=sys.stderr)
    return 127
