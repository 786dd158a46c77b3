"""What Docker has on a host of the lab: images, containers, volumes, networks; in a file of its own folder.

A container is `{"id", "name", "image", "labels", "env", "ports": [[address, of the host, inside, proto]],
"mounts": [[on the host, inside, read-only]], "command", "restart", "state", "status", "created"}`.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker_images
import dpkg_status
import model
import units

FOLDER = "/var/lib/docker"
SOCKET = "unix:///var/run/docker.sock"
ENGINES = ("docker-ce", "docker.io")
CLIENTS = ("docker-ce-cli", "docker.io")
COMPOSE = ("docker-compose-plugin", "docker-compose-v2")

State = dict[str, Any]
Row = dict[str, Any]


class DaemonError(Exception):
    """What the daemon answers when it does not do something."""


def installed(*names: str) -> str:
    """Return the version of the first of these packages that is there; empty if none is."""
    known = dpkg_status.read()
    for name in names:
        if dpkg_status.state(known.get(name)) == "installed":
            return known[name]["Version"].rpartition(":")[2].partition("-")[0]
    return ""


def runs() -> bool:
    """Tell whether the daemon is up."""
    return bool(installed(*ENGINES)) and units.active(model.read(), "docker.service")


def read() -> State:
    """Return all of it as it is now. Raises DaemonError when there is no daemon to ask."""
    if not runs():
        raise DaemonError(f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?")
    return known()


def known() -> State:
    """Return all of it, for the daemon itself: it may be about to start."""
    with _locked(fcntl.LOCK_SH):
        return _load()


@contextmanager
def change() -> Iterator[State]:
    """Yield all of it, and keep what was changed. Raises DaemonError when there is no daemon."""
    read()
    with noting() as state:
        yield state


@contextmanager
def noting() -> Iterator[State]:
    """Yield all of it, and keep what was changed, for the daemon itself."""
    with _locked(fcntl.LOCK_EX):
        state = _load()
        yield state
        _save(state)


def find(state: State, name: str) -> Row:
    """Return a container by its name or the beginning of its id. Raises DaemonError."""
    for row in state["containers"]:
        if row["name"] == name or row["id"].startswith(name):
            return row  # type: ignore[no-any-return]
    raise DaemonError(f"No such container: {name}")


def has_image(state: State, text: str) -> bool:
    """Tell whether an image is there, by the name that somebody calls it."""
    reference = docker_images.parse(text)
    return reference is not None and reference.canonical in state["images"]


def new(name: str, image: str, **more: Any) -> Row:
    """Return a container that was not there before, created and not yet started."""
    row = {
        "id": secrets.token_hex(32), "name": name, "image": image, "labels": {}, "env": {}, "ports": [],
        "mounts": [], "command": [], "restart": "no", "state": "created", "status": 0,
        "created": int(time.time()),
    }  # fmt: skip
    return row | more


def start(state: State, row: Row) -> None:
    """Let a container run. Raises DaemonError when it cannot."""
    for other in state["containers"]:
        if other is row or other["state"] != "running":
            continue
        for address, port, _, proto in row["ports"]:
            if any((port, proto) == (taken[1], taken[3]) for taken in other["ports"]):
                raise DaemonError(
                    "failed to set up container networking: driver failed programming external connectivity "
                    f"on endpoint {row['name']} ({row['id'][:12]}): Bind for {address}:{port} failed: "
                    "port is already allocated"
                )
    for source, _, _ in row["mounts"]:
        os.makedirs(model.path(source), exist_ok=True)
    row["state"], row["status"] = "running", 0
    if os.path.basename((row["command"] or [""])[0]) in ("false", "true"):
        row["status"] = int(row["command"][0].endswith("false"))
        row["state"] = "exited" if row["restart"] == "no" else "restarting"


def _load() -> State:
    try:
        with open(model.path(f"{FOLDER}/lab.json"), encoding="utf-8") as file:
            state: State = json.load(file)
            return state
    except FileNotFoundError:
        return {"images": {}, "containers": [], "volumes": {}, "networks": []}


def _save(state: State) -> None:
    final = model.path(f"{FOLDER}/lab.json")
    with open(
        os.open(final + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(state, file, indent=1, sort_keys=True)
    os.replace(final + ".new", final)


@contextmanager
def _locked(how: int) -> Iterator[None]:
    os.makedirs(model.path(FOLDER), exist_ok=True)
    with open(model.path(f"{FOLDER}/lab.lock"), "a") as lock:
        fcntl.flock(lock, how)
        yield
