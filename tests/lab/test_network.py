"""A node's own network: what is right is left alone, what cuts us off is taken back, guests stay on."""

import json
import time

import pytest
from tests.contract.ground import HOST, Scene

from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.lab import door
from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.resource import Ref

MAIN = "etc/network/interfaces"
OURS = "etc/network/interfaces.d/phoenix-"
PUT = "sh /var/lib/phoenix/scripts/network_interface/put.sh"
INSTALLED = {"ports": ["eno1"], "addresses": ["10.0.0.13/24"], "gateway": "10.0.0.1"}
"""What the installer of Proxmox has written."""
SECOND = {"ports": ["eno2"], "addresses": ["10.9.0.1/24"]}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return Scene.fresh(tmp_path_factory.mktemp("network") / "bare")


@pytest.fixture
def scene(bare, tmp_path):
    return bare.copy(tmp_path / "site")


def ref(name):
    return Ref(HOST, "network_interface", name)


def declare(scene, **interfaces):
    scene.declare({"network_interface": {name.replace("__", "."): one for name, one in interfaces.items()}})


def refusals(run):
    return [refusal.reason for entry in run.plan.entries for refusal in entry.refusals]


def on_node(scene, command):
    ended = scene.node.run(command)
    assert ended.status == 0, ended
    return ended.stdout.decode()


def text_of(scene, file):
    path = scene.node.root / file
    return path.read_text() if path.exists() else None


def links(scene):
    return {row["ifname"]: row for row in json.loads(on_node(scene, "ip -j -d addr show"))}


def addresses(scene, name):
    return [f"{one['local']}/{one['prefixlen']}" for one in links(scene)[name]["addr_info"]]


def let_time_pass(scene, seconds):
    """Move all timers of the node so much nearer."""
    path = scene.node.root / "var/lib/phoenix-lab/timers.json"
    rows = [{**row, "due": row["due"] - seconds} for row in json.loads(path.read_text())]
    path.write_text(json.dumps(rows))


def verbs(run):
    """What our script was called with."""
    lines = [act.splitlines()[-1] for act in run.acts]
    return [line.removeprefix(PUT).split()[0] for line in lines if line.startswith(PUT)]


# What the predecessor got wrong.


def test_the_installer_s_bridge_is_left_as_it_is_where_it_says_the_same(scene):
    """There, a second stanza of vmbr0, without ports, was written beside the installer's."""
    declare(scene, vmbr0=INSTALLED)
    run = scene.run(apply=True)
    assert (run.code, run.steps, run.acts) == (ExitCode.OK, [], [])
    assert text_of(scene, OURS + "vmbr0") is None


def test_a_bridge_that_does_not_say_its_ports_is_an_error(scene):
    """There, it had none, and its real one was lost with the next restart of the network."""
    from phoenix_hypervisor.errors import InputError

    with pytest.raises(InputError, match="a bridge says its `ports`, and `\\[\\]` for none"):
        declare(scene, vmbr0={"addresses": ["10.0.0.13/24"]})


def test_the_network_is_never_restarted_and_loaded_only_when_something_changed(scene):
    """There, it was restarted by every run, and all guests lost their ports."""
    declare(scene, vmbr0=INSTALLED, vmbr1=SECOND)
    first, second = scene.run(apply=True), scene.run(apply=True)
    assert (first.code, verbs(first)) == (ExitCode.OK, ["put", "arm", "load", "disarm"])
    assert (second.code, second.acts) == (ExitCode.OK, [])
    script = text_of(scene, "var/lib/phoenix/scripts/network_interface/put.sh")
    assert not [word for word in ("networking", "ifdown", "ifup ") if word in script]
    assert not [act for act in first.acts if "networking" in act]


# Several at once.


def test_what_changes_together_is_loaded_by_one_ifreload_with_one_confirmation(scene):
    """The node's address moves into a VLAN: either half alone would cut us off."""
    declare(
        scene,
        vmbr0={"ports": ["eno1"], "vlan_aware": True, "vids": "2-4094", "overwrite": True},
        vmbr0__20={"addresses": ["10.0.0.13/24"], "gateway": "10.0.0.1", "mtu": 1400},
        bond0={"bond": {"members": ["eno2", "eno3"], "mode": "802.3ad"}},
        vmbr1={"ports": ["bond0"]},
    )
    run = scene.run(apply=True)
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    assert verbs(run) == ["take", "take", "put", "put", "put", "put", "arm", "load", "disarm"]
    assert addresses(scene, "vmbr0.20") == ["10.0.0.13/24"]
    assert addresses(scene, "vmbr0") == []
    found = links(scene)
    assert found["vmbr0.20"]["linkinfo"]["info_data"]["id"] == 20
    assert {name: found[name].get("master") for name in ("eno1", "eno2", "bond0")} == {
        "eno1": "vmbr0", "eno2": "bond0", "bond0": "vmbr1",
    }  # fmt: skip
    assert text_of(scene, OURS + "vmbr0.20") == (
        "# Written by phoenix: network_interface:vmbr0.20. Changed by hand, it is written again.\n"
        "auto vmbr0.20\niface vmbr0.20 inet static\n\taddress 10.0.0.13/24\n\tgateway 10.0.0.1\n\tmtu 1400\n"
    )
    assert scene.run(apply=True).acts == []


# Somebody else's stanzas.


def test_a_stanza_that_says_something_else_is_left_alone_until_it_may_be_taken_over(scene):
    before = text_of(scene, MAIN)
    wanted = {**INSTALLED, "gateway": "10.0.0.2", "vlan_aware": True}
    declare(scene, vmbr0=wanted)
    run = scene.run(apply=True)
    assert refusals(run) == [
        (
            "somebody else defines it in /etc/network/interfaces:7, with gateway 10.0.0.1; vlan_aware no: "
            "change it there, or allow to take it over: `overwrite: true`"
        )
    ]
    assert (run.acts, text_of(scene, MAIN)) == ([], before)
    declare(scene, vmbr0={**wanted, "overwrite": True})
    run = scene.run(apply=True)
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    lines = before.splitlines()
    assert text_of(scene, MAIN).splitlines() == [*lines[:5], *lines[12:]]  # the rest byte for byte
    assert scene.run(apply=True).acts == []
    declare(scene)
    assert scene.run(apply=True, prune=True).code is ExitCode.OK
    assert (text_of(scene, MAIN), text_of(scene, OURS + "vmbr0")) == (before, None)
    assert addresses(scene, "vmbr0") == ["10.0.0.13/24"]
    assert not (scene.node.root / "var/lib/phoenix/kept/network_interface/vmbr0").exists()


def test_what_was_taken_out_comes_back_at_the_end_of_a_file_that_others_have_changed(scene):
    declare(scene, vmbr0={**INSTALLED, "mtu": 9000, "overwrite": True})
    scene.run(apply=True)
    on_node(scene, f"echo '# theirs' >>/{MAIN}")
    declare(scene)
    assert scene.run(apply=True, prune=True).code is ExitCode.OK
    text = text_of(scene, MAIN)
    theirs, _, back = text.partition("# theirs\n")
    assert "vmbr0" not in theirs
    assert back.splitlines()[-1] == "auto vmbr0" or "auto vmbr0" in back
    assert "iface vmbr0 inet static\n\taddress 10.0.0.13/24\n" in back


def test_a_stanza_beside_ours_is_found(scene):
    declare(scene, vmbr1=SECOND)
    scene.run(apply=True)
    on_node(scene, f"printf 'iface vmbr1 inet manual\\n' >>/{MAIN}")
    run = scene.run()
    assert run.attributes(ref("vmbr1")) == {"foreign"}
    assert refusals(run)[0].startswith(
        "somebody else defines it in /etc/network/interfaces:15, with method manual; "
    )


def test_a_folder_that_is_not_read_is_said_before_anything_is_written(scene):
    on_node(scene, f"sed -i '/^source/d' /{MAIN}")
    declare(scene, vmbr1=SECOND)
    run = scene.run(apply=True)
    said = "/etc/network/interfaces does not read /etc/network/interfaces.d: add the line"
    assert refusals(run) == [f"{said} `source /etc/network/interfaces.d/*` to it"]
    assert run.acts == []


# What would not work, or would cut somebody off.


def test_a_port_that_the_machine_does_not_have_is_refused_and_one_that_is_declared_is_not(scene):
    declare(
        scene, vmbr1={"ports": ["eno9", "bond0"]}, bond0={"bond": {"members": ["eno2"], "mode": "802.3ad"}}
    )
    assert refusals(scene.run()) == [
        "the machine has no eno9, and no `network_interface` of that name is declared"
    ]


def test_a_second_default_gateway_beside_the_installer_s_is_refused(scene):
    declare(scene, vmbr1={**SECOND, "gateway": "10.9.0.254"})
    assert refusals(scene.run()) == [
        (
            "a second default gateway: vmbr0 has one too, in /etc/network/interfaces:7; "
            "a node has one way out of each family"
        )
    ]


def test_the_address_by_which_we_came_is_not_taken_away(scene):
    declare(scene, vmbr0={"ports": ["eno1"], "addresses": ["10.0.0.14/24"], "overwrite": True})
    run = scene.run(apply=True)
    assert refusals(run) == [
        (
            "would lock us out: this very connection goes to 10.0.0.13, and nothing would have that; "
            "declare it beside the new one first, change inventory/, and then take it out"
        )
    ]
    assert run.acts == []


def test_a_bridge_with_guests_is_not_removed(scene):
    declare(scene, vmbr1=SECOND)
    scene.run(apply=True)
    guest = {"running": 1, "plan": {"bridges": [[0, "vmbr1"]]}}
    path = scene.node.root / "var/lib/phoenix-lab/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"guests": {"101": guest}}))
    declare(scene, vmbr1={"state": "absent", "ports": []})
    assert refusals(scene.run(apply=True)) == ["guests hang on it, and would be cut off: veth101i0"]
    declare(scene)
    run = scene.run(apply=True, prune=True)
    assert "guests hang on vmbr1, and would be cut off: veth101i0" in run.outcome.ran[0].failure
    assert (links(scene)["veth101i0"]["master"], run.code) == ("vmbr1", ExitCode.FAILED)
    declare(scene, vmbr1={**SECOND, "ports": ["eno3"]})
    run = scene.run(apply=True)
    assert (run.code, [s.interrupts for e in run.plan.entries for s in e.steps if s.interrupts]) == (
        ExitCode.OK,
        ["veth101i0"],
    )
    assert links(scene)["veth101i0"]["master"] == "vmbr1"  # it stayed on its bridge


def test_files_that_ifupdown_does_not_understand_are_not_loaded(scene):
    declare(scene, vmbr1=SECOND)
    Faults(scene.node.folder).set(Sort.CHANGE, 3, f"printf '\\tbridge-portz eno3\\n' >>/{OURS}vmbr1")
    run = scene.run(apply=True)
    said = "the files are as they were: error: /etc/network/interfaces.d/phoenix-vmbr1: line8: iface vmbr1: "
    failure = next(ran.failure for ran in run.outcome.ran if ran.failure)
    assert failure.endswith(f"{said}unsupported keyword (bridge-portz)")
    assert text_of(scene, OURS + "vmbr1") is None
    assert "vmbr1" not in links(scene)
    assert not list((scene.node.root / "var/lib/phoenix/before").glob("network.armed"))


def test_somebody_else_s_faults_do_not_keep_ours_from_being_loaded(scene):
    on_node(scene, f"printf 'auto eno4\\niface eno4 inet manual\\n\\tbridge-portz eno3\\n' >>/{MAIN}")
    declare(scene, vmbr1=SECOND)
    run = scene.run(apply=True)
    assert (run.code, run.outcome.stuck) == (ExitCode.OK, {})
    assert "vmbr1" in links(scene)


# Cut off.


def test_connection_lost_during_a_change_the_node_is_back_by_itself_within_the_declared_time(scene):
    """The bridge with our address hangs on the wrong card: no rule can know that, and the node is alone."""
    before = text_of(scene, MAIN)
    declare(scene, vmbr0={**INSTALLED, "ports": ["eno2"], "overwrite": True, "confirm_seconds": 45})
    began = time.time()
    run = scene.run(apply=True)
    assert run.outcome.lost[HOST].message.startswith(f"host `{HOST}`: the connection broke")
    assert door.knock(scene.node) == "No route to host (nothing leads from outside to 10.0.0.13)"
    (timer,) = json.loads((scene.node.root / "var/lib/phoenix-lab/timers.json").read_text())
    assert timer["due"] - began >= 45
    assert timer["unit"] == "phoenix-network.timer"
    let_time_pass(scene, time.time() - began + 45)
    assert door.knock(scene.node) == ""
    assert (text_of(scene, MAIN), text_of(scene, OURS + "vmbr0")) == (before, None)
    assert (links(scene)["eno1"]["master"], addresses(scene, "vmbr0")) == ("vmbr0", ["10.0.0.13/24"])
    assert not (scene.node.root / "var/lib/phoenix/kept/network_interface/vmbr0/1/file").exists()
    declare(scene, vmbr0={**INSTALLED, "mtu": 9000, "overwrite": True})
    assert scene.run(apply=True).code is ExitCode.OK
    declare(scene)
    assert scene.run(apply=True, prune=True).code is ExitCode.OK
    assert text_of(scene, MAIN) == before


def test_a_change_that_was_never_confirmed_is_noticed_and_what_was_there_before_is_what_comes_back(scene):
    declare(scene, vmbr1=SECOND)
    scene.run(apply=True)
    settled = text_of(scene, OURS + "vmbr1")
    declare(scene, vmbr1={**SECOND, "mtu": 9000})
    Faults(scene.node.folder).set(Sort.DROP, len(scene.node.actions()) + 6)
    scene.run(apply=True)
    assert text_of(scene, OURS + "vmbr1") != settled
    plan = scene.run()
    assert "unconfirmed" in plan.attributes(ref("vmbr1"))
    on_node(scene, f"{PUT} arm 30")
    let_time_pass(scene, 31)
    assert door.knock(scene.node) == ""
    assert (text_of(scene, OURS + "vmbr1"), links(scene)["vmbr1"]["mtu"]) == (settled, 1500)
    assert scene.run(apply=True).code is ExitCode.OK
    assert (scene.run().code, links(scene)["vmbr1"]["mtu"]) == (ExitCode.OK, 9000)


# By hand.


def test_what_somebody_did_by_hand_is_found_and_one_ifreload_puts_it_right(scene):
    both = ["10.9.0.1/24", "fd00:9::1/64"]
    declare(scene, vmbr1={"ports": ["eno2"], "addresses": both, "mtu": 9000, "gateway6": "fd00:9::2"})
    scene.run(apply=True)
    on_node(scene, "ip link set vmbr1 mtu 1280; ip addr del 10.9.0.1/24 dev vmbr1; ip link set vmbr1 down")
    on_node(scene, "ip addr add 10.9.0.99/24 dev vmbr1")
    run = scene.run(apply=True)
    assert run.outcome.looks[ref("vmbr1")].reasons == ()
    assert run.attributes(ref("vmbr1")) == {"up", "running_mtu", "running_addresses", "running_gateways"}
    assert (run.code, verbs(run)) == (ExitCode.OK, ["arm", "load", "disarm"])


def test_a_boot_brings_up_what_the_files_say_and_nothing_else(scene):
    declare(scene, vmbr1=SECOND, vmbr2={"ports": ["eno3"], "auto": False})
    scene.run(apply=True)
    on_node(scene, "ip addr add 10.9.0.99/24 dev vmbr1")
    on_node(scene, "PYTHONPATH=/run/phoenix-lab python3 -c 'import boot_network; boot_network.boot()'")
    assert addresses(scene, "vmbr1") == ["10.9.0.1/24"]
    assert "vmbr2" not in links(scene)
    assert scene.run().code is ExitCode.OK


def test_the_lab_s_tools_list_the_files_and_are_loud_about_what_they_do_not_know(scene):
    assert on_node(scene, "ifquery --list") == "lo\nvmbr0\n"
    said = scene.node.run(
        "ip route add default via 10.0.0.9; echo $?; ifreload -c; echo $?; ifreload; echo $?"
    )
    assert said.stdout == b"70\n70\n1\n"
    assert said.stderr.decode() == (
        "ip: not simulated: route add default via 10.0.0.9\nifreload: not simulated: -c\n"
        "error: '-a' or '-c' option is required\n"
    )
