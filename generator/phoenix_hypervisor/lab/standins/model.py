"""The one small model of a node that all stand-ins share, kept on disk as JSON.

Stand-ins run inside the lab's sandbox as `python -I -S <this folder> TOOL ARGS…`: standard
library only, nothing else of the project, and as little of it as possible, because many are
started in one apply.
"""

import fcntl
import os
import sys

import quick_json
from hints import IO, Any, NoReturn

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


class change:  # noqa: N801  (used as a function)
    """The model under an exclusive lock, saved if the block ends without an exception.

    A tool that fails half-way (an exception, `SystemExit` with a status that is not 0) leaves the
    model as it was.
    """

    def __enter__(self) -> Model:
        self._lock: IO[str] | None = None
        self._folder = FOLDER
        if FOLDER not in _changing:
            self._lock = _locked(fcntl.LOCK_EX)
            try:
                _changing[FOLDER] = _load()
            except BaseException:
                self._lock.close()
                raise
        return _changing[FOLDER]

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._lock is None:  # a part of a change: the whole saves
            return
        with self._lock:
            model = _changing.pop(self._folder)
            if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
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


def _locked(how: int) -> IO[str]:
    lock = open(os.path.join(FOLDER, "model.lock"), "a")  # noqa: SIM115  (the lock is held as long as it is open)
    fcntl.flock(lock, how)
    return lock


def _load() -> Model:
    try:
        with open(os.path.join(FOLDER, "model.json"), encoding="utf-8") as file:
            model: Model = quick_json.load(file)
            return model
    except FileNotFoundError:
        return {}


def _save(model: Model) -> None:
    final = os.path.join(FOLDER, "model.json")
    with open(final + ".new", "w", encoding="utf-8") as file:
        quick_json.dump(model, file)
    os.replace(final + ".new", final)
