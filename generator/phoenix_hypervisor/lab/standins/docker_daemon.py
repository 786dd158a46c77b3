"""dockerd in the lab: it really runs, on its socket, and keeps the containers' programs running.

It is started as the program of docker.service in a guest (runtime_units.py), on a node when somebody looks.
Commands change the state of docker_state.py, and tell it; it starts and ends programs then, and answers when
those it started listen, or have ended.
"""

import json
import os
import select
import signal
import sys
import time
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as Socket  # noqa: N812  (the class)
from typing import Any

import docker_images
import docker_state
import guest_spaces
import model

SOCKET = "\0docker"
"""Abstract: of the host's own network, and no file that a snapshot would find."""
CONFIG = "/etc/docker/daemon.json"
PROGRAM = "/usr/local/sbin/lab-program"
LONGEST = 120.0
"""Seconds within which a program must listen."""
TRIES = 3
"""How often a program that ends is started again before that takes longer than anybody waits here."""
KNOWN = frozenset((
    "bip", "cgroup-parent", "data-root", "debug", "default-address-pools", "default-runtime", "dns",
    "dns-opts", "dns-search", "exec-opts", "experimental", "features", "hosts", "icc",
    "insecure-registries", "ip", "ip6tables", "iptables", "ipv6", "labels", "live-restore", "log-driver",
    "log-level", "log-opts", "max-concurrent-downloads", "max-concurrent-uploads", "metrics-addr", "mtu",
    "no-new-privileges", "proxies", "registry-mirrors", "runtimes", "selinux-enabled", "shutdown-timeout",
    "storage-driver", "storage-opts", "userland-proxy", "userns-remap",
))  # fmt: skip
DRIVERS = ("overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs")


def trouble(path: str = CONFIG) -> str:
    """Return what the daemon says of a file of settings that it does not take; empty of one that it does."""
    try:
        with open(model.path(path), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return "" if path == CONFIG else f"open {path}: no such file or directory"
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError:
        return "invalid character in the file"
    if not isinstance(found, dict):
        return "json: cannot unmarshal array into Go value of type map[string]interface {}"
    unknown = sorted(found.keys() - KNOWN)
    if unknown:
        return f"the following directives don't match any configuration option: {', '.join(unknown)}"
    return ""


def starts() -> str:
    """Return why the daemon would not start with its settings; empty if it would."""
    said = trouble()
    if said:
        return f"unable to configure the Docker daemon with file {CONFIG}: {said}"
    driver = driver_of()
    if driver not in DRIVERS:
        return f"failed to start daemon: error initializing graphdriver: driver not supported: {driver}"
    return ""


def driver_of() -> str:
    """Return the storage driver that the settings name."""
    try:
        with open(model.path(CONFIG), encoding="utf-8") as file:
            return str(json.load(file).get("storage-driver", "overlay2"))
    except (FileNotFoundError, ValueError):
        return "overlay2"


def sync() -> None:
    """Let the containers' programs be as the state says; on a node as in a guest."""
    if guest_spaces.possible():
        wake(changed=True)
    elif not tell():
        import contextlib

        import runtime

        # of a guest whose programs nobody runs, what is said of them is all there is
        with contextlib.suppress(runtime.RuntimeDownError):
            runtime.look()


def wake(*, changed: bool = False) -> None:
    """Let the daemon of a node be running if it has anything to run; that of a guest has a keeper."""
    if not guest_spaces.possible() or not os.path.exists(model.path(f"{docker_state.FOLDER}/lab.json")):
        return
    if tell():
        return
    try:
        state = docker_state.read()
    except docker_state.DaemonError:
        return
    if changed or any(_wanted(row) for row in state["containers"]):
        guest_spaces._apart(run)
        end = time.monotonic() + LONGEST
        while not tell() and time.monotonic() < end:
            time.sleep(0.01)


def tell() -> bool:
    """Tell the daemon that containers have changed, and wait until it has seen to it; False if none does."""
    connection = Socket(AF_UNIX, SOCK_STREAM)
    connection.settimeout(2 * LONGEST)
    try:
        connection.connect(SOCKET)
        connection.sendall(b"\n")
        return bool(connection.recv(1))
    except OSError:
        return False
    finally:
        connection.close()


def _wanted(row: docker_state.Row) -> bool:
    software = docker_images.software(row["software"])
    return row["state"] == "running" and software is not None and bool(software.program)


def run() -> Any:
    """Be the daemon, for ever."""
    Daemon().serve()


class Daemon:
    """The programs that run, by container."""

    def __init__(self) -> None:
        self.pids: dict[str, int] = {}
        self.ready: dict[str, int] = {}
        """Of those that do not listen yet: the descriptor by which they say that they do."""
        self.tries: dict[str, int] = {}

    def serve(self) -> None:
        listening = Socket(AF_UNIX, SOCK_STREAM)
        listening.bind(SOCKET)
        listening.listen(16)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self.end())
        self.look()
        _say_ready()
        while True:
            for file in select.select([listening.fileno(), reading], [], [])[0]:
                if file == reading:
                    os.read(reading, 1000)
                    self.bury()
                    self.look()
                else:
                    descriptor, _ = listening._accept()  # type: ignore[attr-defined]
                    self._serve(descriptor)

    def _serve(self, descriptor: int) -> None:
        """See to what has changed, and say that it is done; whoever asked may have gone meanwhile."""
        try:
            os.read(descriptor, 1)
            self.look()
            os.write(descriptor, b"\n")
        except OSError:
            pass
        finally:
            os.close(descriptor)

    def look(self) -> None:
        """Start and end programs as the state says; wait until those that were started listen, or gave up."""
        started = True
        while started:
            rows = {row["id"]: row for row in docker_state.known()["containers"] if _wanted(row)}
            for name in [name for name in self.pids if name not in rows]:
                self._kill(name)
            new = [row for name, row in rows.items() if name not in self.pids]
            for row in new:
                self._start(row)
            self._wait()
            started = bool(new)

    def bury(self) -> None:
        """See which programs have ended, and note it."""
        for name, pid in list(self.pids.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.pids.pop(name)
                ready = self.ready.pop(name, -1)
                if ready >= 0:
                    os.close(ready)
                self._ended(name)

    def _ended(self, name: str) -> None:
        self.tries[name] = self.tries.get(name, 0) + 1
        if self.tries[name] < TRIES:
            return
        with docker_state.noting() as state:
            for row in state["containers"]:
                if row["id"] == name:
                    row["state"] = "exited" if row["restart"] == "no" else "restarting"
                    row["status"] = 1
        self.tries.pop(name)

    def end(self) -> None:
        """End all programs, and the daemon."""
        for name in list(self.pids):
            self._kill(name)
        sys.exit(0)

    def _kill(self, name: str) -> None:
        pid = self.pids.pop(name)
        self.ready.pop(name, -1)
        try:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _start(self, row: docker_state.Row) -> None:
        software = docker_images.software(row["software"])
        assert software is not None
        reading, writing = os.pipe()
        log = model.path(f"{docker_state.FOLDER}/containers/{row['id']}.log")
        os.makedirs(os.path.dirname(log), exist_ok=True)
        environment = {
            "PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PHOENIX_LAB_READY": str(writing),
        }
        environment |= {key: str(value) for key, value in software.environment(row).items()}
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
                os.dup2(said, 1)
                os.dup2(said, 2)
                guest_spaces.close_others(writing)
                os.set_inheritable(writing, True)
                os.execve(PROGRAM, [PROGRAM, software.program, *row["command"]], environment)  # noqa: S606
            finally:
                os._exit(127)
        os.close(writing)
        self.pids[row["id"]], self.ready[row["id"]] = pid, reading

    def _wait(self) -> None:
        """Wait for those that do not listen yet; one that ends before closes its descriptor, too."""
        end = time.monotonic() + LONGEST
        while self.ready and time.monotonic() < end:
            found = select.select(list(self.ready.values()), [], [], end - time.monotonic())[0]
            for name, file in list(self.ready.items()):
                if file in found:
                    said = os.read(file, 100)
                    os.close(file)
                    self.ready.pop(name)
                    if not said:  # it ended, or is about to
                        os.waitpid(self.pids.pop(name), 0)
                        self._ended(name)
        self.bury()


def _say_ready() -> None:
    """Say to who started this as a unit that it runs."""
    told = os.environ.get("PHOENIX_LAB_READY", "")
    if told.isdigit():
        os.write(int(told), b"r")
        os.close(int(told))
