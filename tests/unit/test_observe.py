"""What people see and what programs read: whole screens, whole documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.site_files import HOSTS, NODE, POOL, cases, loaded

from phoenix_hypervisor.converge.engine import Outcome
from phoenix_hypervisor.converge.plan import Consent, Entry, Plan, build
from phoenix_hypervisor.converge.steps import Ran
from phoenix_hypervisor.errors import HostError
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import document, screen
from phoenix_hypervisor.resource import CREATE, REMOVE, Change, Difference, Effect, Ref, Step, run

POOL_REF = Ref("pve", "zfs_pool", "tank")
X, Y, Z = (Ref("pve", "zfs_dataset", f"tank/{name}") for name in "xyz")
EXPORT = Ref("pve", "nfs_export", "/tank/x")
SHARE = Ref("pve", "samba_share", "media")
CHAT, SEARCH = Ref("pve", "lxc", "950"), Ref("pve", "lxc", "951")
INSIDE = [Ref("vllm-chat", "host_file", f"/etc/{name}") for name in ("a", "b", "c")]
STALE = "was made from the layer base-gpu as it was before: `phoenix recreate vllm-chat` makes it anew"
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


def with_guests() -> tuple[Plan, dict[Ref, Look]]:
    change = Change({"memory": Difference(4096, 8192), "features": Difference("", "nesting")})
    looks = {
        CHAT: Look(CHAT, Status.DRIFT, change, notices=(STALE,)),
        SEARCH: Look(SEARCH, Status.OK, notices=("a line in its conf file is not read by Proxmox: x",)),
        INSIDE[0]: Look(INSIDE[0], Status.BLOCKED, CREATE, blocked_by=CHAT),
        INSIDE[1]: Look(INSIDE[1], Status.BLOCKED, blocked_by=CHAT),
        INSIDE[2]: Look(INSIDE[2], Status.BLOCKED, blocked_by=INSIDE[0]),
    }
    restart = Step("pct reboot 950", ("pct",), effect=Effect.RESTART, interrupts="lxc:950 vllm-chat")
    steps = {CHAT: (run("pct", "set", "950", "--memory", "8192"), restart), INSIDE[0]: (run("true"), restart)}
    entries = [Entry(ref, look, steps.get(ref, ())) for ref, look in looks.items() if ref != SEARCH]
    return Plan(tuple(entries)), looks


def node_of(host: str) -> str:
    return "pve" if host == "vllm-chat" else host


def guests_lost() -> Iterator[str]:
    gone = HostError("host `pve` cannot be reached: timed out")
    yield from screen.plan_lines(*with_guests(), {"pve": gone}, node_of)
    looks = {ref: Look(ref, Status.UNKNOWN, reasons=(gone.message,)) for ref in (CHAT, INSIDE[0])}
    yield from screen.outcome_lines(Outcome(looks, lost={"pve": gone}), node_of=node_of)


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
    "guests": lambda _: screen.plan_lines(*with_guests(), {}, node_of),
    "notices and nothing to do": lambda _: screen.plan_lines(
        Plan(), {SEARCH: with_guests()[1][SEARCH]}, {}, node_of
    ),
    "an outcome with notices": lambda _: screen.outcome_lines(
        Outcome({SEARCH: with_guests()[1][SEARCH]}), (), node_of
    ),
    "guests of a lost node": lambda _: guests_lost(),
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
                "arguments": [],
                "stdin": None,
                "effect": "hot",
                "interrupts": "",
                "because": "",
                "destroys": "",
                "exact": False,
            }
        ],
        "reach": [],
    }
    created = entries["two/zfs_arc:two"]
    assert [step["artifact"] for step in created["steps"][:2]] == [
        "/etc/modprobe.d/zz-phoenix-zfs_arc.conf",
        "/var/lib/phoenix/scripts/zfs_arc/limit.sh",
    ]


def test_documents_say_who_is_interrupted_and_what_is_worth_knowing() -> None:
    plan, looks = with_guests()
    planned = document.plan_document(plan, looks, {})
    steps = [step for entry in planned["entries"] for step in entry["steps"]]
    assert [step["interrupts"] for step in steps] == ["", "lxc:950 vllm-chat", "", "lxc:950 vllm-chat"]
    notices = {"pve/lxc:950": [STALE], "pve/lxc:951": list(looks[SEARCH].notices)}
    assert planned["notices"] == notices
    assert document.outcome_document(planned, Outcome(looks), plan.code)["notices"] == notices


def test_values_json_does_not_have_are_sorted_or_said() -> None:
    assert document.text({"a": {"b", "a"}, "b": frozenset(), "c": Path("/x"), "ü": "é"}) == (
        '{\n  "a": [\n    "a",\n    "b"\n  ],\n  "b": [],\n  "c": "/x",\n  "ü": "é"\n}'
    )
