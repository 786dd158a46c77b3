"""systemd-journal-upload: it sends what is new in its host's journal, and ends when that fails."""

import os
import socket
import sys
import time
from typing import Any

import journal_files
import web

STATE = "/var/lib/systemd/journal-upload/state"
KIND = "application/vnd.fdo.journal"
PATIENCE = 5.0
"""Seconds to wait for who receives: each connection to the lab starts all its programs at once."""
PAUSE = 0.1
SECONDS = 20.0


def main(argv: list[str]) -> int:
    url, state, folder = "", "", journal_files.OWN
    for word in argv:
        name, _, value = word.partition("=")
        if name == "--save-state":
            state = value or STATE
        elif name == "--directory" and value:
            folder = value
        elif name == "--url" and value.startswith("http://"):
            url = value
        else:
            print(f"lab-program: not simulated: systemd-journal-upload {word}", file=sys.stderr)
            return 70
    if not url:
        print("Required --url= option missing.", file=sys.stderr)
        return 1
    os.makedirs(folder, exist_ok=True)
    seen = place = None
    web.ready()
    while True:
        now = _changed(folder)
        if now == seen:
            time.sleep(PAUSE)
            continue
        with journal_files.alone(folder):
            place = _saved(state) if state or place is None else place
            new = [entry for entry in journal_files.own(folder) if entry.when > place]
            failed = _send(url, new) if new else ""
            if failed:
                print(failed, file=sys.stderr)
                return 1
            if new:
                place = new[-1].when
                _save(state, new[-1].cursor)
        seen = now


def _changed(folder: str) -> Any:
    """Return what is another as soon as something was said."""
    found = [os.stat(os.path.join(folder, name)) for name in sorted(os.listdir(folder))]
    return [(one.st_size, one.st_mtime_ns) for one in found]


def _send(url: str, new: list[journal_files.Entry]) -> str:
    """Send entries; empty when they were taken, else what the real one says."""
    whole = f"{url}/upload"
    host = journal_files.host()
    body = journal_files.exported([entry.fields(host) for entry in new])
    end = time.monotonic() + PATIENCE
    while True:
        try:
            status, said = _posted(url.removeprefix("http://"), body)
        except OSError:
            if time.monotonic() < end:
                time.sleep(PAUSE)
                continue
            return f"Upload to {whole} failed: Couldn't connect to server"
        return "" if status[:1] == "2" else f"Upload to {whole} failed with code {status}: {said}"


def _posted(place: str, body: bytes) -> tuple[str, str]:
    """Return the status and the text of the answer. Raises OSError."""
    host, _, port = place.rpartition(":")
    head = (
        f"POST /upload HTTP/1.1\r\nHost: {place}\r\nContent-Type: {KIND}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    with socket.create_connection((host.strip("[]"), int(port)), SECONDS) as connection:
        connection.sendall(head.encode() + body)
        while part := connection.recv(65536):
            answer += part
    first, _, rest = answer.partition(b"\r\n")
    words = first.decode("latin-1").split()
    if len(words) < 2:
        raise ConnectionResetError
    return words[1], rest.partition(b"\r\n\r\n")[2].decode(errors="replace").strip()


def _saved(path: str) -> int:
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.partition("=") for line in file.read().splitlines()]
    except (FileNotFoundError, ValueError):
        return 0
    return next((journal_files.place_of(value) for key, _, value in lines if key == "LAST_CURSOR"), 0)


def _save(path: str, cursor: str) -> None:
    if not path:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(f"# This is private data. Do not parse.\nLAST_CURSOR={cursor}\n")
    os.replace(f"{path}.new", path)
