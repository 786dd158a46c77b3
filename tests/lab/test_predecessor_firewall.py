"""What went wrong with the firewall before Phoenix: each of these faults has a test that names it.

A policy in the wrong place that was never read, `iface x`, and shares whose port was shut are in
test_firewall.py; guests' rules in the datacenter's file in tests/unit/test_rules_firewall.py as well.
"""

import pytest
from tests.contract.ground import HOST, Scene

from phoenix_hypervisor import registry
from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.resource import Ref

GUEST = Ref(HOST, "firewall_guest", "101")
FILE = f"{fw.FOLDER}/101.fw"
CONF = f"etc/pve/nodes/{HOST}/lxc/101.conf"


def sections(rules):
    """A node with its firewall, and a guest with these rules in its own file."""
    around = registry.kind("firewall_guest").samples().around
    (stem, inside), *_ = around["guests"].items()
    guest = {**inside, "firewall_guest": {"rules": rules, "expose": {"8000": "lan"}}}
    return {**around, "guests": {stem: guest}, "firewall_node": {"expose": {}}}


@pytest.fixture(scope="module")
def _made(tmp_path_factory):
    scene = Scene.fresh(tmp_path_factory.mktemp("walled") / "site")
    scene.declare(sections([{"macro": "Ping"}]))
    run = scene.run(apply=True)
    assert run.code is ExitCode.OK, run.shown
    return scene, run


@pytest.fixture
def made(_made):
    """A node with its firewall and a guest behind it; nobody changes it."""
    return _made[0]


@pytest.fixture
def scene(made, tmp_path):
    """A copy of that, to be changed."""
    return made.copy(tmp_path / "site")


@pytest.fixture
def acts(_made):
    """What was run to make it."""
    return _made[1].acts


def text(scene, file):
    return (scene.node.root / file.lstrip("/")).read_text()


def test_rules_of_a_guest_are_on_in_its_file_and_on_its_interface(made):
    """There, rules were made without `enable: 1` in the guest's file: Proxmox ignores them then."""
    assert "\nenable: 1\n" in text(made, FILE)
    assert ",firewall=1," in text(made, CONF)
    assert b"create veth101i0-IN" in made.node.run("pve-firewall compile").stdout


def test_what_is_switched_off_behind_our_back_is_seen_and_on_again(scene):
    """There, a policy was declared, and for months nobody saw that the firewall did not run."""
    cluster = Ref(HOST, "firewall_cluster", HOST)
    switches = {fw.CLUSTER: ("enable: 1", "enable: 0"), CONF: ("firewall=1", "firewall=0")}
    switches[FILE] = switches[fw.CLUSTER]
    for file, change in switches.items():
        path = scene.node.root / file.lstrip("/")
        path.write_text(path.read_text().replace(*change))
    run = scene.run(apply=True)
    assert run.attributes(cluster) == {"enable", "firewall"}
    assert run.attributes(GUEST) == {"enable", "datacenter", "filtered"}
    assert run.code is ExitCode.OK, run.outcome.stuck
    assert [on in text(scene, file) for file, (on, _) in switches.items()] == [True, True, True]
    assert scene.run().steps == []


def test_only_verbs_that_proxmox_has_are_called(made, acts):
    """There, `pve-firewall set` and `pct set --firewall` were called, which are none: nothing happened."""
    assert made.node.run("pve-firewall set policy_in DROP").status == 255
    called = "\n".join(
        [*acts, *(path.read_text() for path in (made.node.root / "var/lib/phoenix").rglob("*.sh"))]
    )
    assert "pve-firewall compile" in called
    assert not [word for word in ("pve-firewall set", "--firewall", "pvesh", "ufw") if word in called]


def test_rules_are_not_taken_away_to_be_made_again_one_by_one(scene):
    """There, all rules of a guest were deleted through the API, then made anew: in between all was open."""
    before = (scene.node.root / FILE[1:]).stat().st_ino
    scene.declare(sections([{"macro": "Ping"}, {"port": 9100, "source": "lan"}]))
    run = scene.run(apply=True)
    assert run.code is ExitCode.OK
    changing = [act.splitlines()[-1] for act in run.acts]
    assert [line.split(" /etc/")[0].rsplit("/", 1)[1] for line in changing] == ["put.sh", "put.sh put"]
    assert "-dport 9100" in text(scene, FILE)
    assert (
        scene.node.root / FILE[1:]
    ).stat().st_ino != before  # a rename: the file is there whole or not at all


def test_the_firewall_is_not_restarted_by_a_run_that_changes_nothing(made):
    """There, every run wrote cluster.fw anew and restarted the firewall."""
    run = made.run(apply=True)
    assert (run.code, run.acts) == (ExitCode.OK, [])


def test_rules_of_a_guest_are_not_the_nodes(made):
    """There, rules of all guests were flattened into cluster.fw: they opened the node, and no guest."""
    assert fw.parse(text(made, fw.CLUSTER)).rules == ()
    compiled = made.node.run("pve-firewall compile").stdout.decode()
    about = [line for line in compiled.splitlines() if "--dport 8000 " in line]
    assert about == ["\t-A veth101i0-IN -s 10.0.0.0/24 -p tcp --dport 8000 -j ACCEPT"]
