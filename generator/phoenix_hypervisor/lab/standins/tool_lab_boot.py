"""lab-boot: what happens when the machine is switched on. No node has this; the lab calls it."""

import sys

import kernels
import node_boot


def main(_: list[str]) -> int:
    try:
        node_boot.boot()
    except kernels.NoKernelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
