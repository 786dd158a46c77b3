"""What every kind does on a node: make, leave alone, find, repair, let go. Nothing here knows any kind."""

import pytest
from tests.contract.ground import Canary

from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.inspect.looks import Status, Verdict


def test_what_the_sample_needs_can_be_made(life):
    assert (life.around.run.code, life.around.run.plan.orphans) == (ExitCode.OK, ())


def test_a_node_without_the_thing_fails_test_present_and_the_plan_makes_it(life):
    found = {finding.check: finding.verdict for finding in life.own(life.missing.run)}
    assert (found["present"], life.missing.run.code) == (Verdict.FAILED, ExitCode.PENDING)
    assert life.missing.run.steps
    assert life.missing.run.acts == []


def test_the_first_declaration_is_made_and_verified_with_what_the_plan_said(life):
    chapter = life.first
    ran = [ran.title for ran in chapter.run.outcome.ran if ran.ref == life.ref]
    assert (chapter.run.code, chapter.run.outcome.stuck) == (ExitCode.OK, {})
    assert life.look(chapter.run).status is Status.OK
    assert sorted(ran) == sorted(life.missing.run.steps)


@pytest.mark.parametrize("chapter", ["first", "second", "back"])
def test_a_second_apply_acts_not_at_all(life, chapter):
    again = getattr(life, chapter).again
    assert (again.code, again.steps, again.acts) == (ExitCode.OK, [], [])


def test_the_second_declaration_is_drift_that_the_plan_repairs_and_nothing_else_is(life):
    if life.fixed:
        pytest.skip("nothing of it can be changed")
    assert life.drift.code is ExitCode.PENDING
    assert [entry.ref for entry in life.drift.plan.entries] == [life.ref]
    assert life.drift.attributes(life.ref)
    assert "present" not in life.drift.attributes(life.ref)


@pytest.mark.parametrize("chapter", ["second", "back"])
def test_drift_is_repaired_both_ways(life, chapter):
    if life.fixed:
        pytest.skip("nothing of it can be changed")
    run = getattr(life, chapter).run
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    assert run.acts
    assert {ran.ref for ran in run.outcome.ran} == {life.ref}


def test_a_difference_that_is_never_repaired_is_said_and_nothing_is_done(life, tmp_path):
    for number, settings in enumerate(life.samples.refused):
        scene, _ = life.begin(f"refused-{number}", life.first.scene, {**life.samples.first, **settings})
        run = scene.run(apply=True, orphans=False)
        entry = next(entry for entry in run.plan.entries if entry.ref == life.ref)
        assert (run.code, run.acts, entry.steps) == (ExitCode.FAILED, [], ())
        assert {refusal.attribute for refusal in entry.refusals} <= set(entry.look.change.attributes)
        assert entry.refusals


def test_taken_out_of_the_files_it_is_reported_as_an_orphan_and_left_alone(life):
    assert life.orphan.orphans == [life.ref]
    assert (life.orphan.code, life.orphan.steps) == (ExitCode.OK, [])


def test_prune_removes_an_orphan_or_says_why_it_stays(life):
    chapter = life.pruned
    if life.lasting:
        assert (chapter.run.code, chapter.run.acts) == (ExitCode.FAILED, [])
        assert [entry.ref for entry in chapter.run.plan.entries if entry.refusals] == [life.ref]
        return
    assert chapter.run.acts
    assert (chapter.again.orphans, chapter.again.acts, chapter.again.code) == ([], [], ExitCode.OK)


def test_prune_destroys_nothing_that_was_not_named(life):
    if not life.destroys:
        pytest.skip("its removal destroys nothing")
    run = life.pruned_without_consent
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert f"--allow-destroy {life.ref}" in run.shown


def test_what_was_not_made_by_us_is_no_orphan_and_stays(life):
    assert (life.foreign.run.orphans, life.foreign.run.acts) == ([], [])


def test_declared_absent_it_goes_and_stays_away(life):
    if not life.kind.can_be_absent:
        pytest.skip("it cannot be declared absent")
    chapter = life.absent
    assert (chapter.run.code, chapter.run.outcome.stuck) == (ExitCode.OK, {})
    assert [(f.check, f.verdict) for f in life.own(chapter.again)] == [("present", Verdict.HELD)]
    assert (chapter.again.code, chapter.again.acts) == (ExitCode.OK, [])


def test_declared_absent_it_is_not_destroyed_without_consent(life):
    if not (life.kind.can_be_absent and life.destroys):
        pytest.skip("nothing is destroyed")
    run = life.absent_without_consent
    assert (run.code, run.acts) == (ExitCode.FAILED, [])
    assert f"--allow-destroy {life.ref}" in run.shown


def test_a_kind_that_can_be_absent_can_be_removed(life):
    assert not (life.kind.can_be_absent and life.lasting)


def test_without_its_tools_nothing_is_taken_for_drift_and_nothing_is_done(life):
    """What is read from files may still be found to differ; what a lost tool was asked is unknown."""
    run = life.blind.run
    with_tools = {finding.check: finding.verdict for finding in life.own(life.drift)}
    for finding in life.own(run):
        # a notice that could not be asked for says just that
        harmless = (Verdict.UNKNOWN, Verdict.SKIPPED, Verdict.NOTICE)
        assert finding.verdict in (*harmless, with_tools.get(finding.check))
    if Verdict.UNKNOWN in {finding.verdict for finding in run.findings}:
        assert (run.code, run.acts) == (ExitCode.UNKNOWN, [])


def test_no_secret_is_shown_or_written_down(life):
    chapters = [life.missing, life.first, life.second, life.back]
    shown = "".join(run.shown for c in chapters for run in (c.run, c.again) if run)
    acts = "".join(act for c in chapters for run in (c.run, c.again) if run for act in run.acts)
    assert Canary.value("").decode() not in shown + acts
