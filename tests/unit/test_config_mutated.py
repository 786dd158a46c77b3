"""Real files, damaged: every damage gives problems with a place or a site, and never a traceback.

Cases are numbered, and each number is one damage for ever: what a run finds, the next finds as well.
`make fuzz` tries other numbers; PHOENIX_FUZZ says from which to which.
"""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

from tests.unit import legacy_files

from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.files import read
from phoenix_hypervisor.config.json_reader import read_json
from phoenix_hypervisor.errors import InputError, Problem

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST, _, LAST = os.environ.get("PHOENIX_FUZZ", "0-10000").partition("-")
NUMBERS = range(int(FIRST), int(LAST))
WHOLE = 40
"""Of so many cases, one is read as part of a whole site; the others as files alone, which is quicker."""
STRANGE = (
    *(b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\r", b"\x85", b"\xe2\x80\xa8"),
    *(b"&a ", b"*a", b"<<: *a", b"!secret x", b"!secret", b"!!python/object:os.system x", b"!file ../../x"),
    *(b"{", b"}", b"[", b"]", b"? ", b": ", b"- ", b"|\n", b">-\n", b"---\n", b"...\n", b"%YAML 9.9\n"),
    *(b'"', b"'", b"#", b"~", b"null", b".nan", b"-.inf", b"1e999", b"0x", b"9" * 400, b"[" * 200),
    *(b"{a: " * 90, b"2026-13-45", b"\\u0000", b'"\\ud800"', b"a" * 20_000, b"name:", b"state: absent"),
)  # fmt: skip


def sources() -> dict[str, bytes]:
    """The reference site's own files; not the texts that `!file` names."""
    files = [*(REPOSITORY / "configs").rglob("*.yaml"), *(REPOSITORY / "inventory").rglob("*.yaml")]
    own = sorted(path for path in files if REPOSITORY / "configs" / "files" not in path.parents)
    return {str(path.relative_to(REPOSITORY)): path.read_bytes() for path in own}


FILES = sources()
NAMES = sorted(FILES)


def damaged(text: bytes, chance: random.Random) -> bytes:
    """Return a text with one to four damages."""
    for _ in range(chance.randint(1, 4)):
        text = chance.choice(DAMAGES)(text, chance)
    return text


def _cut(text: bytes, chance: random.Random) -> bytes:
    begin = chance.randint(0, len(text))
    return text[:begin] + text[begin + chance.randint(1, 40) :]


def _ended(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randint(0, len(text))]


def _inserted(text: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(STRANGE) + text[at:]


def _flipped(text: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(text) or 1)
    return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]


def _shuffled(text: bytes, chance: random.Random) -> bytes:
    lines = text.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _doubled(text: bytes, chance: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join([*lines[:at], lines[at], *lines[at:]])


def _indented(text: bytes, chance: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] = (
        chance.choice((b"  ", b" ", b"\t")) + lines[at] if chance.random() < 0.5 else lines[at].lstrip()
    )
    return b"\n".join(lines)


def _swapped_value(text: bytes, chance: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = chance.randrange(len(lines))
    key, colon, _ = lines[at].partition(b":")
    lines[at] = key + colon + b" " + chance.choice(STRANGE)
    return b"\n".join(lines)


def _of_another(text: bytes, chance: random.Random) -> bytes:
    other = FILES[chance.choice(NAMES)]
    begin = chance.randint(0, len(other))
    at = chance.randint(0, len(text))
    return text[:at] + other[begin : begin + chance.randint(1, 300)] + text[at:]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_cut, _ended, _inserted, _flipped, _shuffled, _doubled, _indented, _swapped_value, _of_another),
)


def test_a_damaged_file_has_a_tree_or_problems_with_places(tmp_path: Path) -> None:
    """All but every fortieth case: the readers alone."""
    without_place = []
    for number in (number for number in NUMBERS if number % WHOLE):
        chance = random.Random(number)
        name = chance.choice(NAMES)
        path = tmp_path / chance.choice(("a.yaml", "a.json"))
        path.write_bytes(damaged(FILES[name], chance))
        problems: list[Problem] = []
        tree = read(path, name, problems)
        if (tree is None) != any(not problem.warning for problem in problems) and tree is None:
            without_place.append((number, "nothing was said"))
        without_place += [(number, problem.message) for problem in problems if not problem.where]
    assert without_place == []


def test_a_site_with_a_damaged_file_loads_or_says_where_it_is_wrong(tmp_path: Path) -> None:
    for name, text in FILES.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    files = REPOSITORY / "configs" / "files"
    (tmp_path / "configs/files").symlink_to(files)
    wrong = []
    for number in (number for number in NUMBERS if not number % WHOLE):
        chance = random.Random(number)
        name = chance.choice(NAMES)
        (tmp_path / name).write_bytes(damaged(FILES[name], chance))
        try:
            load(tmp_path)
        except InputError as error:
            wrong += [(number, str(one)) for one in error.problems if not one.where and not _about_all(one)]
        (tmp_path / name).write_bytes(FILES[name])
    assert wrong == []
    assert load(tmp_path).resources


def _about_all(problem: Problem) -> bool:
    return "is not a site" in problem.message


def test_damaged_files_of_the_predecessor_are_imported_or_refused() -> None:
    good = {name: json.dumps(part, indent=1).encode() for name, part in legacy_files.good().items()}
    for number in (number for number in NUMBERS if number % WHOLE == 1):
        chance = random.Random(number)
        name = chance.choice(sorted(good))
        text = damaged(good[name], chance).decode(errors="replace")
        problems: list[Problem] = []
        tree = read_json(text, name, problems)
        assert tree is not None or problems
        if tree is not None:
            legacy_files.run({**legacy_files.good(), name: tree.plain()})
