"""What is looked at again after steps: what may be right by them, and nothing that stays blocked."""

from pathlib import Path

from tests.unit.site_files import NODE, POOL, loaded
from tests.unit.test_engine import Node, applied

from phoenix_hypervisor.config import Site
from phoenix_hypervisor.converge.unsettled import blocked_anew, unsettled
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.resource import NO_CHANGE, Change, Difference, Ref

TANK = Ref("pve", "zfs_pool", "tank")
X, XX, DEEP, Y = (Ref("pve", "zfs_dataset", f"tank/{name}") for name in ("x", "x/x", "x/x/x", "y"))
CHAIN = "zfs_dataset: {tank/x: {atime: off}, tank/x/x: {atime: off}, tank/x/x/x: {atime: off}, tank/y: {}}\n"
DIFFERS = Change({"atime": Difference("on", "off")})


def site(folder: Path) -> Site:
    return loaded(folder, {NODE: POOL + CHAIN})


def ok(*refs: Ref) -> dict[Ref, Look]:
    return {ref: Look(ref, Status.OK) for ref in refs}


def blocked(ref: Ref, by: Ref, change: Change = NO_CHANGE) -> dict[Ref, Look]:
    return {ref: Look(ref, Status.BLOCKED, change, blocked_by=by)}


def test_what_differs_by_itself_keeps_what_needs_it_blocked(tmp_path: Path) -> None:
    drift = {TANK: Look(TANK, Status.DRIFT, DIFFERS)}
    looks = {**drift, **blocked(X, TANK, DIFFERS), **blocked(XX, X), **blocked(DEEP, X), **blocked(Y, TANK)}
    assert unsettled(site(tmp_path), looks, [TANK]) == [X, Y]


def test_what_was_only_blocked_may_be_right_and_so_may_be_what_needs_it(tmp_path: Path) -> None:
    drift = {TANK: Look(TANK, Status.DRIFT, DIFFERS)}
    looks = {**drift, **blocked(X, TANK), **blocked(XX, TANK, DIFFERS), **blocked(DEEP, TANK), **ok(Y)}
    assert unsettled(site(tmp_path), looks, [TANK]) == [X, XX]


def test_what_waits_for_another_one_that_is_not_looked_at_is_left_alone(tmp_path: Path) -> None:
    looks = {**ok(TANK, X), XX: Look(XX, Status.UNKNOWN, reasons=("lost",)), **blocked(DEEP, XX), **ok(Y)}
    assert unsettled(site(tmp_path), looks, [TANK]) == [XX, DEEP]
    assert unsettled(site(tmp_path), looks, [TANK], looked=[TANK, XX]) == []


def test_what_waits_is_said_to_wait_for_what_is_not_right_now(tmp_path: Path) -> None:
    looks = {**ok(TANK, X, Y), XX: Look(XX, Status.DRIFT, DIFFERS), **blocked(DEEP, X)}
    assert blocked_anew(site(tmp_path), looks) == blocked(DEEP, XX)
    looks |= {X: Look(X, Status.DRIFT, DIFFERS)}
    assert blocked_anew(site(tmp_path), looks) == {}


def test_what_becomes_right_unasked_lets_go_of_what_waited_for_it(tmp_path: Path) -> None:
    """The first dataset's step sets its child right as well, whose own child differs still."""
    node = Node({"tank/x", "tank/x/x", "tank/x/x/x"})
    node.on["zfs set atime=off tank/x"] = lambda: node.wrong.discard("tank/x/x")
    outcome = applied(tmp_path, node, CHAIN)
    assert node.acts == ["zfs set atime=off tank/x", "zfs set atime=off tank/x/x/x"]
    assert {look.status for look in outcome.looks.values()} == {Status.OK}
