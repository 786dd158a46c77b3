"""No check that cannot fail, and none that takes what it could not ask for a failure. For every kind."""

import itertools

import pytest

from phoenix_hypervisor import registry
from phoenix_hypervisor.inspect.looks import Verdict
from phoenix_hypervisor.inspect.looks import Finding
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.resource import Kind
from tests.contract.answers import ENOUGH, NOT_FOUND, Answers, Trial, checks, marks
from tests.contract.ground import HOST


@pytest.fixture(scope="module")
def trials():
    """Trials on a life's scenes; their connections are closed at the end."""
    fleets: list[Fleet] = []

    def begin(life, chapter, settings):
        scene = getattr(life, chapter).scene
        site = scene.declare(life.sections(settings))
        fleets.append(Fleet(site.inventory, scene.folder))
        answers = Answers(fleets[-1].transport(HOST))
        return Trial(site, life.ref, registry.homes()[life.ref.kind].verify, answers)

    yield begin
    for fleet in fleets:
        fleet.close()


def pytest_generate_tests(metafunc):
    if "check" in metafunc.fixturenames:
        found = [
            (kind, check) for kind, home in registry.homes().items() for check in checks(home.verify)
        ]
        metafunc.parametrize(("kind_of_check", "check"), found, ids=[f"{k}-{c}" for k, c in found])


def settled(lives, trials, kind_of_check, check):
    """Trials of a check where it should hold: on every node the kind's samples are applied to."""
    from phoenix_hypervisor.observe.kinds_page import sets

    for number in range(len(sets(registry.kind(kind_of_check)))):
        life = lives(kind_of_check, number)
        if "precondition" in marks(checks(registry.homes()[kind_of_check].verify)[check]):
            yield trials(life, "missing", life.samples.first)
        else:
            yield trials(life, "first", life.samples.first)
            yield trials(life, "second", life.samples.second)


def test_each_check_holds_on_a_right_node_and_fails_on_one_that_answers_otherwise(
    lives, trials, kind_of_check, check
):
    held, tried = 0, 0
    for trial in settled(lives, trials, kind_of_check, check):
        finding, questions = trial.questions_of(check)
        assert finding.verdict in (Verdict.HELD, Verdict.SKIPPED), finding.message
        held += finding.verdict is Verdict.HELD
        for _, other in itertools.islice(trial.altered(check, questions), ENOUGH):
            tried += 1
            if other.verdict is Verdict.FAILED:
                return
    assert held, f"{kind_of_check}: {check} is skipped with every sample: nothing shows that it works"
    pytest.fail(f"{kind_of_check}: {check} cannot fail: it did not under any of {tried} altered answers")


def test_a_check_whose_question_could_not_be_asked_is_unknown(lives, trials, kind_of_check, check):
    for trial in settled(lives, trials, kind_of_check, check):
        finding, questions = trial.questions_of(check)
        trial.answers.for_all = NOT_FOUND
        blind = trial.find(check)
        assert blind.verdict is (Verdict.UNKNOWN if questions else finding.verdict), blind.message
        trial.answers.for_all = None
        for question in questions:
            trial.answers.instead = {question: NOT_FOUND}
            assert trial.find(check).verdict is not Verdict.FAILED, question
        trial.answers.instead = {}


def test_every_setting_that_differs_shows_by_itself_and_is_named_in_the_plan(life, trials):
    """On a node that has one declaration, changing one setting of it towards the other is seen."""
    samples, unseen = life.samples, set()
    here = trials(life, "first", samples.first)
    named = life.drift.attributes(life.ref)
    fields = [name for name in {**samples.first, **samples.second} if _differs(samples, name)]
    assert fields
    for name in fields:
        found = _drift(here, life.resource(_with(samples.first, samples.second, name)))
        assert found <= named, f"{name}: {found - named} is not in the plan"
        if not found and _drift(here, life.resource(samples.second)) == _drift(
            here, life.resource(_with(samples.second, samples.first, name))
        ):
            unseen.add(name)
    assert unseen == set()


def _differs(samples, name):
    nothing = object()
    return samples.first.get(name, nothing) != samples.second.get(name, nothing)


def _with(settings, other, name):
    """The settings with one of them as the other declaration has it, which may be: not at all."""
    left = {key: value for key, value in settings.items() if key != name}
    return {**left, name: other[name]} if name in other else left


def _drift(trial: Trial, resource: Kind) -> frozenset[str]:
    """Names of what the state checks find to differ."""
    names = [name for name, check in checks(trial.path).items() if not marks(check) & {"probe", "precondition"}]
    findings: list[Finding] = [trial.find(name, resource) for name in names]
    return frozenset(name for finding in findings for name in finding.differences)
