"""What people see and what programs read: whole screens, whole documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, POOL, cases, loaded

from phoenix_hypervisor.converge.engine import Outcome, Ran
from phoenix_hypervisor.converge.plan import Consent, Plan, build
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import document, screen
from phoenix_hypervisor.resource import CREATE, REMOVE, Change, Difference, Effect, Ref

POOL_REF = Ref("pve", "zfs_pool", "tank")
X, Y, Z = (Ref("pve", "zfs_dataset", f"tank/{name}") for name in "xyz")
EXPORT = Ref("pve", "nfs_export", "/tank/x")
SHARE = Ref("pve", "samba_share", "media")
FILES = {
    NODE: f"{POOL}zfs_dataset: {{tank/x: {{atime: off}}, tank/y: {{state: absent}}, tank/z: {{}}}}\n"
    "nfs_export: {/tank/x: {clients: {a: []}}}\nsamba_share: {media: {path: /tank/z}}\n",
    HOSTS: "pve:\ntwo:\n",
    "configs/nodes/two.yaml": "zfs_arc: {max: 4G}\n",
}
SCREENS = cases("screens")


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def site(tmp_path: Path):
    return loaded(tmp_path, FILES)


def busy(site) -> tuple[Plan, dict[Ref, Look]]:
    looks = {
        POOL_REF: Look(POOL_REF, Status.DRIFT, Change({"health": Difference("DEGRADED", "ONLINE")})),
        X: Look(X, Status.BLOCKED, Change({"atime": Difference("on", "off")}), blocked_by=POOL_REF),
        Y: Look(Y, Status.DRIFT, REMOVE),
        Z: Look(Z, Status.UNKNOWN, reasons=("properties: a tool is missing on the host: zfs: not found",)),
        EXPORT: Look(EXPORT, Status.BLOCKED, blocked_by=X),
        SHARE: Look(SHARE, Status.UNHEALTHY, reasons=("login: it: 1, not 0",), probes=("login",)),
        Ref("two", "zfs_arc", "two"): Look(Ref("two", "zfs_arc", "two"), Status.DRIFT, CREATE),
    }
    orphans = [Ref("pve", "samba_user", "old"), Ref("pve", "zfs_dataset", "tank/old")]
    return build(site, looks, orphans), looks


def right(site) -> tuple[Plan, dict[Ref, Look]]:
    looks = {ref: Look(ref, Status.OK) for ref in site.resources}
    return build(site, looks), looks


def removing(site) -> tuple[Plan, dict[Ref, Look]]:
    looks = {Y: Look(Y, Status.DRIFT, REMOVE)}
    consent = Consent(prune=True, destroy=frozenset([str(Y)]))
    return build(site, looks, [Ref("pve", "samba_user", "old")], consent), looks


def lost(site) -> Iterator[str]:
    plan, looks = busy(site)
    yield from screen.plan_lines(plan, looks, {"pve": HostError("host `pve` cannot be reached: timed out")})


def outcome() -> Outcome:
    ran = Ran(X, "zfs set atime=off tank/x", Effect.HOT, 0.0, 1.25, 0, "")
    looks = {
        X: Look(X, Status.OK),
        Y: Look(Y, Status.DRIFT, Change({"mode": Difference("755", "750")})),
        EXPORT: Look(EXPORT, Status.BLOCKED, blocked_by=Y),
        Z: Look(Z, Status.UNKNOWN, reasons=("why",)),
    }
    return Outcome(
        looks, [ran], {Y: "the same difference is there after its steps", SHARE: "it would not go"}
    )


MADE = {
    "a busy plan": lambda site: screen.plan_lines(*busy(site), {}),
    "nothing to do": lambda site: screen.plan_lines(*right(site), {}),
    "removals": lambda site: screen.plan_lines(*removing(site), {}),
    "a lost host": lost,
    "an outcome": lambda site: screen.outcome_lines(outcome()),
}


@pytest.mark.parametrize("what", MADE)
def test_the_screen_is_as_written_down(site, what: str) -> None:
    assert "\n".join(MADE[what](site)) == SCREENS[what][1]


def test_the_document_of_a_plan_has_what_the_screen_has(site) -> None:
    plan, looks = busy(site)
    found = json.loads(document.text(document.plan_document(plan, looks, {"pve": 3})))
    assert (found["version"], found["exit"], found["round_trips"]) == (1, 1, {"pve": 3})
    assert found["orphans"] == ["pve/samba_user:old", "pve/zfs_dataset:tank/old"]
    assert found["resources"]["pve/zfs_dataset:tank/z"] == "unknown"
    entries = {entry["resource"]: entry for entry in found["entries"]}
    assert entries["pve/zfs_dataset:tank/x"] == {
        "resource": "pve/zfs_dataset:tank/x",
        "host": "pve",
        "kind": "zfs_dataset",
        "name": "tank/x",
        "status": "blocked",
        "after": "pve/zfs_pool:tank",
        "orphan": False,
        "changes": [{"attribute": "atime", "actual": "on", "desired": "off", "relation": "=="}],
        "reasons": [],
        "refusals": [],
        "steps": [
            {
                "title": "zfs set atime=off tank/x",
                "argv": ["zfs", "set", "atime=off", "tank/x"],
                "artifact": None,
                "stdin": None,
                "effect": "hot",
                "destroys": "",
                "exact": False,
            }
        ],
    }
    created = entries["two/zfs_arc:two"]
    assert [step["artifact"] for step in created["steps"][:2]] == [
        "/etc/modprobe.d/zz-phoenix-zfs_arc.conf",
        "/var/lib/phoenix/scripts/zfs_arc/limit.sh",
    ]


def test_values_json_does_not_have_are_sorted_or_said() -> None:
    assert document.text({"a": {"b", "a"}, "b": frozenset(), "c": Path("/x"), "ü": "é"}) == (
        '{\n  "a": [\n    "a",\n    "b"\n  ],\n  "b": [],\n  "c": "/x",\n  "ü": "é"\n}'
    )
