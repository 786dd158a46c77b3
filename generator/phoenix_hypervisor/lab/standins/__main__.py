"""Run the stand-in for one tool: `python -I -S <this folder> TOOL ARGS…`.

The folder is the registry: the tool `update-initramfs` lives in `tool_update_initramfs.py` and has a
`main(argv) -> int`. A tool without a module does not exist in the lab. (The prefix keeps `stat` and
`mount` from hiding modules of the standard library.)
"""

import importlib
import sys

import lab_timers


def run(tool: str, argv: list[str]) -> int:
    if lab_timers.due():
        lab_timers.run_due()
    module = importlib.import_module("tool_" + tool.replace("-", "_").replace(".", "_"))
    try:
        status: int = module.main(argv)
    except BrokenPipeError:
        return 141
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
