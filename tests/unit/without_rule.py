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
TESTS = sorted(
    (str(path) for path in HERE.glob("test_*.py") if any(word in path.read_text() for word in TOLD)),
    key=lambda path: ("test_rules" not in path, "legacy" in path, path),
)
"""Those that are most likely to notice come first: the first failure ends a run."""


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


def _tested(without: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of rules, without one of them."""
    argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.unit.without_rule", *TESTS]
    env = {**os.environ, CHOICE: without}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def main() -> int:
    """Leave out one rule after the other; say which nobody misses."""
    if (whole := _tested("")).returncode:
        sys.stdout.write(f"with all rules there is a failure already:\n{whole.stdout}")
        return 1
    unnoticed = []
    for name in found():
        ended = _tested(name)
        said = next(
            (line for line in ended.stdout.splitlines() if line.startswith("FAILED")), "NOBODY NOTICED"
        )
        sys.stdout.write(f"{name}: {said.partition(' - ')[0]}\n")
        sys.stdout.flush()
        unnoticed += [name] if ended.returncode != 1 else []
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())
