"""The why of each rule is said in one place: in the code, from which the verb and the page have it."""

import re
from pathlib import Path

import pytest
from tests.packaging import documents
from tests.unit.test_cli import call

from phoenix_hypervisor.adopt.legacy import defects
from phoenix_hypervisor.config.rules import reasons, settled
from phoenix_hypervisor.config.rules.reasons import RULES
from phoenix_hypervisor.config.rules.settled import SETTLED

Capture = pytest.CaptureFixture[str]
SOURCE = Path(reasons.__file__).parents[2]


def test_the_page_of_rules_says_the_same() -> None:
    rows = documents.table((documents.PROJECT / "docs/rules.md").read_text(), "| rule | refused")
    warning = {True: "(a warning) ", False: ""}
    said = [[one.id, warning[one.warning] + one.refused, one.why, one.advice] for one in RULES.values()]
    assert said == rows


def test_every_rule_of_the_code_has_its_why_and_every_why_a_rule() -> None:
    # those of the predecessor's files have theirs in adopt/legacy/defects.py
    tables = (Path(reasons.__file__), Path(settled.__file__))
    others = [path for path in SOURCE.rglob("*.py") if path not in tables and "legacy" not in path.parts]
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


IDS = [f"V-{number:02}" for number in range(1, 51)]


@pytest.mark.parametrize("rule", IDS)
def test_of_every_known_defect_the_verb_says_what_becomes_of_it(rule: str, capsys: Capture) -> None:
    """Either a site is refused or warned for it, or it says why no site can have it."""
    status, said, wrong = call(capsys, "validate", "--explain", rule)
    assert (status, wrong) == (0, "")
    if rule in RULES:
        assert f"\n  why: {RULES[rule].why}\n  what to do: " in said
    else:
        assert said.startswith(f"{rule}, no rule of a site's: {SETTLED[rule].defect}\n  why: ")
        assert ("`phoenix import legacy` finds it: " in said) == (rule in defects.REASONS)


def test_the_page_says_the_same_of_those_without_a_rule() -> None:
    rows = documents.table((documents.PROJECT / "docs/rules.md").read_text(), "| id | what was wrong")
    assert [[one.id, one.defect, one.why] for one in SETTLED.values()] == rows


def test_a_rule_that_there_is_not_is_wrong_usage(capsys: Capture) -> None:
    said = f"error: no rule `V-2`\n  hint: known: {', '.join(RULES)}\n"
    assert call(capsys, "validate", "--explain", "v-2") == (64, "", said)
