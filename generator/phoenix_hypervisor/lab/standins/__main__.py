"""Run the stand-in for one tool: `python -I -S <this file or its folder> [--warm] TOOL ARGS…`.

The folder is the registry: the tool `update-initramfs` lives in `tool_update_initramfs.py` and has a
`main(argv) -> int`. A tool without a module does not exist in the lab. The file starts faster than the
folder; `--warm` lets the next calls start faster still (warm.py).
"""

import gc
import os
import sys

gc.set_threshold(100_000)  # few live long enough to need it
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lab_timers  # noqa: E402
import warm  # noqa: E402
from hints import NoReturn  # noqa: E402


def run(tool: str, argv: list[str]) -> int:
    if lab_timers.due():
        lab_timers.run_due()
    module = __import__(warm.module(tool))
    try:
        status: int = module.main(argv)
    except BrokenPipeError:
        return 141
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        return end.code
    return status


def end(status: int) -> NoReturn:
    """End at once: taking the interpreter apart costs as much as starting it."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(status)  # Python says what is wrong
    os._exit(status)


def main(tool: str, argv: list[str]) -> NoReturn:
    end(run(tool, argv))


if __name__ == "__main__":
    if sys.argv[1] == "--warm":
        del sys.argv[1]
        warm.leave_behind(main)
    main(sys.argv[1], sys.argv[2:])
