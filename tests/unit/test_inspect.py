"""The inspection: what is asked in how many trips, what outcomes mean, what is blocked or left alone.

The hosts are tables of answers; pytest, testinfra and the inspector are the real ones.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.site_files import HOSTS, NODE, loaded

from phoenix_hypervisor import registry
from phoenix_hypervisor.errors import CheckError, GuestDownError, HostError
from phoenix_hypervisor.inspect.boots import ASKED
from phoenix_hypervisor.inspect.inspector import Inspector
from phoenix_hypervisor.inspect.looks import Finding, Look, Status, Verdict, looks
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.preflight import ASKED as MACHINE
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.resource import Change, Difference, Ref
from phoenix_hypervisor.transport import Answer, Question

ARC = Ref("pve", "zfs_arc", "pve")
USER = Ref("pve", "samba_user", "heads")
NODE_FILE = {NODE: "zfs_arc: {max: 4G}\nsamba_user: {heads: {password: !secret s}}\n"}


class TableFleet:
    """A fleet whose hosts answer from a table, and notes what they were asked."""

    def __init__(self, hosts: Collection[str], answers: Mapping[str, Answer | Exception]) -> None:
        self.hosts = self.nodes = list(hosts)
        self.lost: dict[str, HostError] = {}
        self.asked: list[tuple[str, list[str]]] = []
        self._answers = answers

    def is_lost(self, host: str) -> HostError | None:
        return self.lost.get(host)

    def ask(self, asked: Mapping[str, Sequence[Question]]) -> dict[str, list[Answer] | HostError]:
        found: dict[str, list[Answer] | HostError] = {}
        for host, questions in asked.items():
            try:
                found[host] = self._ask(host, questions)
            except GuestDownError as down:
                found[host] = down
            except HostError as error:
                self.lost[host] = error
        return found

    def transport(self, host: str) -> "TableTransport":
        return TableTransport(lambda questions: self._ask(host, questions))

    def _ask(self, host: str, questions: Sequence[Question]) -> list[Answer]:
        self.asked.append((host, [question.command for question in questions]))
        answers = []
        for question in questions:
            answer = self._answers.get(f"{host}: {question.command}", self._answers.get(question.command))
            if answer is None:
                answer = Answer(127, b"", f"sh: {question.command.split()[0]}: not found\n".encode())
            if isinstance(answer, Exception):
                raise answer
            answers.append(answer)
        return answers

    def trips(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        pass


class TableTransport:
    """The way to one host of the table."""

    def __init__(self, ask: Callable[[Sequence[Question]], list[Answer]]) -> None:
        self.ask = ask


HEAD = "import pytest\nfrom phoenix_hypervisor.secrets import Text\n\n\n"


class Trial:
    """A site with checks of its own, inspected."""

    def __init__(
        self,
        folder: Path,
        checks: str | Mapping[str, str],
        answers: Mapping[str, Answer | str | Exception] | None = None,
        files: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        site = loaded(folder, {**NODE_FILE, **(files or {})})
        modules = {"zfs_arc": checks} if isinstance(checks, str) else checks
        (folder / "verify").mkdir()
        for kind in registry.homes():  # nothing of the packaged checks
            (folder / f"verify/test_{kind}.py").write_text(HEAD + modules.get(kind, ""))
        table = {
            command: Answer(0, answer.encode(), b"") if isinstance(answer, str) else answer
            for command, answer in (answers or {}).items()
        }
        self.fleet = TableFleet(site.nodes, table)
        refs = options.pop("refs", list(site.resources))
        self.opened = OpenSite(site, self.fleet)
        self.seen: Inspector = inspect(self.opened, refs, **{"probes": False, **options})
        self.looks = self.seen.looks()

    def finding(self, ref: Ref = ARC) -> Finding:
        (finding,) = [finding for finding in self.seen.findings if finding.ref == ref]
        return finding

    def verdicts(self) -> dict[str, str]:
        return {
            f"{finding.ref.host} {finding.check}": finding.verdict.value for finding in self.seen.findings
        }


def check(body: str, argument: str = "zfs_arc", name: str = "test_it") -> str:
    lines = body.splitlines()
    return f"def {name}(host, {argument}):\n" + "".join(f"    {line}\n" for line in lines) + "\n\n"


# --- outcomes ---------------------------------------------------------------------------------------------

OUTCOMES = {
    "it holds": ("assert host.run('x').stdout == 'one'", Verdict.HELD, ""),
    "its own assert fails": (
        "assert host.run('x').stdout == 'two'",
        Verdict.FAILED,
        "it: it: 'one', not 'two'",
    ),
    "an assert without a comparison": (
        "assert host.run('x').rc",
        Verdict.FAILED,
        "it: it: 'not so', not 'so'",
    ),
    "another relation": ("assert len(host.run('x').stdout) <= 1", Verdict.FAILED, "it: it: 3, not 1"),
    "a mapping": (
        "assert {'a': 1, 'b': 2, 'c': 3} == {'a': 1, 'b': 3, 'd': 4}",
        Verdict.FAILED,
        "it: b: 2, not 3; d: None, not 4; c: 3, not None",
    ),
    "a key too many that holds nothing": (
        "assert {'a': None} == {}",
        Verdict.FAILED,
        "it: a: None, not None",
    ),
    "an assert of testinfra": (
        "host.run_expect([3], 'x')",
        Verdict.UNKNOWN,
        "it: `x` ended with 0: one",
    ),
    "a missing tool": (
        "host.run_expect([0], 'nosuch -a')",
        Verdict.UNKNOWN,
        "it: a tool is missing on the host: sh: nosuch: not found",
    ),
    "an exception": ("{}['missing']", Verdict.UNKNOWN, "it: KeyError: 'missing'"),
    "an exception after an assert that held": (
        "assert host.run('x').rc == 0\nint(host.run('x').stdout)",
        Verdict.UNKNOWN,
        "it: ValueError: invalid literal for int() with base 10: 'one'",
    ),
    "a skip": ("pytest.skip('not here')", Verdict.SKIPPED, "not here"),
    "a call of fail": ("pytest.fail('mine')", Verdict.UNKNOWN, "it: Failed: mine"),
    "an assert in somebody else's code": (
        "import textwrap, unittest\nunittest.TestCase().assertEqual(1, 2)",
        Verdict.UNKNOWN,
        "it: AssertionError: 1 != 2",
    ),
    "a typing mistake": (
        "assert nosuch == 1",
        Verdict.UNKNOWN,
        "it: NameError: name 'nosuch' is not defined",
    ),
    "the last of several comparisons": (
        "assert 1 == 1\nassert host.run('x').stdout == 'two'",
        Verdict.FAILED,
        "it: it: 'one', not 'two'",
    ),
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_only_an_assert_of_the_check_s_own_code_is_drift(tmp_path: Path, what: str) -> None:
    body, verdict, message = OUTCOMES[what]
    finding = Trial(tmp_path, check(body), {"x": "one"}).finding()
    assert (finding.verdict, finding.message) == (verdict, message)


def test_what_differs_becomes_the_change(tmp_path: Path) -> None:
    trial = Trial(
        tmp_path,
        check("assert {'a': 1, 'b': 2} == {'a': 1, 'b': 3}") + check("assert 5 <= 4", name="test_room"),
    )
    expected = Change({"b": Difference(2, 3), "room": Difference(5, 4, "<=")})
    assert trial.looks[ARC] == Look(ARC, Status.DRIFT, expected)


# --- trips ------------------------------------------------------------------------------------------------


def test_all_first_questions_of_all_checks_are_asked_in_one_trip(tmp_path: Path) -> None:
    checks = {
        "zfs_arc": "".join(check(f"assert host.run('q{n}').rc == 0", name=f"test_{n}") for n in range(5)),
        "samba_user": check("assert host.run('user').rc == 0", "samba_user"),
    }
    trial = Trial(tmp_path, checks, {**{f"q{n}": "" for n in range(5)}, "user": ""})
    assert [sorted(commands) for _, commands in trial.fleet.asked] == [["q0", "q1", "q2", "q3", "q4", "user"]]
    assert set(trial.verdicts().values()) == {"held"}


def test_a_chain_of_questions_is_as_many_trips_as_it_is_long_and_others_ride_along(tmp_path: Path) -> None:
    chain = "a = host.run('a').stdout\nb = host.run(a).stdout\nassert host.run(b).stdout == 'end'"
    other = "assert host.run('x').rc == 0\nassert host.run('y').rc == 0"
    answers = {"a": "b", "b": "c", "c": "end", "x": "", "y": ""}
    trial = Trial(tmp_path, check(chain) + check(other, name="test_other"), answers)
    assert [commands for _, commands in trial.fleet.asked] == [["a", "x"], ["b", "y"], ["c"]]
    assert set(trial.verdicts().values()) == {"held"}


def test_what_a_probe_would_ask_on_what_the_state_checks_found_is_asked_ahead(tmp_path: Path) -> None:
    """And on what is found anew it is judged: the second answers differ from the first."""
    state = "assert host.run('list').stdout"
    probe = "assert [host.run(f'use {one}').rc for one in host.run('list').stdout.split()] == [0, 0]"
    lists = iter(["a b", "a c"])
    checks = check(state, name="test_state") + "@pytest.mark.probe\n" + check(probe, name="test_use")

    class Changing(dict[str, Answer]):
        def get(self, command: str, default: Any = None) -> Any:
            return (
                Answer(0, next(lists).encode(), b"") if command == "list" else super().get(command, default)
            )

    fine = Answer(0, b"", b"")
    answers = Changing({"use a": fine, "use b": Answer(1, b"", b""), "use c": fine})
    site = loaded(tmp_path, NODE_FILE)
    (tmp_path / "verify").mkdir()
    for kind in registry.homes():
        (tmp_path / f"verify/test_{kind}.py").write_text(HEAD + (checks if kind == "zfs_arc" else ""))
    fleet = TableFleet(site.nodes, answers)
    seen = inspect(OpenSite(site, fleet), [ARC], probes=True)
    assert [commands for _, commands in fleet.asked] == [["list"], ["list", "use a"], ["use c"]]
    assert {finding.check: finding.verdict for finding in seen.findings} == {
        "state": Verdict.HELD,
        "use": Verdict.HELD,
    }


def test_a_question_asked_twice_is_asked_once(tmp_path: Path) -> None:
    twice = "assert host.run('x').stdout == host.run('x').stdout"
    trial = Trial(tmp_path, check(twice) + check(twice, name="test_again"), {"x": ""})
    assert trial.fleet.asked == [("pve", ["x"])]


def test_each_host_is_asked_for_itself(tmp_path: Path) -> None:
    files = {"configs/nodes/two.yaml": NODE_FILE[NODE], HOSTS: "pve:\ntwo:\n"}
    answers = {"pve: x": "1", "two: x": "2"}
    trial = Trial(tmp_path, check("assert host.run('x').stdout == '1'"), answers, files)
    assert sorted(trial.fleet.asked) == [("pve", ["x"]), ("two", ["x"])]
    assert trial.verdicts() == {"pve it": "held", "two it": "failed"}


def test_a_check_that_raises_before_it_asks_costs_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, check("1 / 0\nhost.run('x')"))
    assert trial.fleet.asked == []
    assert trial.finding().verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("words", ["except Exception:", "except (KeyError, AssertionError):"])
def test_a_check_s_own_except_does_not_catch_the_stop(tmp_path: Path, words: str) -> None:
    body = f"try:\n    found = host.run('x').stdout\n{words}\n    found = 'caught'\nassert found == 'one'"
    trial = Trial(tmp_path, check(body), {"x": "one"})
    assert trial.finding().verdict is Verdict.HELD


@pytest.mark.parametrize("words", ["except:", "except BaseException:"])
def test_a_check_that_catches_everything_is_not_believed_before_it_has_its_answers(
    tmp_path: Path, words: str
) -> None:
    body = f"try:\n    found = host.run('x').stdout\n{words}\n    found = 'two'\nassert found == 'two'"
    trial = Trial(tmp_path, check(body), {"x": "one"})
    assert trial.finding().verdict is Verdict.FAILED


def test_questions_of_testinfra_s_own_modules_are_batched_too(tmp_path: Path) -> None:
    """Its detection of the system is a chain; it is asked once, whatever the number of checks."""
    answers = {
        "uname -s": "Linux",
        "cat /etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "uname -m": "x86_64",
    }
    answers |= {"test -e /a": "", "test -e /b": ""}
    one, other = (check(f"assert host.file('/{name}').exists", name=f"test_{name}") for name in "ab")
    alone = Trial(tmp_path / "alone", one, answers)
    both = Trial(tmp_path / "both", one + other, answers)
    assert both.verdicts() == {"pve a": "held", "pve b": "held"}
    assert len(both.fleet.asked) == len(alone.fleet.asked)
    assert both.fleet.asked[-1] == ("pve", ["test -e /a", "test -e /b"])


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    answers = {"x": Answer(0, b"\xff", b"\xfe")}
    body = "assert host.run('x').stdout.encode(errors='surrogateescape') == b'\\xff'"
    assert Trial(tmp_path, check(body), answers).finding().verdict is Verdict.HELD


# --- what is not looked at --------------------------------------------------------------------------------


def test_a_missing_thing_is_one_difference_and_its_preconditions_are_looked_at(tmp_path: Path) -> None:
    checks = (
        check("assert False == True  # noqa", name="test_present")
        + check("assert 1 == 2", name="test_other")
        + "@pytest.mark.precondition\n"
        + check("assert {'disk': 'full'} == {'disk': 'blank'}", name="test_disks")
    )
    trial = Trial(tmp_path, checks)
    assert trial.verdicts() == {"pve present": "failed", "pve other": "skipped", "pve disks": "failed"}
    assert trial.looks[ARC].change.attributes == {
        "present": Difference(False, True),
        "disk": Difference("full", "blank"),
    }


def test_of_a_thing_that_is_there_preconditions_are_not_looked_at(tmp_path: Path) -> None:
    checks = check("assert True == True  # noqa", name="test_present") + "@pytest.mark.precondition\n"
    trial = Trial(tmp_path, checks + check("assert host.run('x').rc == 1", name="test_disks"))
    assert trial.verdicts() == {"pve present": "held"}
    assert trial.fleet.asked == []


def test_of_an_absent_thing_only_its_presence_is_looked_at(tmp_path: Path) -> None:
    checks = check("assert True == zfs_arc.present", name="test_present") + check("assert 1 == 2")
    trial = Trial(tmp_path, checks, files={NODE: "zfs_arc: {max: 4G, state: absent}\n"})
    assert trial.verdicts() == {"pve present": "failed"}
    assert trial.looks[ARC].change.removes


PROBE = "@pytest.mark.probe\n" + check("assert host.run('use').rc == 0", name="test_use")


@pytest.mark.parametrize(
    ("name", "value"), [("PYTEST_ADDOPTS", "--junitxml=x -n 4"), ("PYTEST_PLUGINS", "mine")]
)
def test_what_a_person_wants_of_every_pytest_is_for_their_own_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert Trial(tmp_path, check("assert 1 == 1")).verdicts() == {"pve it": "held"}
    assert os.environ[name] == value


def test_probes_run_only_when_they_are_wanted(tmp_path: Path) -> None:
    trial = Trial(tmp_path, check("assert 1 == 1") + PROBE)
    assert trial.verdicts() == {"pve it": "held"}
    assert trial.fleet.asked == []


def test_a_probe_that_fails_is_no_drift_but_bad_health(tmp_path: Path) -> None:
    trial = Trial(tmp_path, check("assert 1 == 1") + PROBE, {"use": Answer(1, b"", b"")}, probes=True)
    look = trial.looks[ARC]
    assert (look.status, look.change.attributes, look.probes) == (Status.UNHEALTHY, {}, ("use",))


def test_a_probe_of_what_is_not_right_does_not_run(tmp_path: Path) -> None:
    trial = Trial(tmp_path, check("assert 1 == 2") + PROBE, {"use": ""}, probes=True)
    assert (trial.verdicts()["pve use"], trial.fleet.asked) == ("skipped", [])
    assert trial.looks[ARC].status is Status.DRIFT


def test_a_probe_sees_the_host_anew(tmp_path: Path) -> None:
    state = check("assert host.run('x').rc == 0")
    probe = "@pytest.mark.probe\n" + check("assert host.run('x').rc == 0", name="test_use")
    trial = Trial(tmp_path, state + probe, {"x": ""}, probes=True)
    assert trial.fleet.asked == [("pve", ["x"]), ("pve", ["x"])]


def test_a_probe_may_feed_and_ask_for_what_is_around(tmp_path: Path) -> None:
    probe = (
        "@pytest.mark.probe\ndef test_use(host, zfs_arc, feed, site):\n"
        "    user = site.resource(zfs_arc, 'samba_user:heads')\n"
        "    assert feed('cat', Text(user.name)).stdout == 'heads'\n"
    )
    trial = Trial(tmp_path, probe, {"cat": "heads"}, probes=True)
    assert trial.finding().verdict is Verdict.HELD


def test_any_check_may_feed(tmp_path: Path) -> None:
    check_ = "def test_it(host, zfs_arc, feed):\n    assert feed('cat', Text('x')).stdout == 'x'\n"
    assert Trial(tmp_path, check_, {"cat": "x"}).finding().verdict is Verdict.HELD


POOL_AND_SET = {
    NODE: "hardware: {disks: {a: {id: d1, size: 1T}}}\n"
    "zfs_pool: {tank: {vdevs: [{type: stripe, disks: [d1]}]}}\nzfs_dataset: {tank/x: {}}\n"
}
POOL = Ref("pve", "zfs_pool", "tank")
SET = Ref("pve", "zfs_dataset", "tank/x")


def test_what_needs_something_wrong_is_blocked_whatever_its_own_checks_say(tmp_path: Path) -> None:
    checks = {
        "zfs_pool": check("assert 1 == 2", "zfs_pool", "test_pool"),
        "zfs_dataset": check("host.run_expect([0], 'nosuch')", "zfs_dataset", "test_set"),
    }
    found = Trial(tmp_path, checks, files=POOL_AND_SET).looks
    assert found[POOL].status is Status.DRIFT
    assert (found[SET].status, found[SET].blocked_by) == (Status.BLOCKED, POOL)
    assert found[SET].reasons == ("set: a tool is missing on the host: sh: nosuch: not found",)


def test_what_was_looked_at_before_blocks_as_well(tmp_path: Path) -> None:
    checks = {"zfs_dataset": check("assert 1 == 1", "zfs_dataset", "test_set")}
    known = {POOL: Look(POOL, Status.UNKNOWN)}
    found = Trial(tmp_path, checks, files=POOL_AND_SET, refs=[SET], known=known).looks
    assert found == {SET: Look(SET, Status.BLOCKED, blocked_by=POOL)}


def test_a_lost_host_is_unknown_and_others_are_looked_at(tmp_path: Path) -> None:
    files = {"configs/nodes/two.yaml": "zfs_arc: {max: 4G}\n", HOSTS: "pve:\ntwo:\n"}
    answers = {"pve: x": HostError("host `pve` does not answer"), "two: x": ""}
    trial = Trial(tmp_path, check("assert host.run('x').rc == 0"), answers, files)
    assert trial.looks[ARC] == Look(ARC, Status.UNKNOWN, reasons=("it: host `pve` does not answer",))
    assert trial.looks[Ref("two", "zfs_arc", "two")].status is Status.OK
    assert [host for host, _ in trial.fleet.asked].count("pve") == 1


def test_only_the_chosen_resources_are_looked_at(tmp_path: Path) -> None:
    checks = {
        "zfs_arc": check("assert host.run('x').rc == 0"),
        "samba_user": check("assert 1 == 1", "samba_user"),
    }
    trial = Trial(tmp_path, checks, refs=[USER])
    assert (list(trial.looks), trial.fleet.asked) == ([USER], [])


# --- refused ----------------------------------------------------------------------------------------------

REFUSED = {
    "an argument nobody knows": "def test_it(host, zfs_arc, nosuch): pass\n",
    "pytest's own folder": "def test_it(host, zfs_arc, tmp_path): pass\n",
    "no kind": "def test_it(host): pass\n",
    "two kinds": "def test_it(host, zfs_arc, samba_user): pass\n",
    "what is around, without being a probe": "def test_it(host, zfs_arc, site): pass\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_check_with_a_wrong_argument_is_refused_at_collection(tmp_path: Path, what: str) -> None:
    with pytest.raises(CheckError) as caught:
        Trial(tmp_path, REFUSED[what])
    said = "test_it: a check takes `host`, one argument named after a kind, `feed`, nothing else"
    assert said in str(caught.value)
    assert caught.value.message.startswith("the checks could not be run:\n")


def test_checks_that_were_changed_are_read_anew_and_others_are_not(tmp_path: Path) -> None:
    note = "\nimport pathlib\nwith pathlib.Path(__file__).with_suffix('.read').open('a') as file:\n"
    note += "    file.write('once\\n')\n"
    trial = Trial(tmp_path, {"zfs_arc": check("assert 1 == 1"), "samba_user": note})
    changed = tmp_path / "verify/test_zfs_arc.py"
    changed.write_text(changed.read_text().replace("1 == 1", "1 == 2"))
    again = inspect(trial.opened, [ARC, USER], probes=False)
    assert [trial.finding().verdict, *(one.verdict for one in again.findings if one.ref == ARC)] == [
        Verdict.HELD,
        Verdict.FAILED,
    ]
    assert (tmp_path / "verify/test_samba_user.read").read_text() == "once\n"


def test_a_module_of_checks_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckError) as caught:
        Trial(tmp_path, "def test_it(host:\n")
    assert "SyntaxError" in str(caught.value)


def test_ids_name_the_host_and_the_resource(tmp_path: Path) -> None:
    body = "import os\nassert os.environ['PYTEST_CURRENT_TEST'] == ''"
    finding = Trial(tmp_path, check(body)).finding()
    assert "::test_it[pve-pve] (call)" in finding.message


# --- orphans ----------------------------------------------------------------------------------------------


def owned(body: str) -> str:
    return check("assert 1 == 1", "samba_user") + f"def owned(host):\n    return {body}\n"


def test_what_we_made_and_is_declared_no_longer_is_an_orphan(tmp_path: Path) -> None:
    checks = {"samba_user": owned("set(host.run_expect([0], 'notes').stdout.split())")}
    trial = Trial(tmp_path, checks, {"notes": "heads tails"}, orphans=True)
    assert trial.seen.orphans() == [Ref("pve", "samba_user", "tails")]
    assert trial.fleet.asked == [("pve", [ASKED, MACHINE, "notes"])]


def test_a_host_without_the_tool_has_no_orphans(tmp_path: Path) -> None:
    checks = {"samba_user": owned("set(host.run_expect([0], 'nosuch').stdout.split())")}
    assert Trial(tmp_path, checks, orphans=True).seen.orphans() == []


# --- looks ------------------------------------------------------------------------------------------------

A, B, C = (Ref("pve", "kind", name) for name in "abc")
NEEDS = {A: (), B: (A,), C: (B,)}


def held(ref: Ref) -> Finding:
    return Finding(ref, "it", Verdict.HELD)


def test_a_chain_is_blocked_one_by_the_other() -> None:
    failed = Finding(A, "it", Verdict.FAILED, "it", {"it": Difference(1, 2)})
    found = looks([failed, held(B), held(C)], NEEDS, {})
    assert {ref: (look.status, look.blocked_by) for ref, look in found.items()} == {
        A: (Status.DRIFT, None),
        B: (Status.BLOCKED, A),
        C: (Status.BLOCKED, B),
    }


def test_what_was_not_looked_at_is_nothing_against_anybody() -> None:
    assert looks([held(C)], NEEDS, {}) == {C: Look(C, Status.OK)}


def test_unknown_counts_before_drift_and_drift_before_bad_health() -> None:
    unknown = Finding(A, "x", Verdict.UNKNOWN, "x: why")
    failed = Finding(A, "y", Verdict.FAILED, "y", {"y": Difference(1, 2)})
    probe = Finding(A, "z", Verdict.FAILED, "z: down", {"z": Difference(1, 2)}, probe=True)
    assert looks([unknown, failed, probe, unknown], NEEDS, {})[A] == Look(
        A, Status.UNKNOWN, reasons=("x: why",)
    )
    assert looks([failed, probe], NEEDS, {})[A] == Look(A, Status.DRIFT, Change({"y": Difference(1, 2)}))
    assert looks([probe], NEEDS, {})[A] == Look(A, Status.UNHEALTHY, reasons=("z: down",), probes=("z",))
    assert looks([Finding(A, "s", Verdict.SKIPPED)], NEEDS, {})[A].status is Status.OK


@pytest.mark.parametrize(
    ("look", "known"),
    [
        (Look(A, Status.OK), True),
        (Look(A, Status.DRIFT), True),
        (Look(A, Status.UNKNOWN), False),
        (Look(A, Status.BLOCKED), True),
        (Look(A, Status.BLOCKED, reasons=("why",)), False),
    ],
)
def test_whether_its_own_checks_could_tell(look: Look, known: bool) -> None:
    assert look.own_state_known is known
