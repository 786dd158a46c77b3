"""No check that cannot fail, and none that takes what it could not ask for a failure. For every kind."""

import itertools

import pytest
from tests.contract.answers import ENOUGH, NOT_FOUND, Answers, Trial, checks, marks

from phoenix_hypervisor import registry
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Verdict
from phoenix_hypervisor.observe.kinds_page import sets

SAYS_SO = (Verdict.FAILED, Verdict.NOTICE)
"""How a check ends that found what it looks for; a notice never says more than that."""


@pytest.fixture(scope="module")
def trials():
    """Trials on a life's scenes, each made once; their connections are closed at the end."""
    fleets: list[Fleet] = []
    known: dict[tuple[str, str], Answers] = {}
    begun: dict[tuple[str, str, str], Trial] = {}

    def begin(life, chapter, settings):
        scene = getattr(life, chapter).scene
        key = (str(scene.folder), life.ref.full)
        if (*key, repr(settings)) not in begun:
            site = scene.declare(life.sections(settings))
            if key not in known:
                fleets.append(Fleet(site.inventory, scene.folder, guests=site.guests.values()))
                known[key] = Answers(fleets[-1].transport(life.host))
            verify = registry.homes()[life.ref.kind].verify
            begun[*key, repr(settings)] = Trial(site, life.ref, verify, known[key])
        return begun[*key, repr(settings)]

    yield begin
    for fleet in fleets:
        fleet.close()


def pytest_generate_tests(metafunc):
    if "check" in metafunc.fixturenames:
        found = [(kind, check) for kind, home in registry.homes().items() for check in checks(home.verify)]
        metafunc.parametrize(("kind_of_check", "check"), found, ids=[f"{k}-{c}" for k, c in found])


def scenes(lives, trials, kind_of_check, check):
    """Yield trials of a check on the nodes where it should hold, and then on those where it may fail."""
    path = registry.homes()[kind_of_check].verify
    before = "precondition" in marks(checks(path)[check])
    for number in range(len(sets(registry.kind(kind_of_check)))):
        life = lives(kind_of_check, number)
        first, second = life.samples.first, life.samples.second
        right = [("missing", first)] if before else [("first", first), ("second", second)]
        wrong = [
            ("first", second),
            ("second", first),
            ("foreign", first),
            ("foreign", second),
            ("missing", first),
        ]
        wrong += [("first", {**first, **refused}) for refused in life.samples.refused]
        yield [trials(life, *one) for one in right], (trials(life, *one) for one in wrong)


def test_each_check_holds_on_a_right_node_and_fails_on_another(lives, trials, kind_of_check, check):
    """It fails on the node of another declaration, of a stranger, or on one with other answers."""
    held, tried, failed = 0, 0, False
    for right, wrong in scenes(lives, trials, kind_of_check, check):
        for trial in right:
            finding = trial.find(check)
            assert finding.verdict in (Verdict.HELD, Verdict.SKIPPED), finding.message
            held += finding.verdict is Verdict.HELD
        failed = failed or any(trial.find(check).verdict in SAYS_SO for trial in wrong)
        for trial in () if failed else right:
            _, questions = trial.questions_of(check)
            for _, other in itertools.islice(trial.altered(check, questions), ENOUGH):
                tried += 1
                failed = failed or other.verdict in SAYS_SO
                if failed:
                    break
    assert held, f"{kind_of_check}: {check} is skipped with every sample: nothing shows that it works"
    assert failed, f"{kind_of_check}: {check} cannot fail: it did not under any of {tried} altered answers"


def test_a_check_whose_question_could_not_be_asked_is_unknown(lives, trials, kind_of_check, check):
    for right, _ in scenes(lives, trials, kind_of_check, check):
        for trial in right:
            finding, questions = trial.questions_of(check)
            trial.answers.for_all = NOT_FOUND
            blind = trial.find(check)
            unknown = Verdict.NOTICE if "notice" in marks(checks(trial.path)[check]) else Verdict.UNKNOWN
            assert blind.verdict is (unknown if questions else finding.verdict), blind.message
            trial.answers.for_all = None
            for question in questions:
                trial.answers.instead = {question: NOT_FOUND}
                assert trial.find(check).verdict is not Verdict.FAILED, question
            trial.answers.instead = {}


def test_every_setting_that_differs_shows_by_itself_and_is_named_in_the_plan(life, tmp_path):
    """Of two declarations, each setting is changed alone, on a node that has the first."""
    first, second = life.samples.first, life.samples.second
    looked_at = [name for name in {**first, **second} if name not in life.kind.manners]
    fields = [name for name in looked_at if first.get(name, None) != second.get(name, None)]
    forth = {f"forth-{name.replace('_', '-')}": _with(first, second, name) for name in fields}
    less = {f"less-{name.replace('_', '-')}": _with(second, first, name) for name in fields}
    found = life.drift_of({"whole": second, **forth, **less}, tmp_path)
    named = set(found["whole"])
    assert named == life.drift.attributes(life.ref)
    further = {name: set(found[host]) - named for name, host in zip(fields, forth, strict=True)}
    assert {name for name, attributes in further.items() if attributes} == life.samples.alone
    seen = [
        name
        for name, alone, without in zip(fields, forth, less, strict=True)
        if found[alone] or found[without] != found["whole"]
    ]
    assert seen == fields


def _with(settings, other, name):
    """The settings with one of them as the other declaration has it, which may be: not at all."""
    left = {key: value for key, value in settings.items() if key != name}
    return {**left, name: other[name]} if name in other else left
