"""What is said when something is wrong, and which status it ends with."""

from itertools import permutations

import pytest

from phoenix_hypervisor import errors
from phoenix_hypervisor.errors import ExitCode, InputError, PhoenixError, Problem, Where, did_you_mean
from phoenix_hypervisor.graph import Loop
from phoenix_hypervisor.process import Broken

PLACE = Where("configs/site.yaml", 3, 14)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("wrong"), "wrong"),
        (Problem("wrong", PLACE), "configs/site.yaml:3:14: wrong"),
        (Problem("wrong", hint="mend it"), "wrong\n  hint: mend it"),
        (Problem("wrong", rule="V-02"), "wrong [V-02]"),
        (
            Problem("wrong", PLACE, "mend it", "V-02", warning=True),
            "configs/site.yaml:3:14: warning: wrong [V-02]\n  hint: mend it",
        ),
    ],
)
def test_a_problem_is_its_place_what_is_wrong_its_rule_and_what_to_do(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_input_errors_come_in_file_order_each_once() -> None:
    problems = [
        Problem("d", Where("b", 1, 1)),
        Problem("c", Where("a", 10, 1)),
        Problem("b", Where("a", 9, 12)),
        Problem("a", Where("a", 9, 2)),
        Problem("b", Where("a", 9, 12)),
        Problem("no place"),
    ]
    error = InputError(problems)
    assert str(error) == "no place\na:9:2: a\na:9:12: b\na:10:1: c\nb:1:1: d"
    assert (error.message, len(error.problems)) == (str(error), 5)


STATUS = {
    "PhoenixError": 1,
    "InputError": 1,
    "SecretError": 1,
    "UsageError": 64,
    "HostError": 3,
    "GuestError": 3,
    "GuestDownError": 3,
    "CheckError": 3,
}
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PhoenixError)]


def test_every_error_has_its_exit_status_written_down_here() -> None:
    assert {kind.__name__: int(kind.code) for kind in KINDS} == STATUS


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not InputError])
def test_an_error_says_its_message_and_its_hint(kind: type[PhoenixError]) -> None:
    assert str(kind("it broke")) == "it broke"
    error = kind("it broke", hint="mend it")
    assert (error.message, error.hint, str(error)) == ("it broke", "mend it", "it broke\n  hint: mend it")


def test_a_broken_process_keeps_its_last_words() -> None:
    error = Broken("gone", b"bye")
    assert (str(error), error.stderr, error.code) == ("gone", b"bye", ExitCode.FAILED)


def test_a_loop_says_its_path() -> None:
    assert str(Loop(["a", "b", "a"])) == "a → b → a"


def test_over_several_nodes_one_wins_then_three_then_two() -> None:
    ranks = [ExitCode.FAILED, ExitCode.UNKNOWN, ExitCode.PENDING, ExitCode.OK]
    assert ExitCode.worst([]) == ExitCode.OK
    for chosen in permutations(ranks, 2):
        assert ExitCode.worst(chosen) == min(chosen, key=ranks.index)
    assert ExitCode.worst(iter(ranks)) == ExitCode.FAILED


def test_exit_statuses_are_as_documented() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "PENDING": 2,
        "UNKNOWN": 3,
        "USAGE": 64,
        "INTERRUPTED": 130,
    }


def test_the_nearest_word_is_suggested_and_nothing_far_away() -> None:
    assert did_you_mean("qouta", ["quota", "owner"]) == "did you mean `quota`?"
    assert did_you_mean("xyz", ["quota", "owner"]) == ""
    assert did_you_mean("xyz", []) == ""
