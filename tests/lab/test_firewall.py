"""The firewall on a lab node: nobody is locked out, and what the predecessor got wrong stays right."""

import json
import shlex
import time

import pytest
from tests.contract.ground import HOST, Scene

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.firewall import sight
from phoenix_hypervisor.lab import door
from phoenix_hypervisor.lab.faults import Faults, Sort
from phoenix_hypervisor.resource import Ref

CLUSTER, NODE = Ref(HOST, "firewall_cluster", HOST), Ref(HOST, "firewall_node", HOST)
MANAGED = {"firewall_cluster": {"management": ["10.0.0.0/24"]}}
DISARM = "sh /var/lib/phoenix/scripts/firewall_cluster/put.sh disarm"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return Scene.fresh(tmp_path_factory.mktemp("firewall") / "bare")


@pytest.fixture
def scene(bare, tmp_path):
    return bare.copy(tmp_path / "site")


def refusals(run):
    return [refusal.reason for entry in run.plan.entries for refusal in entry.refusals]


def failures(run):
    """Why steps ended early."""
    return [ran.failure for ran in run.outcome.ran if ran.failure]


def on_node(scene, command):
    ended = scene.node.run(command)
    assert ended.status == 0, ended
    return ended.stdout.decode()


def text_of(scene, file=fw.CLUSTER):
    path = scene.node.root / file.lstrip("/").replace("etc/pve/local", f"etc/pve/nodes/{HOST}")
    return path.read_text() if path.exists() else None


def let_time_pass(scene, seconds):
    """Move all timers of the node so much nearer."""
    path = scene.node.root / "var/lib/phoenix-lab/timers.json"
    rows = [{**row, "due": row["due"] - seconds} for row in json.loads(path.read_text())]
    path.write_text(json.dumps(rows))


def loses_its_simulation(scene):
    """As where Proxmox's simulation meets a rule it does not know, and can tell nothing."""
    tool = scene.node.root / "usr/local/sbin/pve-firewall"
    lines = tool.read_text().splitlines()
    tool.write_text("\n".join([lines[0], '[ "$1" != simulate ] || exit 255', *lines[1:]]) + "\n")


# Nobody is locked out.


def test_a_rule_that_would_lock_us_out_is_refused_by_name_and_nothing_is_done(scene):
    scene.declare(
        {
            "firewall_cluster": {
                **MANAGED["firewall_cluster"],
                "rules": [{"action": "drop", "port": 22, "source": "any"}],
            }
        }
    )
    run = scene.run(apply=True)
    rule = "rule 1 of cluster.fw: IN DROP -p tcp -dport 22"
    assert refusals(run) == [
        (
            f"would lock us out: this very connection, from 10.0.0.254 to port 22: DROP by {rule}; "
            f"the management network 10.0.0.0/24, from 10.0.0.0 to port 22: DROP by {rule}"
        )
    ]
    assert (run.code, run.acts, text_of(scene)) == (ExitCode.FAILED, [], None)


def test_a_management_network_without_us_in_it_is_no_reason_to_lock_us_out(scene):
    """The local network that Proxmox finds by itself is another here: only that would have let us in."""
    scene.declare(
        {"firewall_cluster": {"management": ["10.9.0.0/24"], "aliases": {"local_network": "10.9.0.0/24"}}}
    )
    (said,) = refusals(scene.run())
    assert said == (
        "would lock us out: this very connection, from 10.0.0.254 to port 22: DROP by no rule of cluster.fw "
        "fits: policy_in DROP"
    )


def test_a_nodes_own_rule_that_would_lock_us_out_is_refused_beside_the_datacenters_file(scene):
    scene.declare(MANAGED)
    assert scene.run(apply=True).code is ExitCode.OK
    scene.declare(
        {**MANAGED, "firewall_node": {"rules": [{"action": "reject", "source": "10.0.0.254"}], "expose": {}}}
    )
    (said,) = refusals(scene.run(apply=True))
    assert said.startswith(
        "would lock us out: this very connection, from 10.0.0.254 to port 22: REJECT by rule 1"
    )
    assert text_of(scene, "/etc/pve/local/host.fw") is None


def test_the_plan_says_what_stays_open_and_how_it_is_taken_back(scene):
    scene.declare(MANAGED)
    (step,) = scene.run().steps
    assert step == (
        "write /etc/pve/firewall/cluster.fw, compile it, reload pve-firewall; taken back after 60 s unless a "
        "new connection comes through; stays open: this very connection, from 10.0.0.254 to port 22: "
        "ACCEPT by "
        "Proxmox opens 22 to the set `management`"
    )


def test_one_changed_rule_is_one_push_and_one_reload(scene):
    scene.declare(MANAGED)
    scene.run(apply=True)
    scene.declare({"firewall_cluster": {**MANAGED["firewall_cluster"], "rules": [{"macro": "Ping"}]}})
    on_node(scene, "sed -i '2i echo \"$*\" >>/root/calls' /usr/local/sbin/systemctl")
    run = scene.run(apply=True)
    acts = [act.splitlines()[-1] for act in run.acts]
    assert (run.code, len(acts)) == (ExitCode.OK, 4)
    assert on_node(scene, "grep -E 'reload|restart|start' /root/calls") == "reload-or-restart pve-firewall\n"
    assert run.trips <= 8
    put = "sh /var/lib/phoenix/scripts/firewall_cluster/put.sh"
    assert [act.split(" /etc/")[0] for act in acts[1:]] == [f"{put} arm", f"{put} put", f"{put} disarm"]
    assert "IN Ping(ACCEPT)\n" in text_of(scene)
    assert not (scene.node.root / "var/lib/phoenix-lab/timers.json").exists()


def test_what_proxmoxs_own_simulation_would_not_let_in_is_put_back_at_once(scene):
    """Somebody changed the other file after we had looked: the proof was about what is no longer there."""
    scene.declare(MANAGED)
    change = "printf '[RULES]\\nIN DROP -p tcp -dport 22\\n' >/etc/pve/local/host.fw"
    Faults(scene.node.folder).set(Sort.CHANGE, 3, change)
    run = scene.run(apply=True)
    assert failures(run)[0].endswith("left as it was: the firewall would not let in 10.0.0.254 22")
    assert run.outcome.stuck[CLUSTER].startswith("would lock us out: this very connection")  # looked at again
    assert text_of(scene) is None
    assert door.knock(scene.node) == ""


def test_cut_off_by_a_change_the_node_is_back_by_itself_within_the_declared_time(scene):
    scene.declare({"firewall_cluster": {**MANAGED["firewall_cluster"], "confirm_seconds": 45}})
    loses_its_simulation(scene)
    change = "printf '[RULES]\\nIN DROP -p tcp -dport 22\\n' >/etc/pve/local/host.fw"
    Faults(scene.node.folder).set(Sort.CHANGE, 3, change)
    began = time.time()
    run = scene.run(apply=True)
    assert failures(run)[0].endswith(
        "(its firewall drops what comes from 10.0.0.254); the node takes the change back by itself"
    )
    assert text_of(scene) is not None
    assert door.knock(scene.node).startswith("Connection timed out")
    (timer,) = json.loads((scene.node.root / "var/lib/phoenix-lab/timers.json").read_text())
    assert timer["due"] - began >= 45
    let_time_pass(scene, time.time() - began + 45)
    assert door.knock(scene.node) == ""
    assert text_of(scene) is None
    assert not (scene.node.root / "var/lib/phoenix/firewall/cluster.armed").exists()


def test_the_old_connection_confirms_nothing(scene):
    """The timer is stopped by an act of a connection of its own; the open one would prove nothing."""
    scene.declare(MANAGED)
    Faults(scene.node.folder).set(Sort.CHANGE, 3, "true")
    before = len(scene.node.actions())
    opened = []
    original = door.knock

    def counted(node):
        opened.append(len(node.actions()) - before)
        return original(node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "knock", counted)
        run = scene.run(apply=True)
    assert run.code is ExitCode.OK
    assert opened[-1] == 3  # after push, arm and put, and before disarm, somebody new came in
    assert run.acts[3].startswith(DISARM)


def test_a_change_that_was_never_confirmed_is_made_again_and_the_older_file_is_what_comes_back(scene):
    """Killed between the change and its confirmation: the next run must not take it for settled."""
    scene.declare(MANAGED)
    scene.run(apply=True)
    settled = text_of(scene)
    scene.declare({"firewall_cluster": {**MANAGED["firewall_cluster"], "rules": [{"macro": "Ping"}]}})
    Faults(scene.node.folder).set(Sort.DROP, len(scene.node.actions()) + 4)
    scene.run(apply=True)
    assert "Ping" in text_of(scene)
    plan = scene.run()
    assert plan.attributes(CLUSTER) == {"unconfirmed"}
    scene.run(apply=True)
    assert scene.run().code is ExitCode.OK
    assert "Ping" in text_of(scene)
    on_node(scene, "sh /var/lib/phoenix/scripts/firewall_cluster/put.sh arm /etc/pve/firewall/cluster.fw 60")
    on_node(scene, "rm /etc/pve/firewall/cluster.fw")
    on_node(scene, "sh /var/lib/phoenix/scripts/firewall_cluster/put.sh arm /etc/pve/firewall/cluster.fw 60")
    let_time_pass(scene, 61)
    assert door.knock(scene.node) == ""
    assert "Ping" in text_of(scene)
    assert settled is not None


def test_too_late_is_told_and_not_taken_for_confirmed(scene):
    put = "sh /var/lib/phoenix/scripts/firewall_cluster/put.sh"
    scene.declare(MANAGED)
    scene.run(apply=True)
    on_node(scene, f"{put} arm {fw.CLUSTER} 30")
    let_time_pass(scene, 31)
    door.knock(scene.node)
    ended = scene.node.run(f"{put} disarm {fw.CLUSTER}")
    said = f"the node took back the change of {fw.CLUSTER} before this connection came\n"
    assert (ended.status, ended.stderr.decode()) == (1, said)


def test_where_we_come_from_is_known_behind_sudo_too(scene):
    """sudo gives its command an environment of its own; the shell that called it still has ours."""
    asked = f"env -u SSH_CONNECTION sh -c {shlex.quote(sight.FILES)}; :"
    said = on_node(scene, f"SSH_CONNECTION='10.0.0.7 4711 10.0.0.13 2222' sh -c {shlex.quote(asked)}")
    assert sight.files(said).connection == ("10.0.0.7", 2222)
    assert sight.files(on_node(scene, sight.FILES)).connection is None  # nobody: a shell of the node's own


# Somebody else's files.


def test_a_foreign_file_is_left_alone_until_it_may_be_taken_over_and_comes_back_when_ours_goes(scene):
    theirs = "[OPTIONS]\n\nenable: 0\n\n[RULES]\n\nIN SSH(ACCEPT)\n\n"
    (scene.node.root / fw.CLUSTER[1:]).write_text(theirs)
    scene.declare(MANAGED)
    run = scene.run(apply=True)
    assert refusals(run) == [
        (
            "/etc/pve/firewall/cluster.fw is somebody else's, or was changed in the web interface "
            "(our mark is gone): "
            "move it away, or allow to take it over with `overwrite: true`"
        )
    ]
    assert (run.acts, text_of(scene)) == ([], theirs)
    scene.declare({"firewall_cluster": {**MANAGED["firewall_cluster"], "overwrite": True}})
    assert scene.run(apply=True).code is ExitCode.OK
    assert (scene.node.root / "var/lib/phoenix/kept/firewall/cluster").read_text() == theirs
    scene.declare({})
    assert scene.run(apply=True, prune=True).code is ExitCode.OK
    assert text_of(scene) == theirs


def test_no_mode_and_no_owner_is_asked_of_the_cluster_file_system(scene):
    """/etc/pve is FUSE: it refuses chmod and chown, and knows renames."""
    scene.declare({**MANAGED, "firewall_node": {}})
    run = scene.run(apply=True)
    assert run.code is ExitCode.OK
    script = (scene.node.root / "var/lib/phoenix/scripts/firewall_cluster/put.sh").read_text()
    words = set(script.replace("\n", " ").split())
    assert not {"chmod", "chown", "ln", "install"} & words
    assert not [act for act in run.acts if "chmod" in act and "/etc/pve" in act]


def test_only_interfaces_as_they_are_now_count_not_those_of_snapshots(scene):
    conf = (
        "net0: name=eth0,bridge=vmbr0,firewall=1\nnet1: name=eth1,bridge=vmbr0\n\n[old]\nnet2: firewall=1\n"
    )
    (scene.node.root / "etc/pve/lxc/101.conf").write_text(conf)
    (scene.node.root / "etc/pve/lxc/102.conf").write_text("net0: name=eth0,bridge=vmbr0,firewall=0\n")
    said = on_node(scene, sight.INTERFACES)
    assert sight.interfaces(said, "101") == {"net0": True, "net1": False}
    assert sight.interfaces(said, "102") == {"net0": False}
    assert sight.interfaces(said, "103") == {}


# What the predecessor got wrong.


def test_a_policy_that_is_declared_is_on(scene):
    """There, the policy stood in the wrong section, was never read, and the firewall was stopped instead."""
    scene.declare(MANAGED)
    assert scene.run(apply=True).code is ExitCode.OK
    assert on_node(scene, "pve-firewall status") == "Status: enabled/running\n"
    on_node(scene, "pve-firewall stop")
    assert scene.run().attributes(CLUSTER) == {"firewall"}
    assert scene.run(apply=True).code is ExitCode.OK
    assert on_node(scene, "pve-firewall status") == "Status: enabled/running\n"


def test_a_section_in_the_wrong_place_is_an_error_not_silence(scene):
    from phoenix_hypervisor.errors import InputError

    with pytest.raises(InputError, match="unknown key `firewall`"):
        scene.declare({"zfs_arc": {"max": "4G", "firewall": {"enabled": True}}})


def test_rules_are_in_proxmoxs_own_syntax(scene):
    """There, `iface x` was written, which Proxmox skips with a warning nobody read."""
    scene.declare(
        {
            **MANAGED,
            "firewall_node": {"rules": [{"port": 9100, "source": "10.0.0.0/24", "interface": "vmbr0"}]},
        }
    )
    assert scene.run(apply=True).code is ExitCode.OK
    assert "IN ACCEPT -i vmbr0 -source 10.0.0.0/24 -p tcp -dport 9100\n" in text_of(
        scene, "/etc/pve/local/host.fw"
    )
    assert scene.node.run("pve-firewall compile").stderr == b""


def test_a_line_that_proxmox_skips_is_found(scene):
    scene.declare(MANAGED)
    scene.run(apply=True)
    on_node(scene, f"printf '[RULES]\\nIN ACCEPT iface vmbr0\\n' >>{fw.CLUSTER}")
    assert scene.run().attributes(CLUSTER) >= {"skipped"}
    assert scene.run(apply=True).code is ExitCode.OK


def test_samba_and_nfs_are_open_to_their_clients_while_everything_else_is_dropped(scene):
    """There, the policy dropped and no rule opened 445: shares nobody reached."""
    around = {
        "zfs_pool": {"tank": {"vdevs": [{"type": "mirror", "disks": ["nvme-SAMPLE_1", "nvme-SAMPLE_2"]}]}},
        "zfs_dataset": {"tank/one": {}, "tank/two": {}},
        "nfs_export": {"/tank/one": {"clients": {"10.0.0.0/24": ["rw"]}}},
        "samba_share": {"two": {"path": "/tank/two", "options": {"hosts allow": "10.0.0.0/24 10.3.0.9"}}},
    }
    scene.declare({**around, **MANAGED, "firewall_node": {}})
    run = scene.run(apply=True)
    assert run.outcome.stuck == {}
    rules = [str(rule) for rule in fw.parse(text_of(scene, "/etc/pve/local/host.fw")).rules]
    assert rules == [
        "IN ACCEPT -source 10.0.0.0/24 -p tcp -dport 2049 # for nfs_export:/tank/one",
        "IN ACCEPT -source 10.0.0.0/24,10.3.0.9 -p tcp -dport 445 # for samba_share:two",
    ]
    probe = "pve-firewall simulate --from outside --to host --source {} --dport {} | tail -n 1"
    said = {
        (source, port): on_node(scene, probe.format(source, port)).strip()
        for source, port in (("10.0.0.7", 445), ("10.3.0.9", 445), ("10.3.0.9", 2049), ("10.4.0.1", 445))
    }
    assert list(said.values()) == ["ACTION: ACCEPT", "ACTION: ACCEPT", "ACTION: DROP", "ACTION: DROP"]
