"""The packet filter on the sockets of the lab's programs: whom it lets in, and that it follows the file."""

import contextlib
import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from phoenix_hypervisor import lab

PROGRAMS = Path(lab.__file__).parent / "programs"
FRIEND, STRANGER = "127.0.0.5", "127.0.0.6"


@pytest.fixture
def packets(tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("packets_alone", PROGRAMS / "packets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.FILE = str(tmp_path / "firewall.json")  # type: ignore[attr-defined]
    return module


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket) -> None:
    """Take everybody who comes, or soon nobody would be answered."""
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()


def told(packets: ModuleType, ports: dict[int, list[str]], others: list[str] | None = None) -> None:
    file = Path(packets.FILE)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"own": [], "ports": ports, "else": others or []}))
    new.replace(file)


def answers(server: socket.socket, source: str) -> bool:
    with socket.socket() as one:
        one.settimeout(0.3)
        one.bind((source, 0))
        try:
            one.connect(server.getsockname())
        except TimeoutError:
            return False
        return True


def until(server: socket.socket, source: str, wanted: bool) -> bool:
    """Whether it becomes so within ten seconds: whoever watches the file does so now and then."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if answers(server, source) is wanted:
            return True
    return False


def test_who_is_not_let_in_hears_nothing_and_without_a_file_everybody_is(
    packets: ModuleType, taken: socket.socket
) -> None:
    port = taken.getsockname()[1]
    packets.guard(taken)
    assert answers(taken, FRIEND)
    told(packets, {port: [FRIEND]})
    assert until(taken, STRANGER, wanted=False)
    assert (answers(taken, FRIEND), answers(taken, "127.0.0.1")) == (True, True)
    Path(packets.FILE).unlink()
    assert until(taken, STRANGER, wanted=True)


def test_a_port_that_no_rule_names_has_the_policy_of_the_rest(
    packets: ModuleType, taken: socket.socket
) -> None:
    told(packets, {1: [STRANGER]}, [FRIEND])
    packets.guard(taken)
    assert (answers(taken, FRIEND), answers(taken, STRANGER)) == (True, False)


def test_it_imports_nothing_that_the_lab_does_not_have() -> None:
    text = (PROGRAMS / "packets.py").read_text()
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.strip().startswith("import ")
    }
    assert imported <= sys.stdlib_module_names
