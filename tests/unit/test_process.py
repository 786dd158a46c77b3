"""A child process: everything through, nothing left behind, no secret where others can read it."""

import gc
import os
import time
from pathlib import Path

import pytest

from phoenix_hypervisor.errors import SecretError
from phoenix_hypervisor.process import Broken, Child, Ended, attach, run
from phoenix_hypervisor.secrets import Encoded, Secret, Text

CANARY = b"canary-7f3d"


class Kept:
    def value(self, name: str) -> bytes:
        return CANARY


class Missing:
    def value(self, name: str) -> bytes:
        raise SecretError("no such secret")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def ends_soon(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def children() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture(autouse=True)
def nothing_left_behind():
    files, before = len(os.listdir("/proc/self/fd")), children()
    yield
    gc.collect(1)  # what the test left is young; all that pytest keeps is a second's work
    assert children() - before == set()
    assert len(os.listdir("/proc/self/fd")) == files


def test_run_gives_status_and_both_streams() -> None:
    assert run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Ended(3, b"out\n", b"err\n")


def test_a_signal_is_a_negative_status() -> None:
    assert run(["sh", "-c", "kill -TERM $$"]) == Ended(-15, b"", b"")


def test_stdin_is_closed_where_there_is_nothing_to_send() -> None:
    assert run(["cat"]) == Ended(0, b"", b"")


def test_a_program_that_does_not_exist() -> None:
    with pytest.raises(Broken) as caught:
        run(["/no/such/program", "x"])
    assert str(caught.value) == "cannot start `/no/such/program`: No such file or directory"


def test_much_in_and_much_out_do_not_block_each_other() -> None:
    size = 4_000_000
    ended = run(["sh", "-c", "tee /dev/stderr"], Text("x" * size))
    assert (ended.status, len(ended.stdout), len(ended.stderr)) == (0, size, size)


def test_much_out_before_anything_is_read() -> None:
    ended = run(["sh", "-c", "head -c 3000000 /dev/zero; cat"], Text("y" * 3_000_000))
    assert ended.stdout == bytes(3_000_000) + b"y" * 3_000_000


def test_a_secret_arrives_on_stdin() -> None:
    assert run(["cat"], Text("p=", Secret("s", Kept()))).stdout == b"p=" + CANARY


def test_the_environment_can_be_given() -> None:
    assert run(["/usr/bin/env"], env={"ONLY": "this"}).stdout == b"ONLY=this\n"


def test_a_child_that_ends_without_reading() -> None:
    assert run(["sh", "-c", "exit 4"], Text("x" * 3_000_000)) == Ended(4, b"", b"")


def test_a_child_that_closes_its_stdin_and_goes_on() -> None:
    ended = run(["sh", "-c", "exec <&-; echo closed; sleep 0.2; echo still"], Text("x" * 3_000_000))
    assert ended == Ended(0, b"closed\nstill\n", b"")


def test_a_child_that_closes_its_output_and_goes_on() -> None:
    assert run(["sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 5"]) == Ended(5, b"", b"")


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    with pytest.raises(Broken):
        run(["sh", "-c", f"sleep 60 & echo $! $$ >{pids}; echo why >&2; wait"], timeout=0.5)
    assert time.monotonic() - began < 5
    grandchild, child = map(int, pids.read_text().split())
    assert ends_soon(grandchild)
    assert ends_soon(child)


def test_a_timeout_tells_what_stderr_said() -> None:
    with pytest.raises(Broken) as caught:
        run(["sh", "-c", "echo why >&2; sleep 60"], timeout=0.5)
    assert caught.value.stderr == b"why\n"


def test_a_timeout_counts_from_the_start_also_while_something_comes() -> None:
    began = time.monotonic()
    with pytest.raises(Broken):
        run(["sh", "-c", "for n in $(seq 40); do echo x; sleep 0.1; done"], timeout=0.5)
    assert time.monotonic() - began < 2


def test_a_child_that_closes_its_output_can_time_out_too() -> None:
    with pytest.raises(Broken):
        run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.5)


def test_a_missing_secret_leaves_no_child() -> None:
    with pytest.raises(SecretError):
        run(["cat"], Text(Secret("s", Missing())))


def test_a_missing_secret_leaves_nothing_half_sent() -> None:
    child = Child(["cat"])
    with pytest.raises(SecretError):
        child.send(b"begin\n", Text(Secret("s", Missing())), b"end\n")
    child.send(b"whole\n", close=True)
    assert child.read_to_end(5) == (b"whole\n", b"")
    assert child.wait(5) == 0


def test_ctrl_c_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Child, timeout: float) -> tuple[bytes, bytes]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Child, "read_to_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"])


def test_neither_arguments_nor_environment_of_a_child_hold_a_secret() -> None:
    child = Child(["sh", "-c", "read -r secret; echo got; echo got >&2; read -r end"])
    child.send(Text("p=", Secret("s", Kept()), "\n"))
    assert child.read_until(b"got\n", 5) == (b"", b"")
    at = Path(f"/proc/{child._process.pid}")
    arguments, environment = (at / "cmdline").read_bytes(), (at / "environ").read_bytes()
    child.close()
    assert arguments.startswith(b"sh\0-c\0read -r secret")
    assert b"PATH=" in environment
    assert CANARY not in arguments + environment


def test_answers_end_at_their_mark_on_both_streams() -> None:
    child = Child(["sh"])
    for n in (1, 2):
        child.send(f"echo out{n}; echo err{n} >&2; echo MARK; echo MARK >&2\n".encode())
        assert child.read_until(b"MARK\n", 5) == (f"out{n}\n".encode(), f"err{n}\n".encode())
    child.close()


def test_a_mark_that_comes_in_pieces_is_found() -> None:
    child = Child(
        ["sh", "-c", "echo MARK >&2; printf 'outMA'; sleep 0.2; printf 'R'; sleep 0.2; echo K; cat"]
    )
    assert child.read_until(b"MARK\n", 5) == (b"out", b"")
    child.close()


def test_what_a_child_said_before_it_went_is_the_reason() -> None:
    for delay in ("", "sleep 0.01; "):
        for _ in range(100):
            child = Child(["sh", "-c", f"{delay}printf reason >&2"])
            with pytest.raises(Broken, match=r"^the connection ended$") as caught:
                child.read_until(b"MARK", 5)
            child.close()
            assert caught.value.stderr == b"reason"


def test_silence_breaks_a_conversation() -> None:
    child = Child(["sh"])
    child.send(b"echo half >&2; sleep 60; echo MARK\n")
    with pytest.raises(Broken) as caught:
        child.read_until(b"MARK\n", 0.5)
    assert str(caught.value) == "no answer for 0.5 seconds"
    assert caught.value.stderr == b"half\n"
    assert child.wait(5) == -9


def test_texts_can_travel_as_base64() -> None:
    child = Child(["sh", "-c", "base64 -d"])
    child.send(Text(Encoded(Text("ü" * 1000, Secret("s", Kept())))), close=True)
    assert child.read_to_end(5)[0] == ("ü" * 1000).encode() + CANARY
    assert child.wait(5) == 0


def test_close_waits_then_kills() -> None:
    patient = Child(["sh", "-c", "cat; exit 0"])
    patient.close()
    assert patient._process.returncode == 0
    deaf = Child(["sleep", "60"])
    began = time.monotonic()
    deaf.close(0.2)
    assert deaf._process.returncode == -9
    assert time.monotonic() - began < 5


def test_close_and_kill_can_be_called_twice() -> None:
    child = Child(["cat"])
    child.close()
    child.close()
    child.kill()
    assert child._process.returncode == 0


def test_ctrl_c_on_our_terminal_does_not_reach_the_child() -> None:
    child = Child(["sh", "-c", "read -r x"])
    assert os.getpgid(child._process.pid) == child._process.pid != os.getpgid(0)
    child.close()


def test_attach_gives_the_exit_status(capfd: pytest.CaptureFixture[str]) -> None:
    assert attach(["sh", "-c", "echo $ONLY; exit 6"], env={"ONLY": "this"}) == 6
    assert capfd.readouterr().out == "this\n"
