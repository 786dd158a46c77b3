"""What a plan says of who gets in where, before and after: the firewall's files as one."""

import json

import pytest
from tests.unit.site_files import NODE, loaded
from tests.unit.test_rules_firewall import BASE, CHAT, FILES, GUEST

from phoenix_hypervisor.converge.plan import build
from phoenix_hypervisor.converge.reach import reach
from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall.proof import Proof
from phoenix_hypervisor.firewall.sight import Files, Sight
from phoenix_hypervisor.inspect.looks import Look, Status
from phoenix_hypervisor.observe import document, screen
from phoenix_hypervisor.resource import CREATE, REMOVE, Change, Difference, Ref

CLUSTER, OWN = Ref("pve", "firewall_cluster", "pve"), Ref("pve", "firewall_node", "pve")
OF_CHAT = Ref("pve", "firewall_guest", "950")
GUEST_FILE = f"{fw.FOLDER}/950.fw"
OPEN = "firewall_guest:\n  expose: {8000: [gateway, lan], 9100: lan}\n"
DIFFERS = {"rules": Difference([], ["new"])}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")


def site_of(tmp_path, node="", chat=OPEN, **more):
    return loaded(tmp_path, {**FILES, NODE: BASE + node, CHAT: GUEST.format("10.0.0.50/24") + chat, **more})


def drifts(site, refs, texts, *, filtered=True, change=DIFFERS):
    """Looks at these resources on a node that has these files, and the plan for them."""
    files = Files(texts, frozenset(), None)
    looks = {}
    for ref in refs:
        about_guest = ref.kind == "firewall_guest"
        seen = Sight(True, Proof(), (), files, "" if about_guest else "10.0.0.0/24", filtered)
        looks[ref] = Look(ref, Status.DRIFT, Change(change, seen))
    return looks, build(site, looks)


def below(site, looks, plan):
    """The lines of the screen about who gets in, each with the resource it stands below."""
    found, about = [], ""
    for line in screen.plan_lines(plan, looks, {}, str, reach(site, plan)):
        about = line.split()[1] if line.startswith("  ") and not line.startswith("   ") else about
        if line.startswith(("      may reach", "      and ")):
            found.append((about, line.strip()))
    return found


def texts(site, *refs):
    return {site.resources[ref].file: site.resources[ref].text for ref in refs}


def test_a_changed_rule_is_shown_as_who_gets_in_before_and_after(tmp_path):
    site = site_of(tmp_path)
    there = texts(site, CLUSTER)
    there[GUEST_FILE] = (
        "[OPTIONS]\nenable: 1\n[RULES]\nIN ACCEPT -p tcp -dport 8000\nIN HTTP(ACCEPT) -source lan\n"
    )
    assert below(site, *drifts(site, [OF_CHAT], there)) == [
        (
            "firewall_guest:950",
            "may reach chat on 80/tcp: lan (10.0.0.0/24) → nobody",
        ),
        (
            "firewall_guest:950",
            "may reach chat on 8000/tcp: anybody → lan (10.0.0.0/24)",
        ),
        (
            "firewall_guest:950",
            "may reach chat on 9100/tcp: nobody → lan (10.0.0.0/24)",
        ),
    ]


def test_a_rule_that_lets_in_the_same_ones_is_no_effect(tmp_path):
    site = site_of(tmp_path)
    there = texts(site, CLUSTER, OF_CHAT)
    there[GUEST_FILE] = there[GUEST_FILE].replace("enable: 1", "enable: 1\nlog_level_in: info")
    assert below(site, *drifts(site, [OF_CHAT], there)) == []


def test_a_firewall_that_is_switched_on_shows_what_that_shuts_where_each_has_its_own_file(tmp_path):
    """The predecessor's rules did nothing, or everything, and nobody saw beforehand which."""
    site = site_of(tmp_path, "firewall_node: {expose: {9100: lan}}\n")
    looks, plan = drifts(site, [CLUSTER, OWN, OF_CHAT], {}, change=CREATE.attributes)
    lan = "lan (10.0.0.0/24)"
    assert below(site, looks, plan) == [
        ("firewall_node:pve", f"may reach pve on 22/tcp: anybody → {lan}"),
        ("firewall_node:pve", f"may reach pve on 8006/tcp: anybody → {lan}"),
        ("firewall_node:pve", f"may reach pve on 9100/tcp: anybody → {lan}"),
        ("firewall_guest:950", f"may reach chat on 8000/tcp: anybody → {lan}"),
        ("firewall_guest:950", f"may reach chat on 9100/tcp: anybody → {lan}"),
    ]


def test_addresses_without_a_name_and_rules_for_the_only_interface_count(tmp_path):
    site = site_of(tmp_path, chat="firewall_guest:\n  expose: {8000: 10.9.0.7}\n")
    rules = "IN ACCEPT -i net0 -source desk -p tcp -dport 8000\nIN ACCEPT -i net1 -p tcp -dport 9000\n"
    there = f"[OPTIONS]\nenable: 1\n[ALIASES]\ndesk 10.9.0.1-10.9.0.3\n[RULES]\n{rules}"
    looks, plan = drifts(site, [OF_CHAT], texts(site, CLUSTER) | {GUEST_FILE: there})
    assert below(site, looks, plan) == [
        ("firewall_guest:950", "may reach chat on 8000/tcp: desk (10.9.0.1-10.9.0.3) → 10.9.0.7")
    ]


def test_of_rules_only_those_are_shown_that_differ(tmp_path):
    site = site_of(tmp_path)
    change = {
        "rules": Difference(["IN ACCEPT -p tcp", "IN DROP -p udp"], ["IN DROP -p udp", "IN REJECT -p tcp"])
    }
    looks, plan = drifts(site, [OF_CHAT], texts(site, CLUSTER, OF_CHAT), change=change)
    assert [line for line in screen.plan_lines(plan, looks, {}) if line.startswith("      ")][:3] == [
        "      rules:",
        "        - IN ACCEPT -p tcp",
        "        + IN REJECT -p tcp",
    ]
    moved = {"rules": Difference(["IN DROP -p udp", "IN REJECT"], ["IN REJECT", "IN DROP -p udp"])}
    assert list(screen.change_lines(Change(moved))) == ["rules: the same ones in another order"]


def test_what_a_guest_may_not_send_any_more_is_shown_with_it(tmp_path):
    shut = "firewall_guest: {policy_out: DROP, expose: {}}\n"
    site = site_of(tmp_path, "firewall_node: {}\nnfs_export: {/tank/x: {clients: {10.0.0.50: [rw]}}}\n", shut)
    there = texts(site, CLUSTER, OWN) | {GUEST_FILE: "[OPTIONS]\nenable: 1\n"}
    lines = below(site, *drifts(site, [OF_CHAT], there))
    assert ("firewall_guest:950", "may reach pve on 2049/tcp: chat → nobody") in lines


def test_of_a_guest_that_is_yet_to_be_made_only_what_will_be_is_shown(tmp_path):
    site = site_of(tmp_path)
    looks, plan = drifts(site, [OF_CHAT], texts(site, CLUSTER), filtered=None, change=CREATE.attributes)
    assert below(site, looks, plan)[0] == (
        "firewall_guest:950",
        "may reach chat on 8000/tcp: lan (10.0.0.0/24)",
    )


def test_an_interface_that_is_not_under_the_firewall_is_open_to_anybody(tmp_path):
    """There, rules stood in files and no interface had `firewall=1`: they were declared and did nothing."""
    site = site_of(tmp_path)
    looks, plan = drifts(site, [OF_CHAT], texts(site, CLUSTER, OF_CHAT), filtered=False)
    assert below(site, looks, plan)[0][1].startswith("may reach chat on 8000/tcp: anybody → ")


def test_what_is_refused_and_will_not_be_done_has_no_effect(tmp_path):
    site = site_of(tmp_path)
    change = {"lockout": Difference("it would", "")}
    assert below(site, *drifts(site, [CLUSTER], {}, change=change)) == []


def test_what_goes_away_is_shown_as_open(tmp_path):
    site = site_of(tmp_path, chat="firewall_guest: {state: absent}\n")
    there = texts(site, CLUSTER) | {
        GUEST_FILE: "[OPTIONS]\nenable: 1\n[RULES]\nIN ACCEPT -source lan -p tcp -dport 80\n"
    }
    looks, plan = drifts(site, [OF_CHAT], there, change=REMOVE.attributes)
    assert below(site, looks, plan) == [
        (
            "firewall_guest:950",
            "may reach chat on 80/tcp: lan (10.0.0.0/24) → anybody",
        )
    ]


def test_the_lines_are_few_and_the_document_has_all(tmp_path):
    expose = ", ".join(f"{port}: lan" for port in range(8001, 8016))
    site = site_of(tmp_path, chat=f"firewall_guest: {{expose: {{{expose}}}}}\n")
    looks, plan = drifts(site, [OF_CHAT], texts(site, CLUSTER) | {GUEST_FILE: "[OPTIONS]\nenable: 1\n"})
    lines = below(site, looks, plan)
    assert len(lines) == 13
    assert lines[-1][1] == "and 3 ports more: `phoenix firewall matrix` has all of them"
    planned = document.plan_document(plan, looks, {}, reach(site, plan))
    (entry,) = json.loads(document.text(planned))["entries"]
    assert len(entry["reach"]) == 15
    assert entry["reach"][0] == {
        "target": "chat",
        "port": "8001/tcp",
        "before": [],
        "after": ["lan (10.0.0.0/24)"],
    }
