"""The pytest plugin object that turns the modules of verify/ into the inspection of a site.

It parametrises checks by the kind they name, asks the questions of all checks in few round trips
before they run, and tells a failed check from one that could not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .. import registry
from ..resource import Kind, Ref
from .backend import BatchBackend, Unanswered, host_of
from .classify import UNKNOWN, Comparison, classify
from .looks import Finding, Look, Verdict, looks

if TYPE_CHECKING:
    from testinfra.host import Host

    from ..config import Site
    from ..secrets import Text
    from .fleet import Fleet

EXTRA_OF_PROBES = frozenset({"feed", "site"})


class Around:
    """The `site` a probe may ask for: other declared resources of the same host."""

    def __init__(self, site: Site, refs: Mapping[int, Ref]) -> None:
        self._site = site
        self._refs = refs

    def resource(self, beside: Kind, ref: str) -> Kind:
        """Return the resource `kind:name` declared on the host of another one."""
        kind, _, name = ref.partition(":")
        return self._site.resources[Ref(self._refs[id(beside)].host, kind, name)]


class Inspector:
    """One inspection of the given resources: all state checks, and the probes if asked for."""

    def __init__(
        self,
        site: Site,
        fleet: Fleet,
        refs: Collection[Ref],
        *,
        probes: bool,
        known: Mapping[Ref, Look] | None = None,
        orphans: bool = False,
    ) -> None:
        self._site = site
        self.fleet = fleet
        self.probes = probes
        self.findings: list[Finding] = []
        self.owned: dict[tuple[str, str], set[str]] = {}
        """(host, kind) → names of what we made there, where that could be told."""
        self._known = known or {}
        self._resources = {ref: site.resources[ref] for ref in site.resources if ref in set(refs)}
        self._refs = {id(resource): ref for ref, resource in self._resources.items()}
        self._places = {ref: n for n, ref in enumerate(site.resources)}
        self._hosts: dict[str, tuple[Host, BatchBackend]] = {}
        self._owners: dict[str, Callable[[Host], set[str]]] | None = {} if orphans else None
        self._comparison: Comparison | None = None
        self._not_held: set[Ref] = set()
        self._probing = False
        self._around = Around(site, self._refs)

    def looks(self) -> dict[Ref, Look]:
        """Return what was found, one look for each resource."""
        return looks(self.findings, self._site.needs, self._known)

    def orphans(self) -> list[Ref]:
        """Return what we made on the hosts and is declared no longer."""
        declared = {(ref.host, ref.kind, ref.name) for ref in self._site.resources}
        found = [
            Ref(host, kind, host if registry.kind(kind).singleton else name)
            for (host, kind), names in sorted(self.owned.items())
            for name in sorted(names)
        ]
        return [ref for ref in found if ref not in declared]

    # Collection: which checks, for which resources, in which order.

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a check once for every resource of the kind its argument names."""
        if not is_check(metafunc.definition.path):
            return
        kinds = [name for name in metafunc.fixturenames if name in registry.homes()]
        probe = metafunc.definition.get_closest_marker("probe") is not None
        extra = (
            set(metafunc.fixturenames)
            - set(kinds)
            - {"host", "request"}
            - (EXTRA_OF_PROBES if probe else set())
        )
        if len(kinds) != 1 or extra:
            allowed = "`host`, one argument named after a kind" + (", `feed` and `site`" if probe else "")
            pytest.fail(f"{metafunc.definition.nodeid}: a check takes {allowed}, nothing else", pytrace=False)
        if self._owners is not None and hasattr(metafunc.module, "owned"):
            self._owners[kinds[0]] = metafunc.module.owned
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
            or (self.ref(item) is not None and (self.probes or item.get_closest_marker("probe") is None))
        ]
        items.sort(key=self._order)

    def _order(self, item: pytest.Item) -> tuple[bool, int, int]:
        ref = self.ref(item)
        if ref is None:
            return (True, len(self._places), 0)
        rank = 0 if item.name.startswith("test_present[") else 1
        return (item.get_closest_marker("probe") is not None, self._places[ref], rank)

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
        """Ask the questions of all state checks before the first one runs."""
        if session.config.option.collectonly:
            return
        wanted = [(item, ref) for item in session.items if (ref := self.ref(item)) is not None]
        hosts = {ref.host for _, ref in wanted} | (
            set(self.fleet.hosts) if self._owners is not None else set()
        )
        self._hosts = {name: host_of(name, self.fleet) for name in sorted(hosts)}
        calls = {
            (ref.host, item.nodeid): self._caller(item)
            for item, ref in wanted
            if item.get_closest_marker("probe") is None
        }
        self._speculate(
            {**calls, **{(h, k): self._owner(h, k) for k in self._owners or () for h in self._hosts}}
        )
        for kind in self._owners or ():
            self._note_owned(kind)

    def _caller(self, item: pytest.Item) -> Callable[[], object]:
        """A call of the check's function as pytest would make it."""
        function: Callable[..., object] = item.obj  # type: ignore[attr-defined]  # every check is a Function
        ref = self.ref(item)
        assert ref is not None
        host, backend = self._hosts[ref.host]
        given = {"host": host, "feed": backend.feed, "site": self._around, **item.callspec.params}  # type: ignore[attr-defined]
        names = item._fixtureinfo.argnames  # type: ignore[attr-defined]
        return lambda: function(**{name: given[name] for name in names})

    def _owner(self, host: str, kind: str) -> Callable[[], object]:
        assert self._owners is not None
        function = self._owners[kind]
        return lambda: function(self._hosts[host][0])

    def _note_owned(self, kind: str) -> None:
        assert self._owners is not None
        for host in self._hosts:
            if host not in self.fleet.lost:
                try:
                    self.owned[host, kind] = set(self._owners[kind](self._hosts[host][0]))
                except Exception:  # noqa: S112  (a tool is missing: then we made nothing with it)
                    continue

    def _speculate(self, calls: Mapping[tuple[str, str], Callable[[], object]]) -> None:
        """Run calls until none stops at a question, asking all open questions of all hosts in between."""
        backends = {name: backend for name, (_, backend) in self._hosts.items()}
        waiting = list(calls.items())
        while waiting:
            for backend in backends.values():
                backend.speculating = True
            waiting = [(key, call) for key, call in waiting if key[0] not in self.fleet.lost and _stops(call)]
            for backend in backends.values():
                backend.speculating = False
            asking = [name for name, backend in backends.items() if backend.has_open_questions]
            if not asking:
                break
            self.fleet.run(lambda name: backends[name].ask_open(), asking, "ask")

    # Running: fixtures, blocking, and what each outcome means.

    @pytest.fixture
    def host(self, request: pytest.FixtureRequest) -> Host:
        """Testinfra's host, answering from what was asked in batches."""
        ref = self.ref(request.node)
        assert ref is not None
        if ref.host in self.fleet.lost:
            raise self.fleet.lost[ref.host]
        return self._hosts[ref.host][0]

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
        if item.get_closest_marker("precondition") is not None:
            if not missing or not self._resources[ref].present:
                pytest.skip("it exists")
        elif item.get_closest_marker("probe") is not None:
            self._before_probes(item)
            wrong = [f for f in own if f.verdict in (Verdict.FAILED, Verdict.UNKNOWN) and not f.probe]
            if wrong or self._blocker(ref):
                pytest.skip("blocked: the state is not right yet")
        elif missing:
            pytest.skip("blocked: it does not exist")

    def _before_probes(self, item: pytest.Item) -> None:
        """Once, before the first probe: ask the questions of all probes that will run, anew."""
        if self._probing:
            return
        self._probing = True
        for _, backend in self._hosts.values():
            backend.forget()
        ready = [
            probe
            for probe in item.session.items
            if probe.get_closest_marker("probe") is not None
            and (ref := self.ref(probe)) is not None
            and ref not in self._not_held
            and self._blocker(ref) is None
        ]
        self._speculate({(self._host_name(probe), probe.nodeid): self._caller(probe) for probe in ready})

    def _host_name(self, item: pytest.Item) -> str:
        ref = self.ref(item)
        assert ref is not None
        return ref.host

    def _blocker(self, ref: Ref) -> Ref | None:
        """Something needed, directly or not, that this inspection found not to be right."""
        for need in self._site.needs[ref]:
            known = self._known.get(need)
            if need in self._not_held or (
                need not in self._resources and known and known.status.value != "ok"
            ):
                return need
            further = self._blocker(need)
            if further:
                return further
        return None

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
        if finding.verdict is Verdict.UNKNOWN and (blocker := self._blocker(ref)) is not None:
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


def _stops(call: Callable[[], object]) -> bool:
    """Whether a speculative call stopped at a question nobody has answered yet."""
    try:
        call()
    except Unanswered:
        return True
    except Exception:
        return False
    return False


def is_check(path: Path) -> bool:
    """Whether a test file is a check: it lies in a verify/ folder."""
    return path.parent.name == "verify"
