"""systemd-journal-remote: it takes entries over HTTP, and keeps a file for each sender, within its limits."""

import _thread
import glob
import json
import os
import sys

import journal_files
import web
from web import Reply, Request

PORT = 19532
OUTPUT = "/var/log/journal/remote"
KIND = "application/vnd.fdo.journal"
LIMITS = {"MaxUse": 4 << 30, "MaxFileSize": 128 << 20}
SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def main(argv: list[str]) -> int:
    output, port = OUTPUT, 0
    for word in argv:
        name, _, value = word.partition("=")
        if name == "--output" and value:
            output = value.rstrip("/")
        elif name == "--listen-http" and (value == "-3" or value.isdecimal()):
            port = PORT if value == "-3" else int(value)  # the first is its socket, which systemd opened
        else:
            print(f"lab-program: not simulated: systemd-journal-remote {word}", file=sys.stderr)
            return 70
    if not port:
        print("Zero sources specified", file=sys.stderr)
        return 1
    try:
        taken = web.listen("0.0.0.0", port)  # noqa: S104  (all, as the real one's socket)
    except OSError as error:
        print(f"Failed to create listening socket ([::]:{port}): {error.strerror}", file=sys.stderr)
        return 1
    os.makedirs(output, exist_ok=True)  # systemd does, by LogsDirectory=
    store = Store(output, _limits())
    web.ready()
    web.serve(taken, store.answer)
    return 0


class Store:
    """The files, and the answers."""

    def __init__(self, folder: str, limits: dict[str, int]) -> None:
        self.folder, self.limits = folder, limits
        self._one_at_a_time = _thread.allocate_lock()

    def answer(self, request: Request) -> Reply:
        """Answer one request, in the real one's words."""
        plain = "text/plain"
        if request.method != "POST":
            return Reply(406, b"Unsupported method.\n", plain)
        if request.path != "/upload":
            return Reply(404, b"Not found.\n", plain)
        if request.header("Content-Type") != KIND:
            return Reply(415, f"Content-Type: {KIND} is required.\n".encode(), plain)
        try:
            entries = journal_files.imported(request.body)
            with self._one_at_a_time, journal_files.alone(self.folder):
                self._keep(request.client, entries)
        except ValueError as error:
            return Reply(422, f"Processing failed: {error}\n".encode(), plain)
        except OSError as error:
            return Reply(500, f"Processing failed: {error.strerror}\n".encode(), plain)
        return Reply(202, b"OK.\n", plain)

    def _keep(self, client: str, entries: list[dict[str, str]]) -> None:
        place = f"{self.folder}/remote-{client}.journal"
        text = "".join(json.dumps(entry) + "\n" for entry in entries)
        there = os.path.getsize(place) if os.path.exists(place) else 0
        biggest = min(self.limits["MaxFileSize"], self.limits["MaxUse"] // 8)
        if there and there + len(text) > biggest:
            number = len(glob.glob(f"{self.folder}/remote-{client}@*.journal"))
            os.rename(place, f"{self.folder}/remote-{client}@{number:032x}.journal")
            self._make_room()
        with open(place, "a", encoding="utf-8") as file:
            file.write(text)

    def _make_room(self) -> None:
        """Remove the oldest of what is not written to any more, until all fits."""
        old = sorted(glob.glob(f"{self.folder}/*@*.journal"), key=os.path.getmtime)
        while old and sum(map(os.path.getsize, glob.glob(f"{self.folder}/*"))) > self.limits["MaxUse"]:
            os.unlink(old.pop(0))


def _limits() -> dict[str, int]:
    """Return what its configuration says."""
    found = dict(LIMITS)
    for path in sorted(glob.glob("/etc/systemd/journal-remote.conf.d/*.conf")):
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                if key in found:
                    found[key] = int(value.rstrip("KMGT")) * SUFFIXES.get(value[-1], 1)
    return found
