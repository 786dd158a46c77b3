"""What a command says while it runs: cut into lines, without marks, escapes and secrets; and what is left."""

import pytest

from phoenix_hypervisor.secrets import Secret, Text, Unopened
from phoenix_hypervisor.transport.hearing import LONGEST, Hearing, settled


def heard(*chunks: bytes, stdin: Text | None = None) -> list[str]:
    told: list[str] = []
    hearing = Hearing(told.append, stdin)
    for chunk in chunks:
        hearing(chunk)
    return told


def test_lines_and_what_overwrites_itself_are_told_as_they_end() -> None:
    assert heard(b"Get:1 one\n5 of 3", b"00 s\r\r6 of 300 s\r", b"not yet") == [
        "Get:1 one",
        "5 of 300 s",
        "6 of 300 s",
    ]


def test_marks_escapes_and_what_cannot_be_printed_are_left_out() -> None:
    assert heard(b"\x1e5f 0\n\x1b[2K\x1b[1m45 %\x1b[0m\tof\xff\x07 it\n \n") == ["45 % of\ufffd it"]


class Store(Unopened):
    """One value for every name."""

    def value(self, name: str) -> bytes:
        return b"hunter2"


def test_a_secret_that_is_repeated_is_told_by_its_name() -> None:
    secret = Secret("token", Store())
    assert heard(b"bad token hun", b"ter2\n", stdin=Text(secret)) == [f"bad token {secret}"]


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    assert [len(line) for line in heard(b"x" * 10 * LONGEST, b"\n")] == [LONGEST]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (b"1 of 9 s\r2 of 9 s\rready\n", b"ready\n"),
        (b"windows\r\nlines\r\n", b"windows\nlines\n"),
        (b"first\n10 %\r20 %\r", b"first\n"),
        (b"as it is", b"as it is"),
    ],
)
def test_what_was_overwritten_is_not_left(said: bytes, left: bytes) -> None:
    assert settled(said) == left
