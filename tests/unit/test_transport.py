"""The framing of commands through a real shell, and how hosts are reached."""

import hashlib
import os
import shlex
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_hypervisor.errors import HostError, UsageError
from phoenix_hypervisor.process import Broken
from phoenix_hypervisor.secrets import Secret, Text
from phoenix_hypervisor.transport import Address, Answer, Question, connect
from phoenix_hypervisor.transport.local import LocalTransport
from phoenix_hypervisor.transport.shell import ShellTransport
from phoenix_hypervisor.transport.ssh import HINTS, SshTransport, hang_up

SHELLS = [
    argv
    for argv in (["sh"], ["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"])
    if shutil.which(argv[0])
]
ADDRESS = Address("pve", "pve")
many = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(params=SHELLS, ids=" ".join, scope="module")
def shell(request: pytest.FixtureRequest) -> Iterator[ShellTransport]:
    transport = ShellTransport(ADDRESS, request.param)
    transport.open()
    yield transport
    transport.close()


def printing(data: bytes) -> str:
    """A command that prints these bytes."""
    return "printf '" + "".join(f"\\{byte:03o}" for byte in data) + "'"


@many
@given(out=st.binary(max_size=60), err=st.binary(max_size=60), status=st.integers(0, 255))
def test_both_streams_and_the_status_come_back_exactly(
    shell: ShellTransport, out: bytes, err: bytes, status: int
) -> None:
    command = f"{printing(out)}; {printing(err)} >&2; exit {status}"
    assert shell.act(command) == Answer(status, out, err)


@many
@given(parts=st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 255)), max_size=8))
def test_many_questions_are_one_round_trip_with_answers_in_order(
    shell: ShellTransport, parts: list[tuple[bytes, int]]
) -> None:
    trips = shell.trips
    asked = [Question(f"{printing(data)}; exit {status}") for data, status in parts]
    assert shell.ask(asked) == [Answer(status, data, b"") for data, status in parts]
    assert shell.trips == trips + (1 if parts else 0)


@many
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=200))
def test_any_text_arrives_on_stdin(shell: ShellTransport, text: str) -> None:
    assert shell.act("cat", Text(text)) == Answer(0, text.encode(), b"")


class Kept:
    def value(self, name: str) -> bytes:
        return bytes(range(256))


def test_any_bytes_arrive_on_stdin(shell: ShellTransport) -> None:
    text = Text("before", Secret("all-bytes", Kept()), "after\n")
    whole = b"before" + bytes(range(256)) + b"after\n"
    assert shell.act("sha256sum", text).stdout.split()[0].decode() == hashlib.sha256(whole).hexdigest()
    assert shell.act("cat", text).stdout == b"before<secret all-bytes>after\n"


def test_questions_may_have_a_stdin_each(shell: ShellTransport) -> None:
    answers = shell.ask([Question("cat", Text("one")), Question("cat"), Question("cat; exit 3", Text("two"))])
    assert answers == [Answer(0, b"one", b""), Answer(0, b"", b""), Answer(3, b"two", b"")]


SELFISH = {
    "reads all of stdin": ("cat; read x; echo $?", Answer(0, b"1\n", b"")),
    "reads what comes next": ("cat <&0; head -c 100 /dev/stdin", Answer(0, b"", b"")),
    "ends the shell": ("exit 7", Answer(7, b"", b"")),
    "replaces the shell": ("exec sh -c 'echo x; exit 4'", Answer(4, b"x\n", b"")),
    "goes elsewhere": ("cd /; HOME=/nowhere; set -eu; umask 077", Answer(0, b"", b"")),
    "kills itself": ("sh -c 'kill -KILL $$'", None),
    "closes its streams": ("exec >&- 2>&-", Answer(0, b"", b"")),
    "has no last newline": ("printf x", Answer(0, b"x", b"")),
    "ends in a comment": ("echo x # comment", Answer(0, b"x\n", b"")),
    "has quotes": ('echo "it\'s" \'a "b"\'', Answer(0, b'it\'s a "b"\n', b"")),
    "has many lines": ("echo a\necho b\n", Answer(0, b"a\nb\n", b"")),
    "has a document of its own": ("cat <<'END'\nx $y\nEND\n", Answer(0, b"x $y\n", b"")),
    "prints a mark": (r"printf '\036%s\n' abc", Answer(0, b"\x1eabc\n", b"")),
    "is empty": ("", Answer(0, b"", b"")),
    "fails with errexit": ("set -e; false; echo no", Answer(1, b"", b"")),
    "unsets all": ("unset PATH LC_ALL; command -v ls || :", None),
    "redefines words": ("printf() { :; }; base64() { :; }; echo x", Answer(0, b"x\n", b"")),
}


@pytest.mark.parametrize("what", SELFISH)
def test_a_command_that_does_not_reach_the_next_one(shell: ShellTransport, what: str) -> None:
    command, expected = SELFISH[what]
    answer = shell.act(command)
    if expected is not None:
        assert answer == expected
    assert shell.act(
        'pwd; echo $LC_ALL; echo "$-" | grep -c e || :; umask; command -v cat >/dev/null'
    ).stdout == (f"{Path.cwd()}\nC\n0\n0022\n".encode())


@pytest.mark.parametrize("broken", ["(", "'", '"', "if true", "echo )", "case x in", "`", "<<", "do"])
def test_a_syntax_error_is_an_answer(shell: ShellTransport, broken: str) -> None:
    first, second = shell.ask([Question(broken), Question("echo next")])
    assert first.status != 0
    assert first.stderr != b""
    assert second == Answer(0, b"next\n", b"")


def test_a_missing_tool_is_127(shell: ShellTransport) -> None:
    answer = shell.act("no-such-tool-anywhere --version")
    assert (answer.status, answer.stdout) == (127, b"")
    assert b"no-such-tool-anywhere" in answer.stderr


def test_big_outputs_on_both_streams_and_a_big_stdin(shell: ShellTransport) -> None:
    size = 1_000_000
    text = "x" * size
    answer = shell.act(f"cat | tee /dev/stderr; head -c {size} /dev/zero", Text(text))
    assert (answer.status, len(answer.stdout), len(answer.stderr)) == (0, 2 * size, size)
    assert answer.stdout == text.encode() + b"\0" * size


def test_many_questions_at_once(shell: ShellTransport) -> None:
    answers = shell.ask([Question(f"echo {n}; echo {n} >&2; exit {n % 7}") for n in range(300)])
    assert answers == [Answer(n % 7, b"%d\n" % n, b"%d\n" % n) for n in range(300)]


def test_noise_before_the_first_answer_is_dropped() -> None:
    noisy = ShellTransport(ADDRESS, ["sh", "-c", "echo welcome; echo 'last login' >&2; exec sh"])
    assert noisy.act("echo x") == Answer(0, b"x\n", b"")
    noisy.close()


def test_a_shell_that_lives_on_is_opened_once() -> None:
    shell = LocalTransport(ADDRESS)
    shell.open()
    pid = shell.act("echo $PPID $$").stdout
    shell.open()
    assert shell.act("echo $PPID $$").stdout == pid
    assert shell.trips == 3
    shell.close()
    shell.close()


def test_the_environment_of_a_host_is_plain() -> None:
    shell = ShellTransport(
        ADDRESS, ["env", "LC_ALL=de_DE.UTF-8", "CDPATH=/usr", "ENV=/x", "PATH=/opt/x:/bin", "sh"]
    )
    answer = shell.act('echo "$LC_ALL|${CDPATH-none}|${ENV-none}|$PATH"; umask')
    path = "/opt/x:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert answer.stdout.decode() == f"C|none|none|{path}\n0022\n"
    shell.close()


# --- trouble ----------------------------------------------------------------------------------------------


def quick(*argv: str, connect_seconds: float = 10, command_seconds: float = 300) -> ShellTransport:
    address = Address("pve", "pve", connect_seconds=connect_seconds, command_seconds=command_seconds)
    return ShellTransport(address, argv)


UNREACHABLE = {
    "there is no such program": (
        ["no-such-program"],
        "cannot start `no-such-program`: No such file or directory",
    ),
    "it ends at once": (["sh", "-c", "exit 1"], "the connection ended"),
    "it says why": (
        ["sh", "-c", "echo one >&2; echo 'Permission denied' >&2; exit 255"],
        "Permission denied",
    ),
}


@pytest.mark.parametrize("what", UNREACHABLE)
def test_a_host_that_cannot_be_reached_is_said_with_the_reason(what: str) -> None:
    argv, reason = UNREACHABLE[what]
    with pytest.raises(HostError) as caught:
        quick(*argv).open()
    assert str(caught.value) == f"host `pve` cannot be reached: {reason}"


def test_a_host_that_does_not_answer_is_given_up_on() -> None:
    transport = quick("sh", "-c", "sleep 60", connect_seconds=-4.9)
    with pytest.raises(HostError) as caught:
        transport.open()
    assert "no answer for" in str(caught.value)


def test_a_command_without_an_end_is_given_up_on() -> None:
    transport = quick("sh", command_seconds=0.1)
    with pytest.raises(HostError) as caught:
        transport.act("sleep 60")
    assert caught.value.message == "host `pve`: the connection broke: no answer for 0.1 seconds"
    assert (
        caught.value.hint
        == "what was running may have gone on or not: run again, it starts from what is there"
    )


def test_a_connection_that_ends_is_said_and_a_new_one_can_be_opened() -> None:
    transport = quick("sh")
    with pytest.raises(HostError) as caught:
        transport.act('kill -KILL "$$"')
    assert caught.value.message == "host `pve`: the connection broke: the connection ended"
    assert transport.act("echo x").stdout == b"x\n"
    transport.close()


def test_a_secret_that_is_missing_leaves_the_connection_usable() -> None:
    from phoenix_hypervisor.errors import SecretError

    transport = quick("sh")
    with pytest.raises(SecretError):
        transport.act("cat", Text("half", Secret("nobody")))
    assert transport.act("cat", Text("whole")).stdout == b"whole"
    transport.close()


# --- lock -------------------------------------------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[tuple[ShellTransport, ShellTransport]]:
    pair = (quick("sh"), quick("sh"))
    yield pair
    for transport in pair:
        transport.close()


def test_a_lock_has_one_holder_and_tells_who(
    tmp_path: Path, two: tuple[ShellTransport, ShellTransport]
) -> None:
    path, (one, other) = f"{tmp_path}/a b/phoenix.lock", two
    assert one.lock(path, "it's me") is None
    assert other.lock(path, "you") == "it's me"
    assert one.act("echo still here").stdout == b"still here\n"
    one.close()
    assert other.lock(path, "you") is None
    assert Path(path).read_text() == "you\n"


def test_a_lock_ends_with_its_connection_however_that_ends(
    tmp_path: Path, two: tuple[ShellTransport, ShellTransport]
) -> None:
    path, (one, other) = str(tmp_path / "phoenix.lock"), two
    assert one.lock(path, "me") is None
    with pytest.raises(HostError):
        one.act('kill -KILL "$$"')
    assert other.lock(path, "you") is None


def test_what_a_command_starts_and_leaves_does_not_hold_the_lock(
    tmp_path: Path, two: tuple[ShellTransport, ShellTransport]
) -> None:
    path, (one, other) = str(tmp_path / "phoenix.lock"), two
    assert one.lock(path, "me") is None
    one.act("setsid sleep 3 </dev/null >/dev/null 2>&1 &")
    one.act("setsid sleep 3 >/dev/null 2>&1 &", Text("x"))
    one.close()
    assert other.lock(path, "you") is None


def test_a_lock_that_cannot_be_taken_is_said(
    tmp_path: Path, two: tuple[ShellTransport, ShellTransport]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError) as caught:
        two[0].lock(f"{tmp_path}/file/phoenix.lock", "me")
    assert str(caught.value).startswith(
        f"host `pve`: cannot take the lock {tmp_path}/file/phoenix.lock: mkdir:"
    )
    assert two[0].act("echo x").stdout == b"x\n"


# --- ssh --------------------------------------------------------------------------------------------------


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def argv_of(**address: object) -> list[str]:
    return list(SshTransport(Address("pve", "10.0.0.13", **address))._argv)  # type: ignore[arg-type]


def test_ssh_asks_nothing_and_shares_one_connection(runtime: Path) -> None:
    sockets = runtime / f"phoenix-{os.getuid()}"
    assert shlex.join(argv_of()) == (
        "ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3 "
        f"-o ControlMaster=auto -o ControlPath={sockets}/%C -o ControlPersist=60 -- 10.0.0.13 'exec sh'"
    )
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700


def test_the_inventory_says_port_user_sudo_and_patience(runtime: Path) -> None:
    argv = argv_of(port=2222, username="admin", sudo=True, connect_seconds=2.4)
    assert argv[argv.index("ControlPersist=60") + 1 :] == [
        *("-p", "2222", "-l", "admin", "--", "10.0.0.13", "exec sudo -n sh")
    ]
    assert "ConnectTimeout=2" in argv
    assert "ConnectTimeout=1" in argv_of(connect_seconds=0.1)


def test_of_ssh_s_options_those_of_the_inventory_come_first_and_so_count(runtime: Path) -> None:
    argv = argv_of(options=("ControlMaster=no", "ProxyJump=gate"))
    assert argv.index("ControlMaster=no") < argv.index("ControlMaster=auto")
    assert argv[argv.index("ProxyJump=gate") - 1] == "-o"


def test_a_host_name_is_never_an_option(runtime: Path) -> None:
    argv = list(SshTransport(Address("pve", "-oProxyCommand=x"))._argv)
    assert argv[-3:] == ["--", "-oProxyCommand=x", "exec sh"]


def test_a_folder_for_sockets_that_is_a_link_is_refused(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (runtime / f"phoenix-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError) as caught:
        argv_of()
    assert str(caught.value) == (
        f"{runtime}/phoenix-{os.getuid()} belongs to somebody else\n"
        "  hint: set XDG_RUNTIME_DIR to a folder of your own"
    )


SAID = {
    "ssh: connect to host 10.0.0.13 port 22: Connection refused": "Connection refused",
    "ssh: connect to host 10.0.0.13 port 22: Connection timed out": "timed out",
    "ssh: connect to host 10.0.0.13 port 22: No route to host": "No route to host",
    "ssh: Could not resolve hostname pve: Name or service not known": "Could not resolve hostname",
    "root@10.0.0.13: Permission denied (publickey).": "Permission denied",
    "@@@@\nHost key verification failed.": "Host key verification failed",
}


@pytest.mark.parametrize("words", SAID)
def test_what_ssh_says_comes_with_a_hint(runtime: Path, words: str) -> None:
    error = SshTransport(ADDRESS).unreachable(Broken("the connection ended", words.encode() + b"\r\n"))
    last = words.splitlines()[-1]
    assert str(error) == f"host `pve` cannot be reached: {last}\n  hint: {HINTS[SAID[words]]}"


def test_what_nobody_knows_comes_without_a_hint(runtime: Path) -> None:
    error = SshTransport(ADDRESS).unreachable(Broken("no answer for 15 seconds"))
    assert str(error) == "host `pve` cannot be reached: no answer for 15 seconds"


# --- choosing ---------------------------------------------------------------------------------------------


def test_ssh_is_the_usual_way_and_others_are_found_by_name(runtime: Path) -> None:
    assert type(connect(ADDRESS)) is SshTransport
    assert type(connect(ADDRESS._replace(transport="local"))) is LocalTransport


def test_sudo_on_the_node_itself() -> None:
    assert LocalTransport(ADDRESS._replace(sudo=True))._argv == ("sudo", "-n", "sh")
    assert LocalTransport(ADDRESS)._argv == ("sh",)


@pytest.mark.parametrize(
    ("name", "hint"), [("shh", "did you mean `ssh`?"), ("telnet", "known: lab, local, ssh")]
)
def test_an_unknown_transport_is_said(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect(ADDRESS._replace(transport=name))
    assert str(caught.value) == f"the inventory names an unknown transport `{name}`\n  hint: {hint}"


def test_shells_in_many_threads_do_not_mix() -> None:
    found: dict[int, bytes] = {}

    def work(number: int) -> None:
        shell = quick("sh")
        found[number] = shell.ask([Question(f"echo {number}")] * 5)[4].stdout
        shell.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: b"%d\n" % number for number in range(8)}


def test_a_shared_connection_is_hung_up_whether_there_is_one_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/said\nexit 255\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    hang_up(Address("pve", "10.0.0.13", port=2222))
    said = (tmp_path / "said").read_text()
    sockets = tmp_path / f"phoenix-{os.getuid()}"
    assert said.endswith(f"-o ControlPath={sockets}/%C -o ControlPersist=60 -p 2222 -O exit -- 10.0.0.13\n")
