"""The pytest plugin object that turns the modules of verify/ into the inspection of a site.

It parametrises checks by the kind they name, asks the questions of all checks in few round trips
before they run, and tells a failed check from one that could not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from .. import registry
from ..errors import GuestDownError
from ..resource import CREATE, Ref
from .around import Around
from .boots import Boot
from .checks import is_check
from .classify import NOTICE, UNKNOWN, Comparison, check_name, classify, key, marked
from .looks import Finding, Look, Status, Verdict, looks
from .sightings import Sightings
from .speculation import Call, Speculation

if TYPE_CHECKING:
    from testinfra.host import Host

    from ..config import Site
    from ..secrets import Text
    from .fleet import Fleet

EXTRA_OF_PROBES = frozenset({"site"})


class Inspector:
    """One inspection of the given resources: all state checks, and the probes if asked for.

    `quick` takes a check that held in speculation as held and leaves only the others to pytest.
    """

    def __init__(
        self,
        site: Site,
        fleet: Fleet,
        refs: Collection[Ref],
        *,
        probes: bool,
        known: Mapping[Ref, Look] | None = None,
        orphans: bool = False,
        quick: bool = False,
        before: Callable[[], bool] = lambda: True,
    ) -> None:
        self._site = site
        self.fleet = fleet
        self._probes = probes
        self._quick = quick
        self._before = before
        self.findings: list[Finding] = []
        self._known = known or {}
        wanted = set(refs)
        self._resources = {ref: resource for ref, resource in site.resources.items() if ref in wanted}
        self._kinds = {ref.kind for ref in self._resources}
        self._refs = {id(resource): ref for ref, resource in self._resources.items()}
        self._places = {ref: n for n, ref in enumerate(site.resources)}
        self._states = self._uses = Speculation(fleet, ())
        self._sightings = Sightings(site, fleet, orphans=orphans)
        self._needed: dict[Ref, tuple[Ref, ...]] = {}
        self._there = {ref for ref, look in self._known.items() if not look.change.creates}
        self._comparison: Comparison | None = None
        self._not_held: set[Ref] = set()
        self._around = Around(site, self._refs)

    def looks(self) -> dict[Ref, Look]:
        """Return what was found, one look for each resource; one that no check looked at is unknown."""
        looked = {finding.ref for finding in self.findings}
        missed = [ref for ref in self._resources if ref not in looked]
        unknown = [Finding(ref, "", Verdict.UNKNOWN, "no check looked at it") for ref in missed]
        found = [*self.findings, *unknown]
        return looks(found, self._site.needs, self._known, self._sightings.seen, self._site.only_to_make)

    def orphans(self) -> list[Ref]:
        """Return what we made on the hosts and is declared no longer."""
        return self._sightings.undeclared()

    def boots(self) -> dict[str, Boot]:
        """Return what nodes say of their boot, when orphans were looked for as well."""
        return self._sightings.boots

    def notices(self) -> dict[str, tuple[str, ...]]:
        """Return what is worth knowing of nodes themselves, when orphans were looked for as well."""
        return self._sightings.notices()

    # Collection: which checks, for which resources, in which order.

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> list[pytest.Item] | None:
        """Of a kind of which nothing is looked at, take what its module tells besides; make no tests."""
        return [] if name.startswith("test_") and self.learned(collector) else None

    def learned(self, module: pytest.Collector) -> bool:
        """Take what a module tells besides its checks when none of those is wanted; whether that is so."""
        kind = module.path.stem.removeprefix("test_")
        if kind in self._kinds or kind not in registry.homes() or not is_check(module.path):
            return False
        self._sightings.learn(kind, module.obj)  # type: ignore[attr-defined]  # it is a pytest.Module
        return True

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a check once for every resource of the kind its argument names."""
        if not is_check(metafunc.definition.path):
            return
        kinds = [name for name in metafunc.fixturenames if name in registry.homes()]
        probe = metafunc.definition.get_closest_marker("probe") is not None
        extra = (
            set(metafunc.fixturenames)
            - set(kinds)
            - {"host", "request", "feed"}
            - (EXTRA_OF_PROBES if probe else set())
        )
        if len(kinds) != 1 or extra:
            allowed = "`host`, one argument named after a kind" + ", `feed`" + (", `site`" if probe else "")
            pytest.fail(f"{metafunc.definition.nodeid}: a check takes {allowed}, nothing else", pytrace=False)
        self._sightings.learn(kinds[0], metafunc.module)
        chosen = [
            (f"{ref.host}-{ref.name}", resource)
            for ref, resource in self._resources.items()
            if ref.kind == kinds[0] and (resource.present or metafunc.function.__name__ == "test_present")
        ]
        metafunc.parametrize(kinds[0], [resource for _, resource in chosen], ids=[name for name, _ in chosen])

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order checks by what needs what, probes last; drop those without a resource."""
        for item in items:
            ref = self.ref(item)
            if ref is not None:
                item.user_properties.append(("resource", ref.full))
        items[:] = [
            item
            for item in items
            if not is_check(item.path)
            or (self.ref(item) is not None and (self._probes or not marked(item, "probe")))
        ]
        items.sort(key=self._order)

    def _order(self, item: pytest.Item) -> tuple[bool, int, int]:
        ref = self.ref(item)
        if ref is None:
            return (True, len(self._places), 0)
        rank = 0 if item.name.startswith("test_present[") else 1
        return (marked(item, "probe"), self._places[ref], rank)

    def ref(self, item: pytest.Item) -> Ref | None:
        """Return the resource a check is about."""
        callspec = getattr(item, "callspec", None)
        for value in callspec.params.values() if callspec else ():
            if id(value) in self._refs:
                return self._refs[id(value)]
        return None

    # Asking: everything the checks will want to know, in few round trips.

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Run all checks speculatively: state checks, then the probes of what seems right."""
        if session.config.option.collectonly:
            return
        if not self._before():
            session.items = []
            return
        checks = [(item, ref) for item in session.items if (ref := self.ref(item)) is not None]
        hosts = {ref.host for _, ref in checks}
        if self._sightings.orphans:
            hosts |= set(self.fleet.hosts)
        self._states = Speculation(self.fleet, hosts)
        # probes get answers of their own: things may change while they are used
        self._uses = Speculation(self.fleet, hosts, before=self._states)
        states = [(item, ref) for item, ref in checks if not marked(item, "probe", "precondition")]
        owners = self._sightings.calls(hosts, self._states)
        held = self._states.run([*self._calls(states, self._states), *owners])
        self._there |= {ref for item, ref in states if check_name(item) == "present" and key(item) in held}
        not_held = {ref for item, ref in states if key(item) not in held and not marked(item, "notice")}
        wrong: set[Ref] = set()
        for ref in self._resources:  # what is needed comes first
            if ref in not_held and not self._at_rest(ref, wrong):
                wrong.add(ref)
        differing = {ref: self._resources[ref] for ref in wrong}
        self.findings += self._sightings.see(differing, self._states)
        missing = [(item, ref) for item, ref in checks if marked(item, "precondition") and ref in wrong]
        self._states.run(self._calls(missing, self._states))
        ready = [
            (item, ref)
            for item, ref in checks
            if marked(item, "probe") and ref not in wrong and self._blocker(ref, wrong) is None
        ]
        held |= self._uses.run(self._calls(ready, self._uses))
        self._sightings.note_owned(hosts, self._states)
        if self._quick:
            self._take_as_held(session, checks, held, wrong)

    def _take_as_held(
        self, session: pytest.Session, checks: list[tuple[pytest.Item, Ref]], held: set[str], wrong: set[Ref]
    ) -> None:
        """Leave to pytest only the checks that raised: one that held would hold again on the same answers."""
        done = {key(item) for item, ref in checks if marked(item, "precondition") and ref not in wrong}
        for item, ref in checks:
            if key(item) in held:
                self.findings.append(
                    Finding(ref, check_name(item), Verdict.HELD, probe=marked(item, "probe"))
                )
        # nothing can be asked inside a guest that rightly does not run
        resting = [(item, ref) for item, ref in checks if ref not in wrong and self._at_rest(ref, wrong)]
        self.findings += [Finding(ref, check_name(item), Verdict.SKIPPED) for item, ref in resting]
        settled = held | done | {key(item) for item, _ in resting}
        session.items = [item for item in session.items if key(item) not in settled]

    def _calls(self, checks: list[tuple[pytest.Item, Ref]], speculation: Speculation) -> list[Call]:
        return [Call(ref.host, key(item), self._caller(item, ref, speculation)) for item, ref in checks]

    def _caller(self, item: pytest.Item, ref: Ref, speculation: Speculation) -> Callable[[], object]:
        """A call of the check's function as pytest would make it."""
        function: Callable[..., object] = item.obj  # type: ignore[attr-defined]  # every check is a Function
        given = {
            "host": speculation.host(ref.host),
            "feed": speculation.backend(ref.host).feed,
            "site": self._around,
            **item.callspec.params,  # type: ignore[attr-defined]
        }
        names = item._fixtureinfo.argnames  # type: ignore[attr-defined]
        return lambda: function(**{name: given[name] for name in names})

    # Running: fixtures, blocking, and what each outcome means.

    @pytest.fixture
    def host(self, request: pytest.FixtureRequest) -> Host:
        """Testinfra's host, answering from what was asked in batches."""
        ref = self.ref(request.node)
        assert ref is not None
        if (trouble := self.fleet.is_lost(ref.host)) is not None:
            raise trouble.with_traceback(None)  # else it grows with each check
        return (self._uses if marked(request.node, "probe") else self._states).host(ref.host)

    @pytest.fixture
    def feed(self, host: Host) -> Callable[[str, Text], Any]:
        """For probes: run a command with text, secrets among it, on its stdin."""
        feed: Callable[[str, Text], Any] = host.backend.feed
        return feed

    @pytest.fixture
    def site(self) -> Around:
        """For probes: the other declared resources."""
        return self._around

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what cannot be looked at: checks of a missing thing, probes of one that is not right."""
        ref = self.ref(item)
        if ref is None:
            return
        own = [finding for finding in self.findings if finding.ref == ref] if ref in self._not_held else []
        missing = any(f.check == "present" and f.verdict is Verdict.FAILED for f in own)
        if marked(item, "precondition"):
            if not missing or not self._resources[ref].present:
                pytest.skip("it exists")
        elif marked(item, "probe"):
            wrong = [f for f in own if f.verdict in (Verdict.FAILED, Verdict.UNKNOWN) and not f.probe]
            if wrong or self._blocker(ref, self._not_held):
                pytest.skip("blocked: the state is not right yet")
        elif missing:
            pytest.skip("blocked: it does not exist")

    def _blocker(self, ref: Ref, wrong: Collection[Ref]) -> Ref | None:
        """Something needed, directly or not, that is not right."""
        for need in self._all_needs(ref):
            known = self._known.get(need)
            if need in wrong or (need not in self._resources and known and known.status is not Status.OK):
                return need
        return None

    def _all_needs(self, ref: Ref) -> tuple[Ref, ...]:
        """Everything a resource needs, directly first."""
        if ref not in self._needed:
            made = self._site.only_to_make(ref) if ref in self._there else ()
            direct = [need for need in self._site.needs[ref] if need not in made]
            further = [deeper for need in direct for deeper in self._all_needs(need)]
            self._needed[ref] = tuple(dict.fromkeys([*direct, *further]))
        return self._needed[ref]

    @pytest.hookimpl
    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        """Keep both sides of the comparison that failed: the last one is the one that was raised."""
        self._comparison = Comparison(op, left, right)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:  # noqa: ARG002
        """Forget the comparisons of the check before."""
        self._comparison = None
        yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say what the outcome means: held, failed (drift), or unknown."""
        report = yield
        ref = self.ref(item)
        if ref is None or call.when == "teardown" or (call.when == "setup" and call.excinfo is None):
            return report
        finding = classify(item, ref, call, self._comparison)
        if call.excinfo is not None and call.excinfo.errisinstance(GuestDownError):
            finding = self._of_guest_that_is_down(ref, finding)
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: {finding.message}")
        elif finding.verdict is Verdict.NOTICE:
            report.user_properties.append((NOTICE, f"{ref.full}: {finding.message}"))
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: notice: {finding.message}")
        elif (
            finding.verdict is Verdict.UNKNOWN and (blocker := self._blocker(ref, self._not_held)) is not None
        ):
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: blocked by {blocker}: {finding.message}")
        elif finding.verdict is Verdict.UNKNOWN:
            item.user_properties.append((UNKNOWN, finding.message))
            report.user_properties.append((UNKNOWN, finding.message))
            report.longrepr = f"{ref.full}: unknown: {finding.message}"
        self.findings.append(finding)
        if finding.verdict in (Verdict.FAILED, Verdict.UNKNOWN):
            self._not_held.add(ref)
        return report

    def _of_guest_that_is_down(self, ref: Ref, finding: Finding) -> Finding:
        """What a check inside a guest means that does not run."""
        if self._at_rest(ref, self._not_held):
            return replace(finding, verdict=Verdict.SKIPPED)
        if self._blocker(ref, self._not_held) is None:
            return finding
        if finding.check == "present" and self._resources[ref].present:
            # nobody can look yet: what is planned is what would be run if all of it were missing
            return replace(finding, verdict=Verdict.FAILED, differences=CREATE.attributes)
        return replace(finding, verdict=Verdict.SKIPPED)

    def _at_rest(self, ref: Ref, wrong: set[Ref]) -> bool:
        """Whether a resource is in a guest that does not run, and rightly so: nothing is wrong with it."""
        if not isinstance(self._states.backend(ref.host).trouble, GuestDownError):
            return False
        resources = self._site.resources
        guests = [need for need in self._site.needs[ref] if resources[need].inhabited]
        return any(resources[guest].rests for guest in guests) and not wrong.intersection(guests)
