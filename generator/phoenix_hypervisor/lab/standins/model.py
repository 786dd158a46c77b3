"""The one small model of a node that all stand-ins share, kept on disk as JSON.

Stand-ins run inside the lab's sandbox as `python -I -S <this folder> TOOL ARGS…`: standard
library only, nothing else of the project, and as little of it as possible, because many are
started in one apply.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

ROOT = os.environ.get("PHOENIX_LAB_ROOT", "")
FOLDER = os.environ.get("PHOENIX_LAB_STATE", ROOT + "/var/lib/phoenix-lab")

Model = dict[str, Any]

_changing: dict[str, Model] = {}
"""Folder → the model that this very process is changing: a second lock would wait for the first for ever."""


def path(absolute: str) -> str:
    """Return where a node's absolute path lies: the same inside the sandbox, below a prefix in unit tests."""
    return ROOT + absolute


def read() -> Model:
    """Return the model as it is now; for tools that only look, and for parts of one that changes it."""
    if FOLDER in _changing:
        return _changing[FOLDER]
    with _locked(fcntl.LOCK_SH):
        return _load()


@contextmanager
def change() -> Iterator[Model]:
    """Yield the model under an exclusive lock and save it if the block ends without an exception.

    A tool that fails half-way (an exception, `SystemExit` with a status that is not 0) leaves the
    model as it was.
    """
    if FOLDER in _changing:
        yield _changing[FOLDER]
        return
    folder = FOLDER
    with _locked(fcntl.LOCK_EX):
        model = _changing[folder] = _load()
        try:
            yield model
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
            _save(model)
            raise
        finally:
            del _changing[folder]
        _save(model)


def section(model: Model, name: str) -> dict[str, Any]:
    """Return the model's part of that name, made empty if it is not there yet."""
    part = model.setdefault(name, {})
    assert isinstance(part, dict)
    return part


def not_simulated(tool: str, argv: list[str]) -> NoReturn:
    """Say loudly that the lab does not know this call, rather than guess."""
    print(f"{tool}: not simulated: {' '.join(argv) or '(no arguments)'}", file=sys.stderr)
    raise SystemExit(70)


@contextmanager
def _locked(how: int) -> Iterator[None]:
    with open(os.path.join(FOLDER, "model.lock"), "a") as lock:
        fcntl.flock(lock, how)
        yield


def _load() -> Model:
    try:
        with open(os.path.join(FOLDER, "model.json"), encoding="utf-8") as file:
            model: Model = json.load(file)
            return model
    except FileNotFoundError:
        return {}


def _save(model: Model) -> None:
    final = os.path.join(FOLDER, "model.json")
    with open(final + ".new", "w", encoding="utf-8") as file:
        json.dump(model, file, indent=1, sort_keys=True)
    os.replace(final + ".new", final)
