"""The loop of an apply, on hosts that are small tables which change when they are acted on."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.site_files import NODE, POOL, loaded

from phoenix_hypervisor import registry
from phoenix_hypervisor.converge.engine import Engine, Outcome
from phoenix_hypervisor.converge.plan import Consent, build
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.looks import Status
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.kinds.zfs_dataset import ZfsDataset
from phoenix_hypervisor.resource import Change, Confirm, Difference, Ref, Step, run
from phoenix_hypervisor.secrets import Text
from phoenix_hypervisor.transport import Answer, Question
from phoenix_hypervisor.transport.hearing import Hear

CHECKS = """\
import pytest


def test_state(host, KIND):
    assert {'atime': host.run(f'see {KIND.name}').stdout} == {'atime': 'off'}


@pytest.mark.probe
def test_use(host, KIND):
    assert host.run(f'use {KIND.name}').rc == 0
"""
X, Y, XX = (Ref("pve", "zfs_dataset", f"tank/{name}") for name in ("x", "y", "x/x"))
EXPORT = Ref("pve", "nfs_export", "/tank/x")
ALL = "zfs_dataset: {tank/x: {atime: off}, tank/x/x: {atime: off}, tank/y: {atime: off}}\n"
WITH_EXPORT = ALL + "nfs_export: {/tank/x: {clients: {a: []}}}\n"


class Node:
    """A fleet of one host: what is wrong with it, and what acts do about that."""

    def __init__(self, wrong: Collection[str], ill: Collection[str] = ()) -> None:
        self.hosts = self.nodes = ["pve"]
        self.lost: dict[str, HostError] = {}
        self.wrong, self.ill = set(wrong), set(ill)
        self.acts: list[str] = []
        self.on: dict[str, Callable[[], Answer | None]] = {}
        """What happens instead at an act that begins with these words."""

    def run(self, work: Callable[[str], Any], hosts: Collection[str], name: str) -> dict[str, Any]:
        found = {}
        for host in hosts:
            try:
                found[host] = work(host)
            except HostError as error:
                self.lost[host] = error
        return found

    def transport(self, host: str) -> "Node":
        return self

    def trips(self) -> dict[str, int]:
        return {}

    def is_lost(self, host: str) -> HostError | None:
        return self.lost.get(host)

    def ask(self, asked: Mapping[str, Sequence[Question]]) -> dict[str, list[Answer]]:
        return {
            host: [self._answer(*question.command.split(" ", 1)) for question in questions]
            for host, questions in asked.items()
        }

    def _answer(self, verb: str, name: str) -> Answer:
        if verb == "use":
            return Answer(1 if name in self.ill else 0, b"", b"")
        return Answer(0, b"on" if name in self.wrong else b"off", b"")

    def act(self, command: str, stdin: Text | None = None, hear: Hear | None = None) -> Answer:
        self.acts.append(command if "\n" not in command else "push")
        for words, happens in self.on.items():
            if command.startswith(words):
                answer = happens()
                if answer is not None:
                    return answer
        self.wrong.discard(command.rsplit(" ", 1)[-1])
        return Answer(0, b"", b"")


def applied(
    folder: Path,
    node: Node,
    files: str = ALL,
    consent: Consent | None = None,
    targets: Collection[Ref] | None = None,
    orphans: Sequence[Ref] = (),
    stop_at: str = "",
    after: Mapping[Ref, tuple[Ref, ...]] | None = None,
) -> Outcome:
    site = replace(loaded(folder, {NODE: POOL + files}), after=dict(after or {}))
    (folder / "verify").mkdir()
    for kind in registry.homes():
        checks = CHECKS if kind in ("zfs_pool", "zfs_dataset", "nfs_export") else ""
        (folder / f"verify/test_{kind}.py").write_text(checks.replace("KIND", kind))
    opened = OpenSite(site, node)
    looks = inspect(opened, list(site.resources), probes=True).looks()
    plan = build(site, looks, orphans, consent)

    def tell(event: str, facts: Any) -> None:
        if event == "step" and stop_at and facts["title"].startswith(stop_at):
            engine.stop()

    engine = Engine(opened, plan, looks, consent or Consent(), tell, targets)
    return engine.run()


def statuses(outcome: Outcome) -> dict[str, str]:
    return {ref.name: look.status.value for ref, look in outcome.looks.items()}


def test_what_differs_is_repaired_and_looked_at_again(tmp_path: Path) -> None:
    node = Node({"tank/x"})
    outcome = applied(tmp_path, node)
    assert node.acts == ["zfs set atime=off tank/x"]
    assert [(ran.ref, ran.title, ran.status) for ran in outcome.ran] == [(X, "zfs set atime=off tank/x", 0)]
    assert (set(statuses(outcome).values()), outcome.stuck, outcome.code) == ({"ok"}, {}, 0)


def test_checks_of_one_site_are_not_taken_for_those_of_another(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    applied(tmp_path / "one", Node(set()))
    other = tmp_path / "other"
    site = loaded(other, {NODE: POOL + ALL})
    (other / "verify").mkdir()
    for kind in registry.homes():
        (other / f"verify/test_{kind}.py").write_text("")
    (other / "verify/test_zfs_dataset.py").write_text(
        "def test_never(host, zfs_dataset):\n    assert 1 == 2\n"
    )

    seen = inspect(OpenSite(site, Node(set())), [X], probes=True).looks()

    assert seen[X].change.attributes == {"never": Difference(1, 2)}


def test_nothing_to_do_is_nothing_done(tmp_path: Path) -> None:
    node = Node(())
    outcome = applied(tmp_path, node)
    assert (node.acts, outcome.ran, outcome.code) == ([], [], 0)


def test_what_waits_is_repaired_once_what_it_needs_is_right(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/x/x", "tank/y"})
    outcome = applied(tmp_path, node)
    assert node.acts == [
        *("zfs set atime=off tank/x", "zfs set atime=off tank/y", "zfs set atime=off tank/x/x"),
    ]
    assert outcome.code == 0


def test_what_stays_as_it_was_is_given_up_on_at_once(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    node.on["zfs set atime=off tank/x"] = lambda: Answer(0, b"done", b"")
    outcome = applied(tmp_path, node)
    assert node.acts == ["zfs set atime=off tank/x", "zfs set atime=off tank/y"]
    assert outcome.stuck == {X: "the same difference is there after its steps"}
    assert (statuses(outcome)["tank/x/x"], statuses(outcome)["tank/y"], outcome.code) == ("blocked", "ok", 1)


def test_a_step_that_fails_blocks_only_what_needs_it(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/x/x", "tank/y"})
    node.on["zfs set atime=off tank/x"] = lambda: Answer(5, b"", b"cannot\n") if len(node.acts) == 1 else None
    outcome = applied(tmp_path, node)
    assert node.acts == ["zfs set atime=off tank/x", "zfs set atime=off tank/y"]
    assert outcome.stuck == {X: "`zfs set atime=off tank/x` ended with 5: cannot"}
    assert (outcome.looks[XX].status, outcome.looks[Y].status) == (Status.BLOCKED, Status.OK)


def test_a_step_that_fails_although_it_did_its_work_is_fixed(tmp_path: Path) -> None:
    node = Node({"tank/x"})
    node.on["zfs set"] = lambda: node.wrong.discard("tank/x") or Answer(1, b"", b"lost my voice")
    outcome = applied(tmp_path, node)
    assert (outcome.stuck, outcome.code, outcome.ran[0].status) == ({}, 0, 1)


def test_what_keeps_changing_is_tried_three_times(tmp_path: Path) -> None:
    node = Node({"tank/x"})
    flavours = iter([b"one", b"two", b"three", b"four"])
    current = [b"on"]
    node._answer = lambda verb, name: Answer(  # type: ignore[method-assign]
        0, current[0] if (verb, name) == ("see", "tank/x") else b"off", b""
    )
    node.on["zfs set"] = lambda: current.__setitem__(0, next(flavours)) or Answer(0, b"", b"")
    outcome = applied(tmp_path, node)
    assert (len(node.acts), list(outcome.stuck), outcome.code) == (3, [X], 1)


def test_a_step_that_disturbs_more_than_the_plan_said_is_not_run(tmp_path: Path) -> None:
    node = Node({"tank/x"})
    node.on["zfs set"] = lambda: node.wrong.add("/tank/x")
    outcome = applied(tmp_path, node, WITH_EXPORT)
    assert node.acts == ["zfs set atime=off tank/x"]
    assert outcome.stuck == {EXPORT: "would need a step the plan did not announce: exportfs -ra: run again"}
    assert outcome.code == 1


def test_a_host_that_is_lost_on_the_way_is_unknown(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})

    def breaks() -> Answer:
        raise HostError("host `pve`: the connection broke")

    node.on["zfs set"] = breaks
    outcome = applied(tmp_path, node)
    assert len(node.acts) == 1
    assert (set(statuses(outcome).values()), list(outcome.lost), outcome.code) == ({"unknown"}, ["pve"], 3)
    assert outcome.looks[Y].reasons == ("host `pve`: the connection broke",)


def test_only_targets_are_changed(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    outcome = applied(tmp_path, node, targets={Y})
    assert node.acts == ["zfs set atime=off tank/y"]
    assert (statuses(outcome)["tank/x"], statuses(outcome)["tank/y"]) == ("drift", "ok")


def test_bad_health_is_healed_once(tmp_path: Path) -> None:
    node = Node((), {"/tank/x"})
    outcome = applied(tmp_path, node, WITH_EXPORT)
    assert len(node.acts) == 1
    assert "reload-or-restart nfs-server" in node.acts[0]
    assert (outcome.looks[EXPORT].status, outcome.code) == (Status.UNHEALTHY, 1)
    node.acts.clear()


def test_what_heals_is_well(tmp_path: Path) -> None:
    node = Node((), {"/tank/x"})
    node.on["sh -c"] = lambda: node.ill.clear()  # noqa: PLW0108
    outcome = applied(tmp_path, node, WITH_EXPORT)
    assert (statuses(outcome)["/tank/x"], outcome.stuck, outcome.code) == ("ok", {}, 0)


class Slow(Node):
    """A node on which what was changed last does not work at once."""

    late = 1
    """How often it still fails when it is tried."""

    def _answer(self, verb: str, name: str) -> Answer:
        if verb == "use" and name == "tank/x" and self.acts and self.late:
            self.late -= 1
            return Answer(1, b"", b"")
        return super()._answer(verb, name)


def test_what_waits_for_one_that_works_late_is_repaired_in_the_same_run(tmp_path: Path) -> None:
    node = Slow({"tank/x", "tank/x/x"})
    outcome = applied(tmp_path, node)
    assert node.acts == ["zfs set atime=off tank/x", "zfs set atime=off tank/x/x"]
    assert (set(statuses(outcome).values()), outcome.stuck, outcome.code) == ({"ok"}, {}, 0)


def test_what_waits_for_one_that_does_not_work_at_all_is_left(tmp_path: Path) -> None:
    node = Slow({"tank/x", "tank/x/x"})
    node.late = 1000
    outcome = applied(tmp_path, node)
    assert node.acts == ["zfs set atime=off tank/x"]
    assert (statuses(outcome)["tank/x"], statuses(outcome)["tank/x/x"], outcome.code) == (
        "unhealthy",
        "blocked",
        1,
    )


def test_stopping_ends_it_between_two_steps(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    outcome = applied(tmp_path, node, stop_at="zfs set atime=off tank/x")
    assert node.acts == ["zfs set atime=off tank/x"]
    assert outcome.stopped is True


def test_orphans_go_when_they_are_pruned_and_data_only_with_consent(tmp_path: Path) -> None:
    node = Node(())
    orphans = [Ref("pve", "samba_user", "old"), Ref("pve", "zfs_dataset", "tank/old")]
    outcome = applied(tmp_path, node, consent=Consent(prune=True), orphans=orphans)
    assert node.acts == ["smbpasswd -x old", "rm -f /var/lib/phoenix/made/samba_user/old"]
    assert list(outcome.stuck) == [orphans[1]]
    assert outcome.code == 1


def test_a_reload_of_many_runs_once_and_last(tmp_path: Path) -> None:
    node = Node({"/tank/x", "/tank/y"})
    node.on["exportfs"] = lambda: node.wrong.clear()  # noqa: PLW0108
    files = ALL + "nfs_export: {/tank/x: {clients: {a: []}}, /tank/y: {clients: {a: []}}}\n"
    outcome = applied(tmp_path, node, files)
    assert (node.acts, outcome.code) == (["exportfs -ra"], 0)


def test_a_resource_that_no_check_looks_at_is_unknown_and_so_is_not_touched(tmp_path: Path) -> None:
    site = loaded(tmp_path, {NODE: POOL + ALL})
    (tmp_path / "verify").mkdir()
    for kind in registry.homes():
        checks = CHECKS.replace("KIND", kind) if kind == "zfs_dataset" else ""
        (tmp_path / f"verify/test_{kind}.py").write_text(checks)

    seen = inspect(OpenSite(site, Node({"tank/x"})), list(site.resources), probes=True).looks()

    pool = seen[Ref("pve", "zfs_pool", "tank")]
    assert (pool.status, pool.reasons) == (Status.UNKNOWN, ("no check looked at it",))
    assert (seen[X].status, seen[X].blocked_by) == (Status.BLOCKED, pool.ref)


# --- steps that may cut us off ----------------------------------------------------------------------------


class Cut(Node):
    """A node that may not be reached by a new connection."""

    def __init__(self, reached: bool) -> None:
        super().__init__({"tank/x"})
        self.reached = reached
        self.afresh_acts: list[str] = []

    @contextmanager
    def afresh(self, node: str) -> Iterator["Cut"]:
        if not self.reached:
            raise HostError(f"host `{node}` cannot be reached: no route")
        fresh = Cut(reached=True)
        fresh.wrong, fresh.acts = self.wrong, self.afresh_acts
        yield fresh


GUARDED = Confirm(("arm", "tank/x"), ("disarm", "tank/x"))


def guarded(self: ZfsDataset, change: Change) -> Iterator[Step]:
    yield Step("risky tank/x", argv=("risky", "tank/x"), confirm=GUARDED)


def test_a_step_that_may_cut_us_off_is_confirmed_by_a_new_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZfsDataset, "converge", guarded)
    node = Cut(reached=True)
    outcome = applied(tmp_path, node)
    assert (node.acts, node.afresh_acts) == (["arm tank/x", "risky tank/x"], ["disarm tank/x"])
    assert outcome.code == 0


def test_without_a_new_connection_it_failed_and_the_node_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZfsDataset, "converge", guarded)
    node = Cut(reached=False)
    node.on = {"arm": lambda: Answer(0, b"", b""), "risky": lambda: Answer(0, b"", b"")}
    outcome = applied(tmp_path, node)
    assert (node.acts, node.afresh_acts) == (["arm tank/x", "risky tank/x"], [])
    assert outcome.code == 1
    assert outcome.stuck[X] == (
        "`risky tank/x` ended with 1: host `pve` cannot be reached: no route; "
        "the node takes the change back by itself"
    )


# --- steps that fail --------------------------------------------------------------------------------------

SEEN = CHECKS + "\n\ndef seen(host, KIND):\n    return host.run_expect([0], f'whole {KIND.name}').stdout\n"


class Moving(Node):
    """A node whose resources are seen as a whole; `whole` is what is seen."""

    whole = "one"

    def _answer(self, verb: str, name: str) -> Answer:
        return Answer(0, self.whole.encode(), b"") if verb == "whole" else super()._answer(verb, name)


def two_steps(self: ZfsDataset, change: Change) -> Iterator[Step]:
    yield Step("wait", argv=("wait",), waits=True)  # what somebody else does meanwhile is not our own doing
    yield run("first", self.name)
    yield run("second", self.name)


@pytest.mark.parametrize(
    ("failing", "acts"),
    {
        "first": ["first tank/x", "first tank/x", "second tank/x"],
        "second": ["first tank/x", "second tank/x"],
    }.items(),
)
def test_what_somebody_else_changed_meanwhile_is_planned_again_and_our_own_doing_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, acts: list[str]
) -> None:
    """A first step that fails was meant for what is no longer there; a later one follows our own first."""
    monkeypatch.setattr(ZfsDataset, "converge", two_steps)
    monkeypatch.setattr("tests.unit.test_engine.CHECKS", SEEN)
    node = Moving({"tank/x"})
    node.on = {"first": lambda: Answer(0, b"", b"") if failing == "second" or node.whole == "two" else None}

    def fails() -> Answer | None:
        if node.whole == "two":
            return None
        node.whole = "two"
        return Answer(1, b"", b"digest mismatch")

    node.on[failing] = fails
    outcome = applied(tmp_path, node)
    assert [act for act in node.acts if act != "wait"] == acts
    assert outcome.code == (0 if failing == "first" else 1)
    assert failing == "first" or outcome.stuck[X] == "`second tank/x` ended with 1: digest mismatch"


def test_what_comes_after_another_waits_for_it_without_needing_it(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    outcome = applied(tmp_path, node, after={X: (Y,)})
    assert node.acts == ["zfs set atime=off tank/y", "zfs set atime=off tank/x"]
    assert set(statuses(outcome).values()) == {"ok"}


def test_it_goes_on_without_one_that_will_not_become_right(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    node.on["zfs set atime=off tank/y"] = lambda: Answer(1, b"", b"no")
    outcome = applied(tmp_path, node, after={X: (Y,)})
    assert node.acts == ["zfs set atime=off tank/y", "zfs set atime=off tank/x"]
    assert (list(outcome.stuck), statuses(outcome)["tank/x"]) == ([Y], "ok")


def test_it_does_not_wait_for_one_that_nobody_converges(tmp_path: Path) -> None:
    node = Node({"tank/x", "tank/y"})
    applied(tmp_path, node, targets=[X], after={X: (Y,)})
    assert node.acts == ["zfs set atime=off tank/x"]
