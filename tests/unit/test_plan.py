"""The plan: which steps, in which order, with whose consent, and what it ends with."""

from pathlib import Path

import pytest
from tests.unit.site_files import NODE, POOL, loaded

from phoenix_hypervisor.converge.plan import Consent, Entry, Plan, build
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.resource import CREATE, REMOVE, Change, Difference, Effect, Ref, Refusal, Step

POOL_REF = Ref("pve", "zfs_pool", "tank")
X = Ref("pve", "zfs_dataset", "tank/x")
Y = Ref("pve", "zfs_dataset", "tank/y")
EXPORT = Ref("pve", "nfs_export", "/tank/x")
USER = Ref("pve", "samba_user", "gone")
ATIME = Change({"atime": Difference("on", "off")})
FILES = {
    NODE: f"{POOL}zfs_dataset: {{tank/x: {{atime: off}}, tank/y: {{state: absent}}}}\n"
    "nfs_export: {/tank/x: {clients: {a: []}}}\n"
}


@pytest.fixture
def site(tmp_path: Path):
    return loaded(tmp_path, FILES)


def drift(ref: Ref, change: Change) -> dict[Ref, Look]:
    return {ref: Look(ref, Status.DRIFT, change)}


def titles(plan: Plan) -> list[str]:
    return [step.title for entry in plan.entries for step in entry.steps]


def refusals(plan: Plan) -> list[str]:
    return [refusal.reason for entry in plan.entries for refusal in entry.refusals]


def test_nothing_that_differs_is_an_empty_plan(site) -> None:
    plan = build(site, {ref: Look(ref, Status.OK) for ref in site.resources})
    assert plan == Plan()
    assert (plan.pending, plan.code, plan.destroys()) == (False, 0, [])


def test_what_differs_gives_steps_in_the_order_of_needs(site) -> None:
    looks = (
        drift(EXPORT, CREATE)
        | drift(X, ATIME)
        | drift(POOL_REF, Change({"autotrim": Difference("off", "on")}))
    )
    plan = build(site, looks)
    assert [entry.ref for entry in plan.entries] == [POOL_REF, X, EXPORT]
    assert titles(plan) == [
        "zpool set autotrim=on tank",
        "zfs set atime=off tank/x",
        "write /etc/exports.d/phoenix-tank.x.exports",
        "exportfs -ra",
    ]
    assert (plan.code, plan.pending) == (ExitCode.PENDING, True)
    assert [step.effect for entry in plan.entries for step in entry.steps][-1] is Effect.RELOAD


def test_steps_of_what_waits_are_after_what_it_waits_for(site) -> None:
    blocked = {X: Look(X, Status.BLOCKED, ATIME, blocked_by=POOL_REF)}
    (entry,) = build(site, blocked).entries
    assert (entry.after, [step.title for step in entry.steps]) == (POOL_REF, ["zfs set atime=off tank/x"])
    (exact,) = build(site, drift(X, ATIME)).entries
    assert exact.after is None


def test_what_only_waits_has_no_steps_and_is_pending(site) -> None:
    plan = build(site, {X: Look(X, Status.BLOCKED, blocked_by=POOL_REF)})
    assert (titles(plan), plan.pending, plan.code) == ([], False, ExitCode.PENDING)


def test_of_what_we_do_not_know_nothing_is_changed(site) -> None:
    plan = build(site, {X: Look(X, Status.UNKNOWN, ATIME, reasons=("why",))} | drift(EXPORT, CREATE))
    assert titles(plan) == ["write /etc/exports.d/phoenix-tank.x.exports", "exportfs -ra"]
    assert plan.code == ExitCode.UNKNOWN


def test_bad_health_is_healed_where_the_kind_knows_how(site) -> None:
    looks = {EXPORT: Look(EXPORT, Status.UNHEALTHY, reasons=("down",), probes=("mounts", "mounts"))}
    plan = build(site, looks)
    assert (titles(plan), plan.code) == (["systemctl reload-or-restart nfs-server"], ExitCode.PENDING)
    pool = build(site, {POOL_REF: Look(POOL_REF, Status.UNHEALTHY, probes=("x",))})
    assert (titles(pool), pool.code) == ([], ExitCode.FAILED)


def test_a_difference_that_is_refused_fails(site) -> None:
    plan = build(site, drift(POOL_REF, Change({"ashift": Difference("9", "12")})))
    assert (titles(plan), refusals(plan), plan.code) == (
        [],
        ["ashift is fixed when a disk joins the pool"],
        1,
    )


@pytest.mark.parametrize("consent", [[], ["zfs_dataset:tank/x"], ["tank/y"], ["other/zfs_dataset:tank/y"]])
def test_without_consent_for_this_very_resource_nothing_is_destroyed(site, consent: list[str]) -> None:
    plan = build(site, drift(Y, REMOVE), consent=Consent(destroy=frozenset(consent)))
    assert (titles(plan), plan.destroys(), plan.code) == ([], [], ExitCode.FAILED)
    assert refusals(plan) == [
        "would destroy all data in the dataset tank/y: needs `--allow-destroy zfs_dataset:tank/y`"
    ]


@pytest.mark.parametrize("consent", ["zfs_dataset:tank/y", "pve/zfs_dataset:tank/y"])
def test_with_consent_and_absent_in_the_file_it_is_destroyed(site, consent: str) -> None:
    plan = build(site, drift(Y, REMOVE), consent=Consent(destroy=frozenset([consent])))
    assert (titles(plan), plan.code) == (["zfs destroy tank/y"], ExitCode.PENDING)
    assert plan.destroys() == [(Y, "all data in the dataset tank/y")]


def test_consent_is_not_enough_for_what_the_files_want(site) -> None:
    plan = build(site, drift(X, REMOVE), consent=Consent(destroy=frozenset(["zfs_dataset:tank/x"])))
    assert titles(plan) == []


ORPHANS = [Ref("pve", "samba_share", "old"), USER, Ref("pve", "zfs_dataset", "tank/old")]


def test_orphans_are_told_and_left_alone(site) -> None:
    plan = build(site, {}, ORPHANS)
    assert (plan.entries, plan.orphans, plan.code) == ((), tuple(ORPHANS), ExitCode.OK)


def test_pruning_removes_orphans_last_made_first_under_the_same_rules(site) -> None:
    plan = build(site, drift(X, ATIME), ORPHANS, Consent(prune=True))
    assert plan.orphans == ()
    assert [(entry.ref, entry.orphan) for entry in plan.entries] == [
        (X, False),
        *((ref, True) for ref in reversed(ORPHANS)),
    ]
    assert titles(plan)[:3] == [
        "zfs set atime=off tank/x",
        "smbpasswd -x gone",
        "rm -f /var/lib/phoenix/made/samba_user/gone",
    ]
    assert refusals(plan) == [
        "would destroy all data in the dataset tank/old: needs `--allow-destroy zfs_dataset:tank/old`"
    ]
    agreed = Consent(prune=True, destroy=frozenset(["zfs_dataset:tank/old"]))
    assert "zfs destroy tank/old" in titles(build(site, {}, ORPHANS, agreed))


def test_a_pool_that_is_no_longer_declared_is_never_removed(site) -> None:
    plan = build(
        site, {}, [Ref("pve", "zfs_pool", "old")], Consent(prune=True, destroy=frozenset(["zfs_pool:old"]))
    )
    assert (titles(plan), plan.code) == ([], ExitCode.FAILED)


OK, DRIFT = Look(X, Status.OK), Look(X, Status.DRIFT, ATIME)
STEP = (Step("x", argv=("x",)),)
CODES = [
    ([], 0),
    ([Entry(X, DRIFT, STEP)], 2),
    ([Entry(X, DRIFT, (), (Refusal("a", "b"),))], 1),
    ([Entry(X, Look(X, Status.UNKNOWN))], 3),
    ([Entry(X, Look(X, Status.UNHEALTHY))], 1),
    ([Entry(X, Look(X, Status.UNHEALTHY), STEP)], 2),
    ([Entry(X, DRIFT, STEP), Entry(X, Look(X, Status.UNKNOWN))], 3),
    ([Entry(X, DRIFT, STEP, (Refusal("a", "b"),)), Entry(X, Look(X, Status.UNKNOWN))], 1),
]


@pytest.mark.parametrize(("entries", "code"), CODES)
def test_of_several_exit_statuses_the_worst_wins(entries: list[Entry], code: int) -> None:
    assert Plan(tuple(entries)).code == code
