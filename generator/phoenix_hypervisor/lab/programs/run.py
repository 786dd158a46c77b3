"""Run a program of the lab: `lab-program NAME ARGUMENTS…`; NAME is a module of this folder."""

import importlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # isolated Python does not


def main(argv: list[str]) -> int:
    name = argv[0] if argv else ""
    try:
        module = importlib.import_module(f"program_{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        if error.name != f"program_{name.replace('-', '_')}":
            raise
        print(f"lab-program: not simulated: {name or '(no program)'}", file=sys.stderr)
        return 70
    try:
        status: int = module.main(argv[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
