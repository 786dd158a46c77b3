"""The way into a guest: through its node's shell, a whole batch at once."""

import os
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.site_files import HOSTS, NODE, loaded

from phoenix_hypervisor.errors import GuestDownError, HostError
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.secrets import Secret, Text
from phoenix_hypervisor.transport import Address, Answer, Question
from phoenix_hypervisor.transport.guest import GuestTransport
from phoenix_hypervisor.transport.local import LocalTransport
from phoenix_hypervisor.transport.shells import MOST, Shells

many = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
ATTACH = """\
#!/bin/sh
# what `lxc-attach -n ID --clear-env -- PROGRAM` does, for guests that are folders
[ "$1" = -n ] && [ "$3" = --clear-env ] && [ "$4" = -- ] || exit 64
cd {folder}/"$2" 2>/dev/null || {{ echo "lxc-attach: $2: Failed to get init pid" >&2; exit 1; }}
[ ! -e broken ] || {{ echo "lxc-attach: $2: no such namespace" >&2; exit 1; }}
shift 4
echo "$$" >>{folder}/attaches
exec env -i HOME=/root "$@"
"""
INFO = "#!/bin/sh\n[ -d {folder}/$2 ] && echo RUNNING || echo STOPPED\n"


class Value:
    """A secret's source."""

    def value(self, name: str) -> bytes:
        return b"hunter2\n\x00\xff"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node whose guests are the folders 100 and 101."""
    (tmp_path / "bin").mkdir()
    for name, text in {"lxc-attach": ATTACH, "lxc-info": INFO}.items():
        (tmp_path / "bin" / name).write_text(text.format(folder=shlex.quote(str(tmp_path))))
        (tmp_path / "bin" / name).chmod(0o755)
    for vmid in ("100", "101"):
        (tmp_path / vmid).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def node() -> Iterator[Shells]:
    shells = Shells(lambda: LocalTransport(Address("pve", "pve")))
    yield shells
    shells.close()


def printing(data: bytes) -> str:
    return "printf '" + "".join(f"\\{byte:03o}" for byte in data) + "'"


@many
@given(out=st.binary(max_size=60), err=st.binary(max_size=60), status=st.integers(0, 255))
def test_both_streams_and_the_status_come_out_of_the_guest_exactly(
    folder: Path, node: Shells, out: bytes, err: bytes, status: int
) -> None:
    command = f"{printing(out)}; {printing(err)} >&2; exit {status}"
    assert GuestTransport("web", "100", node).act(command) == Answer(status, out, err)


def test_a_batch_of_questions_is_one_attach_and_one_trip(folder: Path, node: Shells) -> None:
    node.open()
    trips = node.trips
    answers = GuestTransport("web", "100", node).ask([Question(f"echo {n}; pwd") for n in range(50)])
    assert [answer.stdout for answer in answers] == [f"{n}\n{folder}/100\n".encode() for n in range(50)]
    assert node.trips == trips + 1
    assert len((folder / "attaches").read_text().split()) == 1


def test_what_is_fed_reaches_the_program_and_nothing_else(folder: Path, node: Shells) -> None:
    secret = Secret("a/b", Value())
    guest = GuestTransport("web", "100", node)
    answer = guest.act("cat >got; tr '\\n' ' ' <got; echo; env", Text("one\n", secret, "\nlast"))
    assert (folder / "100/got").read_bytes() == b"one\nhunter2\n\x00\xff\nlast"
    assert b"hunter2" not in answer.stdout
    assert answer.stdout.endswith(b"HOME=/root\n") or b"HOME=/root\n" in answer.stdout
    assert guest.ask([Question("cat", Text("x", secret)), Question("cat")])[1].stdout == b""


def test_what_a_step_says_in_a_guest_is_heard_while_it_runs(folder: Path, node: Shells) -> None:
    """It goes on only when it was heard: the answer to its words is what it waits for."""
    os.mkfifo(folder / "100/go")
    told: list[str] = []

    def hear(said: str) -> None:
        told.append(said)
        if said == "1 of 9 s":
            (folder / "100/go").write_text("on\n")

    command = "printf '1 of 9 s\\r'; read -r answer <go; echo \"$answer\" >&2; printf 'ready\\n'"
    answer = GuestTransport("web", "100", node).act(command, None, hear)
    assert answer == Answer(0, b"1 of 9 s\rready\n", b"on\n")
    assert (told[0], sorted(told[1:])) == ("1 of 9 s", ["on", "ready"])


def test_a_guest_that_does_not_run_is_said_to_be_down(folder: Path, node: Shells) -> None:
    with pytest.raises(GuestDownError) as caught:
        GuestTransport("web", "102", node).ask([Question("true")])
    assert str(caught.value) == "guest `web` does not run"


def test_a_guest_that_runs_and_cannot_be_entered_is_not_down(folder: Path, node: Shells) -> None:
    (folder / "100/broken").touch()
    with pytest.raises(HostError) as caught:
        GuestTransport("web", "100", node).act("true")
    assert not isinstance(caught.value, GuestDownError)
    assert str(caught.value) == "guest `web` cannot be entered: lxc-attach: 100: no such namespace"


GUESTS = {
    NODE: "{}\n",
    HOSTS: "pve: {data: {transport: local}}\n",
    "configs/guests/100-web.yaml": "lxc: {}\n",
    "configs/guests/101-db.yaml": "lxc: {}\n",
    "configs/guests/102-off.yaml": "lxc: {}\n",
}


def test_a_node_and_all_its_guests_are_asked_in_one_trip(folder: Path) -> None:
    site = loaded(folder, GUESTS)
    fleet = Fleet(site.inventory, folder, None, site.guests.values())
    assert fleet.hosts == ["pve", "web", "db", "off"]
    fleet.open_all(["pve"])
    asked = {host: [Question("basename $PWD"), Question("exit 3")] for host in ("web", "db", "off")}
    found = fleet.ask({"pve": [Question("echo node")], **asked})
    down = found.pop("off")
    assert isinstance(down, GuestDownError)
    assert found == {
        "pve": [Answer(0, b"node\n", b"")],
        "web": [Answer(0, b"100\n", b""), Answer(3, b"", b"")],
        "db": [Answer(0, b"101\n", b""), Answer(3, b"", b"")],
    }
    assert (dict(fleet.trips()), fleet.lost) == ({"pve": 2}, {})
    fleet.close()


# --- several shells ---------------------------------------------------------------------------------------


def test_acts_of_several_threads_run_at_the_same_time(tmp_path: Path, node: Shells) -> None:
    """Each waits for the other: one after the other would never end."""
    one, two = tmp_path / "one", tmp_path / "two"
    meet = "touch {}; n=0; while [ ! -e {} ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done; [ -e {} ]"
    commands = [meet.format(one, two, two), meet.format(two, one, one)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda c=command: statuses.append(node.act(c).status))  # type: ignore[misc]
        for command in commands
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [0, 0]


def test_work_that_is_not_parallel_stays_on_one_shell(node: Shells) -> None:
    shells = {node.act("echo $$").stdout for _ in range(5)}
    assert len(shells) == 1


def test_there_are_never_more_shells_than_a_host_allows(node: Shells) -> None:
    found: set[bytes] = set()
    threads = [
        threading.Thread(target=lambda: found.add(node.act("sleep 0.1; echo $$").stdout)) for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < len(found) <= MOST
