"""nvidia-uninstall: takes away what the installer put there."""

import os
import sys

import kernels
import model
import nvidia_state
import tool_nvidia_smi


def main(argv: list[str]) -> int:
    if not kernels.first_line(nvidia_state.LOG):
        return tool_nvidia_smi.not_installed("nvidia-uninstall")
    if not {*argv} <= {"--silent", "-s", "--skip-module-unload", "--no-questions"}:
        print(
            "\nERROR: Invalid commandline, please run `nvidia-uninstall --help` for usage.\n", file=sys.stderr
        )
        return 1
    if not {"--silent", "-s"} & {*argv} or "--skip-module-unload" not in argv:
        model.not_simulated("nvidia-uninstall", argv)
    os.unlink(model.path(nvidia_state.LOG))
    return 0
