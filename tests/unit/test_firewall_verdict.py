"""What the firewall does with a connection, and which rule decides: our reading beside the lab's compiler."""

import contextlib
import importlib
import io
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.dialects import firewall_verdict as verdict
from phoenix_hypervisor.dialects.firewall_verdict import Packet, Verdict
from phoenix_hypervisor.firewall.proof import edges, prove

STANDINS = Path(__file__).parents[2] / "generator/phoenix_hypervisor/lab/standins"
LOCAL = "10.0.0.0/24"


def file(text: str, *options: str) -> fw.Firewall:
    """A file with these options (`enable: 1`, unless others are given), and sections or rules."""
    said = "\n".join(options or ("enable: 1",))
    return fw.parse(f"[OPTIONS]\n{said}\n{text if text.startswith('[') else f'[RULES]{chr(10)}{text}'}\n")


def ssh(source: str = "198.51.100.7") -> Packet:
    return Packet(source, 22)


def test_without_enable_nothing_is_kept_out():
    """A policy that is declared while the firewall is off: what the predecessor had, and did not see."""
    off = file("IN DROP", "policy_in: DROP")
    said = "the firewall is off: cluster.fw does not say `enable: 1`"
    assert verdict.node_in(off, None, ssh()) == Verdict("ACCEPT", said)
    assert verdict.guest("IN", off, file("IN DROP"), ssh()).accepted


def test_a_guest_without_enable_or_without_a_filtered_interface_is_open():
    on, own = file(""), file("IN DROP", "policy_in: DROP")
    assert verdict.guest("IN", on, own, ssh()).reason == "the guest's firewall is off"
    filtered = file("IN DROP")
    assert verdict.guest("IN", on, filtered, ssh(), filtered=False).reason.startswith("the guest's interface")
    assert verdict.guest("IN", on, filtered, ssh()) == Verdict("DROP", "rule 1 of its rules: IN DROP")


def test_a_guests_rules_are_not_the_nodes():
    """Written into cluster.fw they would open the node; here each file is asked for its own host only."""
    on, guest = file(""), file("IN ACCEPT -p tcp -dport 8000")
    assert verdict.guest("IN", on, guest, Packet("198.51.100.7", 8000)).accepted
    assert not verdict.node_in(on, None, Packet("198.51.100.7", 8000), LOCAL).accepted


def test_the_first_rule_that_fits_decides_and_the_nodes_own_come_first():
    cluster, node = file("IN ACCEPT -p tcp -dport 22"), file("IN DROP -source 198.51.100.0/24")
    said = "rule 1 of host.fw: IN DROP -source 198.51.100.0/24"
    assert verdict.node_in(cluster, node, ssh()) == Verdict("DROP", said)
    assert verdict.node_in(cluster, None, ssh()).reason == "rule 1 of cluster.fw: IN ACCEPT -p tcp -dport 22"


@pytest.mark.parametrize("port", [22, 8006, 5950, 3128, 60050])
def test_proxmox_opens_some_ports_to_the_management_set_and_the_local_network(port):
    cluster = file("[IPSET management]\n10.1.0.0/24\n!10.1.0.9\n")
    accepted = {
        source: verdict.node_in(cluster, None, Packet(source, port), LOCAL).accepted
        for source in ("10.1.0.5", "10.1.0.9", "10.0.0.77", "10.2.0.1")
    }
    assert accepted == {"10.1.0.5": True, "10.1.0.9": False, "10.0.0.77": True, "10.2.0.1": False}


def test_samba_is_not_opened_by_itself():
    """445 is none of Proxmox's own ports: without a rule a policy of DROP makes shares unreachable."""
    cluster = file("[IPSET management]\n10.0.0.0/24\n")
    found = verdict.node_in(cluster, None, Packet("10.0.0.77", 445), LOCAL)
    assert found == Verdict("DROP", "no rule of cluster.fw fits: policy_in DROP, which is the default")


def test_what_is_not_known_never_opens_and_may_close():
    inside, unknown = Packet("10.9.0.1", 22, interface="vmbr0"), Packet("10.9.0.1", 22)
    opening, closing = file("IN SSH(ACCEPT) -i vmbr0"), file("IN DROP -i vmbr0\nIN ACCEPT")
    assert [verdict.node_in(opening, None, one).accepted for one in (inside, unknown)] == [True, False]
    assert [verdict.node_in(closing, None, one).accepted for one in (inside, unknown)] == [False, False]


def test_a_rule_that_names_what_there_is_not_is_left_out_as_proxmox_does():
    cluster = file("IN DROP -source nosuch\nIN DROP -source +nosuch\nIN FOO\n|IN DROP\nIN ACCEPT")
    assert verdict.node_in(cluster, None, ssh()) == Verdict("ACCEPT", "rule 5 of cluster.fw: IN ACCEPT")


def test_groups_decide_with_their_own_rules():
    groups = "[RULES]\nGROUP web -i vmbr0\nGROUP ssh\n[group web]\nIN ACCEPT\n[group ssh]\nIN SSH(ACCEPT)\n"
    found = verdict.node_in(file(groups), None, ssh())
    assert found == Verdict("ACCEPT", "rule 2 of cluster.fw (in group ssh): IN SSH(ACCEPT)")


def test_the_proof_names_the_rule_that_would_lock_us_out():
    cluster = file("IN DROP -p tcp -dport 22 # no ssh")
    found = prove(cluster, None, ("10.0.0.5", 22), ("10.0.0.0/24",), LOCAL)
    rule = "rule 1 of cluster.fw: IN DROP -p tcp -dport 22 # no ssh"
    assert found.closed == (
        f"this very connection, from 10.0.0.5 to port 22: DROP by {rule}",
        f"the management network 10.0.0.0/24, from 10.0.0.0 to port 22: DROP by {rule}",
    )
    assert found.reason == "; ".join(found.closed)


def test_the_proof_finds_the_one_address_of_a_network_that_is_kept_out():
    cluster = file("IN DROP -source 10.0.0.42")
    found = prove(cluster, None, None, ("10.0.0.0/24",), LOCAL)
    assert found.reason.startswith("the management network 10.0.0.0/24, from 10.0.0.42 to port 22: DROP")


@given(st.lists(st.builds("10.0.0.{}/{}".format, st.integers(0, 255), st.integers(26, 32)), max_size=4))
def test_between_two_edges_nothing_changes(networks):
    """Every address of a network is judged as the nearest edge below it is."""
    cluster = file(
        "\n".join(f"IN {'DROP' if n % 2 else 'ACCEPT'} -source {net}" for n, net in enumerate(networks))
    )
    judged = {last: verdict.node_in(cluster, None, Packet(f"10.0.0.{last}", 9)).action for last in range(256)}
    found = sorted(int(edge.rpartition(".")[2]) for edge in edges(LOCAL, [cluster]))
    assert [judged[last] for last in range(256)] == [
        judged[max(edge for edge in found if edge <= last)] for last in range(256)
    ]


# Our reading and the lab's compiler, which prints what Proxmox's prints, are two programs: they must agree.

sources = st.sampled_from(
    ["", "10.0.0.7", "10.0.0.0/24", "10.1.0.0/16", "lan", "+office", "10.0.0.5-10.0.0.9"]
)
services = st.sampled_from(["", "-p tcp -dport 22", "-p tcp -dport 80,8006", "-p udp -dport 53", "-p tcp"])
lines = st.builds(
    lambda off, action, source, service, macro: " ".join(
        part
        for part in (
            f"{off}IN {f'{macro}({action})' if macro else action}",
            f"-source {source}" if source else "",
            "" if macro else service,
        )
        if part
    ),
    st.sampled_from(["", "", "|"]),
    st.sampled_from(fw.ACTIONS),
    sources,
    services,
    st.sampled_from(["", "", "SSH", "Web"]),
) | st.just("GROUP web")
some_rules = st.lists(lines, max_size=4).map("\n".join)
NAMED = "[ALIASES]\nlan 10.0.0.0/24\n[IPSET office]\n10.1.2.0/24\n!10.1.2.9\nlan\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The lab's compiler, in this process, with a root of its own."""
    root = tmp_path_factory.mktemp("root")
    for folder in ("etc/pve/firewall", "etc/pve/local", "etc/pve/lxc", "etc/network", "var/lib/phoenix-lab"):
        (root / folder).mkdir(parents=True)
    (root / "etc/network/interfaces").write_text("iface vmbr0 inet static\n\taddress 10.0.0.13/24\n")
    (root / "etc/pve/lxc/100.conf").write_text("net0: name=eth0,bridge=vmbr0,firewall=1\n")
    sys.path.insert(0, str(STANDINS))
    try:
        model = importlib.import_module("model")
        model.ROOT, model.FOLDER = str(root), str(root / "var/lib/phoenix-lab")
        yield root, *(importlib.import_module(name) for name in ("firewall_daemon", "firewall_simulate"))
    finally:
        sys.path.remove(str(STANDINS))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(STANDINS)):
                del sys.modules[name]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["DROP", "REJECT", "ACCEPT"]),
    some_rules,
    some_rules,
    some_rules,
    st.sampled_from(["10.0.0.7", "10.0.0.77", "10.1.2.3", "10.1.2.9", "192.0.2.1"]),
    st.sampled_from([22, 53, 80, 445, 8006]),
)
def test_our_reading_agrees_with_the_labs_compiler(lab, policy, cluster, node, guest, source, port):
    root, daemon, simulate = lab
    group = "\n[group web]\nIN ACCEPT -p tcp -dport 80\nIN DROP -p tcp -dport 445\n"
    texts = {
        "firewall/cluster.fw": f"[OPTIONS]\nenable: 1\npolicy_in: {policy}\n{NAMED}[RULES]\n{cluster}{group}",
        "local/host.fw": f"[RULES]\n{node}\n",
        "firewall/100.fw": f"[OPTIONS]\nenable: 1\npolicy_in: {policy}\n[RULES]\n{guest}\n",
    }
    for name, text in texts.items():
        (root / "etc/pve" / name).write_text(text)
    files = {name: fw.parse(text) for name, text in texts.items()}
    assert not any(found.faults for found in files.values())
    with contextlib.redirect_stderr(io.StringIO()) as complaints:
        compiled, _ = daemon.compile_now()
    assert complaints.getvalue() == ""
    ours = (
        verdict.node_in(files["firewall/cluster.fw"], files["local/host.fw"], Packet(source, port), LOCAL),
        verdict.guest("IN", files["firewall/cluster.fw"], files["firewall/100.fw"], Packet(source, port)),
    )
    packets = [simulate.Packet(source, "10.0.0.13", "tcp", port, None) for _ in ours]
    theirs = (
        simulate.to_host(compiled, packets[0]),
        simulate.to_guest(compiled, packets[1], "100i0", "vmbr0"),
    )
    assert [one.accepted for one in ours] == [said == "ACCEPT" for said in theirs], [
        one.reason for one in ours
    ]
