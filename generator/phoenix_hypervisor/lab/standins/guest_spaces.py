"""The namespaces of running guests in one connection: a network of its own for each, and who keeps them.

The network of a guest is held by a process that does nothing else, from the first time a command is attached
until the guest stops or the connection ends. Beside it sits the keeper (runtime_keeper.py), which sleeps
until somebody asks for the guests' programs. Both are forked from what runs anyway, in a few milliseconds.
"""

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable
from typing import NoReturn

import enter

FOLDER = "/dev/.phoenix-lab"
"""Of one connection, as /dev is: for each guest a file (who holds its network, the number of its start)."""
SOCKET = FOLDER + "/keeper"
AWAKE = FOLDER + "/awake"
"""There since somebody asked the keeper."""
TROUBLE = FOLDER + "/trouble"
"""What a keeper died of."""
LAB = "/dev/.proc"
"""What only the sandbox of a lab node has."""
SPACES = enter.CLONE_NEWUSER | enter.CLONE_NEWNET


def possible() -> bool:
    """Tell whether this is the sandbox of a lab node, where processes of ours may stay."""
    return os.path.isdir(LAB)


def known() -> dict[str, tuple[int, int]]:
    """Return the guests whose networks are held: VMID → (pid, number of the start)."""
    found = {}
    for name in os.listdir(FOLDER) if os.path.isdir(FOLDER) else ():
        if name.isdigit() and (held := _held(name)):
            found[name] = held
    return found


def holder(vmid: str, number: int) -> int:
    """Return the pid of who holds the network of a guest that was started as that number."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(FOLDER + "/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = _held(vmid)
        if held and held[1] == number and os.path.exists(f"/proc/{held[0]}/ns/net"):
            return held[0]
        if held:
            drop(vmid)
        return _new_holder(vmid, number)


def join(vmid: str, number: int) -> None:
    """Be in the user and network namespaces of a guest from now on. Raises OSError."""
    pid = holder(vmid, number)
    files = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("user", "net")]
    for file, space in zip(files, (enter.CLONE_NEWUSER, enter.CLONE_NEWNET), strict=True):
        enter.kernel("setns", file, space)
        os.close(file)


def drop(vmid: str) -> None:
    """Let go of a guest's network."""
    held = _held(vmid)
    if held:
        os.unlink(f"{FOLDER}/{vmid}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(held[0], signal.SIGKILL)


def wake_keeper() -> None:
    """Let there be a keeper: asleep until somebody asks it."""
    if os.path.exists(SOCKET):
        return
    os.makedirs(FOLDER, exist_ok=True)
    with open(FOLDER + "/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(SOCKET):
            return
        from _socket import AF_UNIX, SOCK_STREAM
        from _socket import socket as Socket  # noqa: N812  (the class)

        listening = Socket(AF_UNIX, SOCK_STREAM)
        listening.bind(SOCKET)
        listening.listen(64)
        _apart(lambda: _sleep(listening.fileno()), listening.fileno())
        listening.close()


def _sleep(listening: int) -> NoReturn:
    """Wait for the first question: a keeper that nobody asks costs nothing but its place."""
    import select

    asked = select.poll()
    asked.register(listening, select.POLLIN)
    asked.poll()
    with open(AWAKE, "w"):
        pass
    import runtime_keeper

    runtime_keeper.run(listening)


def _new_holder(vmid: str, number: int) -> int:
    reading, writing = os.pipe()
    _apart(lambda: _hold(vmid, number, writing), writing)
    os.close(writing)
    said = os.read(reading, 100).decode()
    os.close(reading)
    if not said.isdigit():
        raise OSError(0, said or "the guest gets no network of its own")
    return int(said)


def _hold(vmid: str, number: int, told: int) -> NoReturn:
    try:
        enter.kernel("unshare", SPACES)
        enter.map_ids(0, 0)
        enter.bring_lo_up()
        with open(f"{FOLDER}/{vmid}.new", "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} {number}")
        os.replace(f"{FOLDER}/{vmid}.new", f"{FOLDER}/{vmid}")
    except OSError as error:
        os.write(told, str(error.strerror).encode())
        os._exit(1)
    os.write(told, str(os.getpid()).encode())
    os.close(told)
    while True:
        signal.pause()


def _held(vmid: str) -> tuple[int, int] | None:
    try:
        with open(f"{FOLDER}/{vmid}", encoding="ascii") as file:
            pid, number = map(int, file.read().split())
    except FileNotFoundError:
        return None
    return pid, number


def _apart(work: Callable[[], NoReturn], *kept: int) -> None:
    """Run WORK in a process that belongs to nobody here, and has nothing of ours open but what is named."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        close_others(*kept)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.chdir("/")
        os.umask(0o022)
        work()
    finally:
        os._exit(1)


def close_others(*kept: int) -> None:
    """Close all that is open but stdin, stdout, stderr and what is named."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):  # the one that read the folder
                os.close(int(name))
