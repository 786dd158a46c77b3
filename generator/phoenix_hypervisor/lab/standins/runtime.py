"""Asking the connection's keeper for the programs that really run in guests; on the node and in guests.

What a guest's units run is started when somebody looks: `look`, before anything is asked over the network.
"""

import os
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as Socket  # noqa: N812  (the class)
from typing import Any

import guest_spaces

LONGEST = 300.0
"""Seconds after which a keeper that does not answer is given up on."""

KEEPER: list[bool] = []
"""Not empty in the keeper itself, which must not ask itself."""
Answer = dict[str, Any]


class RuntimeDownError(Exception):
    """The guests' programs cannot be run, and why not."""


def in_guest() -> bool:
    """Tell whether this is a guest whose programs really run."""
    return os.path.exists(guest_spaces.SOCKET) and not guest_spaces.possible()


def look() -> Answer:
    """Let all be running that is said to run, on networks that lead there.

    Does nothing where there are no guests. Raises RuntimeDownError.
    """
    if guest_spaces.possible():
        import model

        if not any(row.get("running") for row in model.read().get("guests", {}).values()):
            import runtime_node

            if not runtime_node.wanted():
                return {}
        guest_spaces.wake_keeper()
    return ask("look") if os.path.exists(guest_spaces.SOCKET) else {}


def changed() -> None:
    """Tell a keeper that guests were started, stopped or changed; one that sleeps does not want to know."""
    if os.path.exists(guest_spaces.AWAKE) and not KEEPER:
        ask("changed")


def offline() -> bool:
    """Tell whether this guest has no way to the outside: a fault that somebody has set."""
    return in_guest() and bool(ask("facts").get("offline"))


def ask(verb: str, **more: object) -> Answer:
    """Ask the keeper, and wait for its answer. Raises RuntimeDownError, also for what it refuses."""
    connection = opened(verb, **more)
    try:
        return answer(connection)
    finally:
        connection.close()


def opened(verb: str, **more: object) -> Socket:
    """Ask, and return the connection: what is taken (a card's memory) is ours as long as it is open."""
    import json

    connection = Socket(AF_UNIX, SOCK_STREAM)
    connection.settimeout(LONGEST)
    try:
        connection.connect(guest_spaces.SOCKET)
        asked = {"do": verb, "net": os.stat("/proc/self/ns/net").st_ino, **more}
        connection.sendall(json.dumps(asked).encode() + b"\n")
    except OSError as error:
        connection.close()
        raise RuntimeDownError(f"the lab runs no programs in guests: {error.strerror}") from None
    return connection


def answer(connection: Socket) -> Answer:
    """Read one answer. Raises RuntimeDownError."""
    import json

    text = b""
    try:
        while not text.endswith(b"\n"):
            part = connection.recv(65536)
            if not part:
                break
            text += part
    except OSError as error:
        raise RuntimeDownError(f"the lab's programs: {error}") from None
    found: Answer = json.loads(text) if text else {"error": _trouble()}
    if "error" in found:
        raise RuntimeDownError(f"the lab's programs: {found['error']}")
    return found


def _trouble() -> str:
    try:
        with open(guest_spaces.TROUBLE, encoding="utf-8") as file:
            return "a defect of the lab:\n" + file.read()
    except FileNotFoundError:
        return "the keeper has ended"
