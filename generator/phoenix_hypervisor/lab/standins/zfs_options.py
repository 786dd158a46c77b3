"""Command lines as GNU getopt reads them, and the one exception a refusing tool ends with."""

import signal

import model
from hints import Iterable


class RefusedError(Exception):
    """The tool says no: what it prints on stderr (complete, without the last newline) and its status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def finish_what_was_begun() -> None:
    """Ignore the signals of a closed terminal or an impatient caller: a kernel would finish its work too."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


class Options:
    """What was given: single letters (or long names) with their values, and the words that remain."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []
        self.rest: list[str] = []

    def __contains__(self, name: str) -> bool:
        return any(given == name for given, _ in self.pairs)

    def every(self, name: str) -> list[str]:
        return [value for given, value in self.pairs if given == name]

    def last(self, name: str, default: str = "") -> str:
        values = self.every(name)
        return values[-1] if values else default


def parse(tool: str, argv: list[str], letters: str, long: Iterable[str] = ()) -> Options:
    """Split `argv`; a letter followed by a colon takes a value, a long name ending in `=` too.

    An option the lab does not know ends loudly: the real tool may well have it.
    """
    found = Options()
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            found.rest += words
            break
        if word.startswith("--"):
            _long(tool, argv, word[2:], words, set(long), found)
        elif word.startswith("-") and word != "-":
            _letters(tool, argv, word[1:], words, letters, found)
        else:
            found.rest.append(word)
    return found


def _long(tool: str, argv: list[str], word: str, words: list[str], known: set[str], found: Options) -> None:
    name, equals, value = word.partition("=")
    if name in known and not equals:
        found.pairs.append((name, ""))
    elif name + "=" in known and (equals or words):
        found.pairs.append((name, value if equals else words.pop(0)))
    else:
        model.not_simulated(tool, argv)


def _letters(tool: str, argv: list[str], word: str, words: list[str], letters: str, found: Options) -> None:
    while word:
        letter, word = word[0], word[1:]
        at = letters.find(letter)
        if at < 0 or letter == ":":
            model.not_simulated(tool, argv)
        if letters[at + 1 : at + 2] != ":":
            found.pairs.append((letter, ""))
            continue
        if not word and not words:
            model.not_simulated(tool, argv)
        found.pairs.append((letter, word or words.pop(0)))
        word = ""
