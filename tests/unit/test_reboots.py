"""Reboots of nodes: when they are run, how they are waited for, what is said of them; on fakes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.test_engine import XX, Node, X, Y, applied, statuses

from phoenix_hypervisor.converge import reboots
from phoenix_hypervisor.converge.outcome import Outcome
from phoenix_hypervisor.converge.plan import Consent, Entry, Plan
from phoenix_hypervisor.converge.reboots import Reboot, Stopped
from phoenix_hypervisor.dialects import kernels
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.boots import BOOT_ID, Boot, boot_of
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.kinds.zfs_dataset import ZfsDataset
from phoenix_hypervisor.resource import Change, Effect, Ref, Step, reboot, run
from phoenix_hypervisor.transport import Address, Answer

WITH, WITHOUT = Consent(reboot=True), Consent()
UP = b"running\n"


class Machine(Node):
    """The engine's small node, which can be restarted; being up again takes some attempts to connect."""

    def __init__(self, *wrong: str, attempts: int = 3, seconds: float = 60) -> None:
        super().__init__(wrong)
        self.boots = 1
        self.attempts, self.seconds = attempts, seconds
        self.system = iter([b"starting\n"])
        self.taken: str | None = None
        self.after_boot: list[str] = []
        """What a boot puts right."""
        self._away = 0
        self.on["systemctl reboot"] = self._go_down

    def _go_down(self) -> Answer:
        self.boots += 1
        self._away = self.attempts
        self.wrong -= {*self.after_boot}
        raise HostError("the connection broke")

    def ask(self, asked: Any) -> Any:
        if isinstance(asked, Mapping):
            return super().ask(asked)
        answers = {BOOT_ID: f"boot {self.boots}\n".encode()}
        return [Answer(0, answers.get(question.command) or next(self.system, UP), b"") for question in asked]

    def address(self, name: str) -> Address:
        return Address(name, name, reboot_seconds=self.seconds)

    def leave(self, node: str) -> None:
        self.acts.append("leave")

    def come_back(self, node: str) -> str | None:
        self.acts.append("come back")
        return self.taken

    @contextmanager
    def afresh(self, node: str) -> Iterator["Machine"]:
        self._away -= 1
        if self._away >= 0:
            raise HostError("Connection refused")
        yield self


class Clock:
    """A clock on which only pauses take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reboots, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def datasets_that_want_reboots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tank/x want its node's reboot."""
    before = ZfsDataset.converge

    def converge(self: ZfsDataset, change: Change) -> Iterator[Step]:
        if self.name == "tank/x":
            yield reboot("the module is an old one")
        else:
            yield from before(self, change)  # type: ignore[misc]

    monkeypatch.setattr(ZfsDataset, "converge", converge)


def test_it_is_a_step_with_a_reason_that_is_run_once_for_all_who_want_it() -> None:
    step = reboot("because")
    assert (step.title, step.argv, step.effect) == (
        "systemctl reboot",
        ("systemctl", "reboot"),
        Effect.REBOOT,
    )
    assert (step.once, step.because) == (True, "because")


def test_without_consent_it_is_not_run_and_what_needs_it_waits(tmp_path: Path) -> None:
    node = Machine("tank/x", "tank/x/x", "tank/y")
    outcome = applied(tmp_path, node, consent=WITHOUT)
    assert node.acts == ["zfs set atime=off tank/y"]
    assert outcome.waiting == {X: "the module is an old one"}
    assert statuses(outcome) | {"tank": "ok"} == {
        "tank": "ok",
        "tank/x": "drift",
        "tank/x/x": "blocked",
        "tank/y": "ok",
    }
    assert (outcome.waits(XX), outcome.waits(Y), outcome.stuck, outcome.code) == (X, None, {}, 2)


def test_with_consent_it_comes_last_and_what_waited_for_it_follows(tmp_path: Path, clock: Clock) -> None:
    node = Machine("tank/x", "tank/x/x", "tank/y")
    node.after_boot = ["tank/x"]
    outcome = applied(tmp_path, node, consent=WITH)
    assert node.acts == [
        "zfs set atime=off tank/y",
        "systemctl reboot",
        "leave",
        "come back",
        "zfs set atime=off tank/x/x",
    ]
    assert (outcome.waiting, outcome.stuck, set(statuses(outcome).values()), outcome.code) == (
        {},
        {},
        {"ok"},
        0,
    )
    (ran,) = [ran for ran in outcome.ran if ran.effect is Effect.REBOOT]
    # three attempts that failed, and one that found it starting its services
    assert (ran.status, ran.said, round(clock.now, 3)) == (
        0,
        "back after 2 s",
        2.031,
    )


def test_the_same_reason_again_is_an_error_and_one_boot(tmp_path: Path) -> None:
    node = Machine("tank/x")
    outcome = applied(tmp_path, node, consent=WITH)
    assert node.acts.count("systemctl reboot") == 1
    said = "asks for a reboot again right after one, for the same reason: the module is an old one"
    assert (outcome.stuck, outcome.waiting, outcome.code) == ({X: said}, {}, 1)


def test_a_command_that_fails_is_said_and_nothing_is_waited_for(tmp_path: Path) -> None:
    node = Machine("tank/x")
    node.on["systemctl reboot"] = lambda: Answer(1, b"", b"Access denied")
    outcome = applied(tmp_path, node, consent=WITH)
    assert node.acts == ["systemctl reboot"]
    assert (outcome.stuck, outcome.code) == ({X: "`systemctl reboot` ended with 1: Access denied"}, 1)


def test_a_node_that_does_not_come_back_is_lost(tmp_path: Path, clock: Clock) -> None:
    node = Machine("tank/x", attempts=1000, seconds=42)
    outcome = applied(tmp_path, node, consent=WITH)
    said = "host `pve` was told to reboot, and is not back after 42 s: Connection refused"
    assert (outcome.lost["pve"].message, outcome.code, clock.now) == (said, 3, 42)


def test_another_run_that_was_faster_after_the_boot_is_named(tmp_path: Path) -> None:
    node = Machine("tank/x", "tank/x/x")
    node.after_boot = ["tank/x"]
    node.taken = "somebody@else"
    outcome = applied(tmp_path, node, consent=WITH)
    assert "zfs set atime=off tank/x/x" not in node.acts
    assert "it is back, but another run has begun on it: somebody@else" in outcome.stuck[X]
    assert outcome.code == 1


def test_a_boot_that_goes_on_for_ever_is_taken_as_it_is_at_the_deadline(tmp_path: Path, clock: Clock) -> None:
    node = Machine("tank/x", seconds=20)
    node.after_boot = ["tank/x"]
    node.system = iter([b"starting\n"] * 1000)
    assert (applied(tmp_path, node, consent=WITH).code, clock.now) == (0, 20)


def test_people_hear_what_is_waited_for_and_can_stop_it(clock: Clock) -> None:
    node, said = Machine(attempts=1000, seconds=100), []
    waiting = Reboot(node, "pve", said.append, lambda: clock.now > 70)  # type: ignore[arg-type]
    with pytest.raises(Stopped):
        waiting.carry_out(["systemctl", "reboot"])
    assert said[0] == "pve reboots; waiting for it to come back, at most 100 s"
    assert [words.partition(" after ")[0] for words in said[1:]] == ["pve: not back"] * 2
    assert said[1].endswith(" s: Connection refused")


def test_a_node_whose_boots_cannot_be_told_apart_is_not_rebooted() -> None:
    node = Machine()
    node.ask = lambda _: [Answer(1, b"", b"No such file")]  # type: ignore[method-assign]
    answer = Reboot(node, "pve", print, lambda: False).carry_out(["systemctl", "reboot"])  # type: ignore[arg-type]
    assert (answer.status, answer.stderr) == (1, b"boots of this node cannot be told apart: No such file")
    assert node.acts == []


def test_somebody_else_s_reboot_in_the_middle_is_said() -> None:
    node = Machine(attempts=0)
    assert reboots.boot_id(node, "pve") == "boot 1"  # type: ignore[arg-type]
    node.attempts = 1
    with pytest.raises(HostError):
        node.act("systemctl reboot", None)
    assert reboots.boot_id(node, "pve") is None  # type: ignore[arg-type]
    assert reboots.boot_id(node, "pve") == "boot 2"  # type: ignore[arg-type]


REF, OTHER, THIRD = (Ref("pve", "kind", name) for name in "abc")


def entry(ref: Ref, *steps: Step, after: Ref | None = None) -> Entry:
    return Entry(ref, Look(ref, Status.BLOCKED if after else Status.DRIFT, blocked_by=after), steps)


@pytest.mark.parametrize(
    ("entries", "without", "both"),
    [
        ([], False, False),
        ([entry(REF, reboot("x"))], False, True),
        ([entry(REF, run("true"), reboot("x"))], True, True),
        ([entry(REF, reboot("x")), entry(OTHER, run("true"), after=REF)], False, True),
        (
            [entry(REF, reboot("x")), entry(OTHER, after=REF), entry(THIRD, run("x"), after=OTHER)],
            False,
            True,
        ),
        ([entry(REF, reboot("x")), entry(OTHER, run("true"))], True, True),
    ],
)
def test_a_plan_knows_whether_anything_can_be_run_before_a_reboot(
    entries: list[Entry], without: bool, both: bool
) -> None:
    plan = Plan(tuple(entries))
    assert (plan.runs(reboot=False), plan.runs(reboot=True)) == (without, both)


def test_what_waits_is_pending_and_what_failed_besides_wins() -> None:
    looks = {REF: Look(REF, Status.DRIFT), OTHER: Look(OTHER, Status.BLOCKED, blocked_by=REF)}
    outcome = Outcome(looks, waiting={REF: "x"})
    assert outcome.code == 2
    looks[THIRD] = Look(THIRD, Status.DRIFT)
    assert outcome.code == 1


# --- kernels ----------------------------------------------------------------------------------------------

VERSIONS = st.builds(
    lambda numbers, build: ".".join(map(str, numbers)) + f"-{build}-pve",
    st.tuples(st.integers(2, 9), st.integers(0, 40), st.integers(0, 40)),
    st.integers(1, 40),
)


def test_kernels_are_ordered_by_their_numbers() -> None:
    files = [
        "vmlinuz-6.8.12-9-pve",
        "initrd.img-7.0.0-1-pve",
        "vmlinuz-6.8.12-10-pve",
        "vmlinuz-6.2.16-20-pve",
    ]
    assert kernels.installed([*files, "vmlinuz", "grub"]) == [
        "6.2.16-20-pve",
        "6.8.12-9-pve",
        "6.8.12-10-pve",
    ]
    assert sorted(["6.8.0", "6.8.0-rc1", "6.8.0-1"], key=kernels.order) == ["6.8.0", "6.8.0-rc1", "6.8.0-1"]


@given(st.lists(VERSIONS, min_size=1, unique=True), st.data())
def test_the_next_boot_is_the_pinned_kernel_or_the_newest(versions: list[str], data: st.DataObject) -> None:
    files = [f"vmlinuz-{version}" for version in versions]
    newest = kernels.next_boot(files)
    assert all(kernels.order(newest) >= kernels.order(version) for version in versions)
    pin = data.draw(st.sampled_from(versions))
    assert kernels.next_boot(files, ["1.2.3-gone", f"{pin}\n", newest]) == pin
    assert kernels.next_boot([], [pin]) == ""


class Host:
    """testinfra's host, with one answer."""

    def __init__(self, *lines: str) -> None:
        self.stdout = "\n".join(lines) + "\n"

    def run_expect(self, expected: list[int], command: str) -> "Host":
        return self


NEW, OLD = "vmlinuz-6.14.11-4-pve", "vmlinuz-6.14.8-2-pve"


@pytest.mark.parametrize(
    ("lines", "notices"),
    [
        (["6.14.11-4-pve", NEW, OLD, "next", "wanted"], ()),
        (
            ["6.14.8-2-pve", NEW, OLD, "next", "wanted"],
            ("runs kernel 6.14.8-2-pve, and its next boot starts 6.14.11-4-pve: it waits for a reboot",),
        ),
        (["6.14.8-2-pve", NEW, OLD, "next", "6.14.8-2-pve", "wanted"], ()),
        (["5.10.0-cloud", NEW, OLD, "next", "wanted"], ()),  # a container: the kernel is not its own
        (
            ["6.14.11-4-pve", NEW, "next", "wanted", "yes", "libc6", "dbus", "libc6"],
            ("says that it must be rebooted (libc6, dbus)",),
        ),
        (["6.14.11-4-pve", NEW, "next", "wanted", "yes"], ("says that it must be rebooted",)),
    ],
)
def test_a_node_says_when_it_waits_for_a_reboot(lines: list[str], notices: tuple[str, ...]) -> None:
    assert boot_of(Host("the-id", *lines)) == Boot("the-id", notices)  # type: ignore[arg-type]
