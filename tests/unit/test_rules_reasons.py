"""The why of each rule is said in one place: in the code, from which the verb and the page have it."""

import re
from pathlib import Path

import pytest
from tests.packaging import documents
from tests.unit.test_cli import call

from phoenix_hypervisor.config.rules import reasons
from phoenix_hypervisor.config.rules.reasons import RULES

Capture = pytest.CaptureFixture[str]
SOURCE = Path(reasons.__file__).parents[2]


def test_the_page_of_rules_says_the_same() -> None:
    rows = documents.table((documents.PROJECT / "docs/rules.md").read_text(), "| rule | refused")
    warning = {True: "(a warning) ", False: ""}
    said = [[one.id, warning[one.warning] + one.refused, one.why, one.advice] for one in RULES.values()]
    assert said == rows


def test_every_rule_of_the_code_has_its_why_and_every_why_a_rule() -> None:
    # those of the predecessor's files have theirs in adopt/legacy/defects.py
    others = [
        path for path in SOURCE.rglob("*.py") if path != Path(reasons.__file__) and "legacy" not in path.parts
    ]
    named = {rule for path in others for rule in re.findall(r'"(V-\d\d)"', path.read_text(encoding="utf-8"))}
    assert sorted(named) == [*RULES]


def test_what_is_a_warning_in_the_code_is_one_here() -> None:
    """A rule's problem is a warning where the call that makes it says so."""
    others = [path for path in (SOURCE / "config/rules").glob("*.py") if path != Path(reasons.__file__)]
    text = "".join(path.read_text(encoding="utf-8") for path in others)
    assert re.search(r'"V-33"[^()]*warning=True', text)
    for rule in RULES.values():
        made = re.findall(rf'"{rule.id}"([^()]*)\)', text)
        assert any("warning=True" in rest for rest in made) == rule.warning or not made, rule.id


def test_the_verb_explains_a_rule_without_a_site(tmp_path: Path, capsys: Capture) -> None:
    rule = RULES["V-20"]
    said = f"V-20: {rule.refused}\n  why: {rule.why}\n  what to do: {rule.advice}\n"
    assert call(capsys, "--site", tmp_path, "validate", "--explain", "v-20") == (0, said, "")
    assert call(capsys, "validate", "--explain", "V-33")[1].startswith("V-33, a warning: ")


def test_a_rule_that_there_is_not_is_wrong_usage(capsys: Capture) -> None:
    said = f"error: no rule `V-2`\n  hint: known: {', '.join(RULES)}\n"
    assert call(capsys, "validate", "--explain", "v-2") == (64, "", said)
