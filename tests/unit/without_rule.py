"""Mutation testing of the rules: `python -m tests.unit.without_rule` leaves out one after the other.

For each function of config/rules that yields problems, the tests of rules are run with it yielding nothing.
One of them must fail each time; the exit status is 1 when a rule can be dropped with nobody noticing.
As a plugin of pytest (`-p tests.unit.without_rule`) it leaves out the one that PHOENIX_WITHOUT_RULE names.
"""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from phoenix_hypervisor.config import rules

CHOICE = "PHOENIX_WITHOUT_RULE"
HERE = Path(__file__).parent
TOLD = ("V-", "rule_mistakes", "problems(")
TESTS = sorted(str(path) for path in HERE.glob("test_*.py") if any(word in path.read_text() for word in TOLD))


def found() -> Iterator[str]:
    """Yield the rules' functions: `storage._disks`."""
    for part in pkgutil.iter_modules(rules.__path__):
        module = importlib.import_module(f"{rules.__name__}.{part.name}")
        for name, function in vars(module).items():
            if inspect.isgeneratorfunction(function) and function.__module__ == module.__name__:
                text = inspect.getsource(function)
                if name.startswith("_") and ("Problem(" in text or "_problem(" in text):
                    yield f"{part.name}.{name}"


def leave_out(name: str) -> None:
    """Let a rule's function yield nothing in this process."""
    part, _, function = name.partition(".")
    module = importlib.import_module(f"{rules.__name__}.{part}")
    if not hasattr(module, function):
        raise SystemExit(f"{CHOICE}: there is no rule {name}")
    setattr(module, function, lambda *_words, **_more: iter(()))


if os.environ.get(CHOICE):
    leave_out(os.environ[CHOICE])


def main() -> int:
    """Leave out one rule after the other; say which nobody misses."""
    unnoticed = []
    for name in found():
        argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.unit.without_rule", *TESTS]
        ended = subprocess.run(
            argv, env={**os.environ, CHOICE: name}, capture_output=True, text=True, check=False
        )
        said = next(
            (line for line in ended.stdout.splitlines() if line.startswith("FAILED")), "NOBODY NOTICED"
        )
        sys.stdout.write(f"{name}: {said.partition(' - ')[0]}\n")
        sys.stdout.flush()
        unnoticed += [name] if ended.returncode != 1 else []
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())
