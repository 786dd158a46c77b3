"""Timers of a node whose every process dies with the connection that started it.

`systemd-run --on-active` writes down what is due when. Due timers are run by whatever comes first: the next
connection (lab/transport.py), or any stand-in that is started. So what a timer does is seen by all who look,
which is all that can be seen of it on a real node either; only nobody who does not look pays for it.
"""

import fcntl
import os
import time

import model
import quick_json
from hints import Any

Row = dict[str, Any]
FILE = os.path.join(model.FOLDER, "timers.json")


def due() -> bool:
    """Tell whether a timer is due; as cheap as looking for a file while there are none."""
    return os.path.exists(FILE) and any(row["due"] <= time.time() for row in _rows())


def add(unit: str, due: float, argv: list[str]) -> bool:
    """Start a timer; False if there is one of that name."""
    with _Changing() as rows:
        if any(row["unit"] == unit for row in rows):
            return False
        rows.append({"unit": unit, "due": due, "argv": argv})
        return True


def drop(unit: str) -> bool:
    """Stop a timer; False if there is none of that name."""
    with _Changing() as rows:
        before = len(rows)
        rows[:] = [row for row in rows if row["unit"] != unit]
        return len(rows) < before


def known() -> list[Row]:
    """Return the timers that are not due yet."""
    return _rows() if os.path.exists(FILE) else []


def run_due() -> None:
    """Run what is due, each once, oldest first; what it says goes nowhere, as to a journal."""
    while True:
        with _Changing() as rows:
            late = sorted((row for row in rows if row["due"] <= time.time()), key=lambda row: row["due"])
            if not late:
                return
            rows.remove(late[0])
        import subprocess

        subprocess.run(
            late[0]["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def _rows() -> list[Row]:
    try:
        with open(FILE, encoding="utf-8") as file:
            found: list[Row] = quick_json.load(file)
            return found
    except FileNotFoundError:
        return []


class _Changing:
    """The timers under a lock of their own; written back when the block ends."""

    def __enter__(self) -> list[Row]:
        self._lock = open(FILE + ".lock", "a")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._rows = _rows()
        return self._rows

    def __exit__(self, *_: object) -> None:
        if self._rows:
            with open(FILE + ".new", "w", encoding="utf-8") as file:
                quick_json.dump(self._rows, file)
            os.replace(FILE + ".new", FILE)
        elif os.path.exists(FILE):
            os.unlink(FILE)
        self._lock.close()
