"""Checks run in memory on what a node answered, true or altered: does a check ever fail, and as what?

An alteration changes one answer of the node a little: a word, a line, the exit status. A check that
fails under none of them cannot fail at all.
"""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from phoenix_hypervisor import dialects
from phoenix_hypervisor.config import Site
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.backend import host_of
from phoenix_hypervisor.inspect.classify import classify
from phoenix_hypervisor.inspect.inspector import Around
from phoenix_hypervisor.inspect.looks import Finding
from phoenix_hypervisor.resource import Kind, Ref
from phoenix_hypervisor.transport import Answer, Question, Transport

Check = Callable[..., None]
WORD = re.compile(rb"[A-Za-z0-9_.@+-]+|[^\sA-Za-z0-9_.@+-]+")
OTHER_WORDS = (b"no", b"yes", b"0", b"1", b"inactive", b"disabled", b"none", b"x", b'"x"', b"9" * 15, b"")
SIGNS = string.ascii_letters.encode() + string.digits.encode()
NOT_FOUND = Answer(127, b"", b"sh: 1: it: not found\n")
READERS = tuple(
    importlib.import_module(f"{dialects.__name__}.{found.name}")
    for found in pkgutil.iter_modules(dialects.__path__)
)
FORGET = tuple(
    reader.cache_clear
    for module in READERS
    for reader in vars(module).values()
    if hasattr(reader, "cache_clear")
)
NAMES = 3
"""How many of the declaration's words are tried first: those of the resource's name."""
ENOUGH = 5_000
"""Alterations after which a check is given up on."""


@cache
def verify_module(path: Path) -> ModuleType:
    """The module of checks, loaded as plain Python: an assert is an assert."""
    spec = importlib.util.spec_from_file_location(f"contract_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checks(path: Path) -> dict[str, Check]:
    found = vars(verify_module(path))
    return {name: check for name, check in found.items() if name.startswith("test_") and callable(check)}


def marks(check: Check) -> set[str]:
    return {mark.name for mark in getattr(check, "pytestmark", ())}


class Answers:
    """A transport that asks the real one once for each question, and can be told to answer otherwise."""

    def __init__(self, real: Transport, most: int = 200) -> None:
        """`most` is how many different questions are asked before it is given up on."""
        self._real, self._most = real, most
        self.known: dict[Question, Answer] = {}
        self.asked: dict[Question, None] = {}
        self.instead: Mapping[Question, Answer] = {}
        self.for_all: Answer | None = None

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask what nobody has asked yet in one go: a guest is entered anew each time."""
        self.asked.update(dict.fromkeys(questions))
        if self.for_all is not None:
            return [self.for_all for _ in questions]
        told = {question: self.instead.get(question) for question in questions}
        new = [question for question, other in told.items() if other is None and question not in self.known]
        if new:
            if len(self.known) > self._most:
                raise HostError("altered answers lead to ever new questions")
            self.known.update(zip(new, self._real.ask(new), strict=True))
        return [told[question] or self.known[question] for question in questions]


class Trial:
    """One resource of a declared site, and its checks."""

    def __init__(self, site: Site, ref: Ref, path: Path, answers: Answers) -> None:
        self._site, self._ref, self.path = site, ref, path
        self.answers = answers

    def find(self, name: str, resource: Kind | None = None) -> Finding:
        """Run a check; how it ended, in the inspection's own words."""
        fleet: Any = SimpleNamespace(transport=lambda _: self.answers)
        host, backend = host_of(self._ref.host, fleet)
        check, about = checks(self.path)[name], resource or self._site.resources[self._ref]
        around = Around(self._site, {id(about): self._ref})
        given = {"host": host, "feed": backend.feed, "site": around, self._ref.kind: about}
        wanted = {word: given[word] for word in inspect.signature(check).parameters}
        call = pytest.CallInfo.from_call(lambda: check(**wanted), when="call")
        stand_in: Any = SimpleNamespace(
            name=name, path=self.path, obj=check, get_closest_marker=lambda mark: mark in marks(check) or None
        )
        return classify(stand_in, self._ref, call, None)

    def questions_of(self, name: str) -> tuple[Finding, list[Question]]:
        """Run a check on true answers; what it asked."""
        self.answers.asked.clear()
        finding = self.find(name)
        return finding, list(self.answers.asked)

    def altered(self, name: str, questions: Sequence[Question]) -> Iterator[tuple[str, Finding]]:
        """Run a check on one altered answer after the other; what was altered, and how it ended."""
        words = self._declared_words()
        for question, answer in _in_turns([self._others(question, words) for question in questions]):
            self.answers.instead = {question: answer}
            try:
                finding = self.find(name)
            finally:
                self.answers.instead = {}
                _forget_texts()
            yield f"`{question.command}` → {answer.status} {answer.stdout!r}", finding

    def _others(self, question: Question, words: Sequence[bytes]) -> Iterator[tuple[Question, Answer]]:
        for answer in alterations(self.answers.known[question], words):
            yield question, answer

    def _declared_words(self) -> list[bytes]:
        """Words of the declaration itself: what somebody else's thing of the same name would be called."""
        resource = self._site.resources[self._ref]
        text = " ".join(
            [self._ref.name, *(str(getattr(resource, name)) for name in type(resource).model_fields)]
        )
        return list(dict.fromkeys(WORD.findall(text.encode())))


def _forget_texts() -> None:
    """Readers remember every text they have read; of altered ones there are too many."""
    for forget in FORGET:
        forget()


def _in_turns(sources: Sequence[Iterator[Any]]) -> Iterator[Any]:
    left = list(sources)
    while left:
        for source in list(left):
            try:
                yield next(source)
            except StopIteration:
                left.remove(source)


def alterations(answer: Answer, words: Sequence[bytes] = ()) -> Iterator[Answer]:
    """Yield answers that differ a little: small and likely differences first."""
    yield answer._replace(status=0 if answer.status else 1)
    yield answer._replace(stdout=b"")
    yield answer._replace(stdout=answer.stdout + b"x\n")
    text = answer.stdout
    spans = [found.span() for found in WORD.finditer(text)]
    own = sorted({text[start:end] for start, end in spans})
    yield from (answer._replace(stdout=other) for other in _without_a_line(text))
    yield from (answer._replace(stdout=other) for other in _with_words(text, spans, words[:NAMES]))
    yield from (answer._replace(stdout=other) for other in _with_words(text, spans, OTHER_WORDS))
    further = [
        _with_words(text, spans, words),
        _with_a_line_more(text, spans),
        _with_signs(text),
        _with_words(text, spans, own),
    ]
    yield from (answer._replace(stdout=other) for other in _in_turns(further))


def _without_a_line(text: bytes) -> Iterator[bytes]:
    lines = text.splitlines(keepends=True)
    for number in range(len(lines)):
        yield b"".join(lines[:number] + lines[number + 1 :])


def _with_words(text: bytes, spans: Sequence[tuple[int, int]], words: Sequence[bytes]) -> Iterator[bytes]:
    for start, end in spans:
        for word in words:
            yield text[:start] + word + text[end:]


def _with_a_line_more(text: bytes, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """A line again at the end, with another word in it."""
    for start, end in spans:
        before, after = text.rfind(b"\n", 0, start) + 1, (text.find(b"\n", end) + 1) or len(text)
        for word in OTHER_WORDS:
            yield text + text[before:start] + word + text[end:after]


def _with_signs(text: bytes) -> Iterator[bytes]:
    for place in range(len(text)):
        for sign in SIGNS:
            yield text[:place] + bytes([sign]) + text[place + 1 :]
