"""Tasks as Proxmox notes them: an id, a log of its own, and a line in the index when they have ended."""

import os
import sys
import time

import guest_conf
import model

FOLDER = "/var/log/pve/tasks"


class Task:
    """A task that runs; what it says goes to its log, and to stdout unless it is quiet."""

    def __init__(self, sort: str, about: str, quiet: bool = False) -> None:
        began = int(time.time())
        number = f"{os.getpid():08X}:{int(time.monotonic() * 100):08X}:{began:08X}"
        self.upid = f"UPID:{guest_conf.node_name()}:{number}:{sort}:{about}:root@pam:"
        self._quiet = quiet
        self._log = f"{FOLDER}/{f'{began:08X}'[-1]}/{self.upid}"
        os.makedirs(os.path.dirname(model.path(self._log)), exist_ok=True)

    def say(self, line: str) -> None:
        """Say a line."""
        if not self._quiet:
            print(line, flush=True)
        self._write(line)

    def end(self, error: str = "") -> int:
        """Note how it ended; return the exit status."""
        self._write(f"TASK ERROR: {error}" if error else "TASK OK")
        with open(model.path(f"{FOLDER}/index"), "a", encoding="utf-8") as file:
            file.write(f"{self.upid} {int(time.time()):08X} {error or 'OK'}\n")
        if error and not self._quiet:
            print(error, file=sys.stderr)
        return 255 if error else 0

    def _write(self, line: str) -> None:
        with open(model.path(self._log), "a", encoding="utf-8") as file:
            file.write(line + "\n")
