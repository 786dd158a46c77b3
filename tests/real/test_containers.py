"""Containers declared in files, made by `phoenix apply` in LXC itself, on a node with systemd."""

from collections.abc import Iterator

import pytest

from .cluster import Cluster
from .guests import Housed, declared

pytestmark = pytest.mark.real

WHO = "hostname; cat /etc/machine-id /sys/class/net/eth0/address"


@pytest.fixture(scope="module")
def _housed(_cluster: Cluster) -> Iterator[Housed]:
    with declared(_cluster) as found:
        yield found


@pytest.fixture
def housed(_housed: Housed) -> Housed:
    """A node that has just been installed, with containers declared on it."""
    _housed.cluster.fresh()
    _housed.declare_all()
    return _housed


@pytest.fixture
def made(_housed: Housed) -> Housed:
    """A node with its containers as declared."""
    if not _housed.cluster.settled:
        _housed.cluster.fresh()
    _housed.declare_all()
    applied = _housed.apply()
    assert applied.status == 0, applied.told
    _housed.cluster.settled = False
    return _housed


def test_declared_containers_are_made_sealed_cloned_and_finished(housed):
    applied = housed.apply()

    assert applied.status == 0, applied.told
    node = housed.node
    assert node.run("lxc-ls --running -1") == "951\n952\n"
    assert node.run("pct listsnapshot 900").split()[1] == "phoenix_layer"
    chat, web = housed.inside(951, WHO).split(), housed.inside(952, WHO).split()
    assert (chat[0], web[0]) == ("chat", "web")
    assert len(chat) == len(web) == 3
    assert not set(chat) & set(web)
    node.run("ping -c 1 -W 5 10.77.0.51; ping -c 1 -W 5 10.77.0.52")
    assert housed.inside(952, "ping -c 1 -W 5 10.77.0.51 >/dev/null && echo there") == "there\n"
    assert housed.inside(951, "cat /etc/made /etc/chat.conf; stat -c '%U:%G %a' /etc/chat.conf") == (
        "once, in the layer\nport = 8000\nroot:chat 640\n"
    )
    before = node.state()
    second = housed.apply("--json")
    assert (second.status, second.document["steps"]) == (0, [])
    verified = housed.site.run("verify", "-k", "lxc")
    assert verified.status == 0, verified.told
    assert node.state() == before


def test_a_container_has_what_it_was_declared_to_have_and_no_more(made):
    assert made.inside(951, "touch /data/kept; stat -c %u /data /data/kept") == "0\n0\n"
    assert (
        made.inside(951, "stat -c '%u %g %a' /dev/fuse; exec 3<>/dev/fuse && echo open")
        == "0 1000 660\nopen\n"
    )
    assert made.inside(951, "tr '\\0' '\\n' </proc/1/environ | grep SAID") == "SAID=raw\n"
    # a folder of the node's is nobody's in there, unless an owner was declared
    assert "Permission denied" in made.inside(951, "touch /mnt/theirs/mine")
    assert made.inside(951, "su chat -c 'touch /mnt/ours/mine'; stat -c %u /mnt/ours/mine") == "1000\n"
    assert made.node.run("stat -c %u:%g /tank/ours /tank/ours/mine") == "101000:101000\n101000:101000\n"
    made.cluster.settled = True


def test_a_user_of_a_container_can_be_the_same_on_the_node(made):
    assert made.node.run("grep -x root:1000:1 /etc/subuid /etc/subgid") == (
        "/etc/subuid:root:1000:1\n/etc/subgid:root:1000:1\n"
    )
    assert "Permission denied" in made.inside(952, "su nobody -s /bin/sh -c 'touch /mnt/same/mine'")
    assert (
        made.inside(952, "su chat -c 'touch /mnt/same/mine'; stat -c %u:%g /mnt/same/mine") == "1000:1000\n"
    )
    assert made.node.run("stat -c %u:%g /tank/same /tank/same/mine") == "1000:1000\n1000:1000\n"

    made.node.run("printf 'root:100000:65536' >/etc/subuid")
    applied = made.apply("--json")

    assert applied.status == 0, applied.told
    titles = [step["title"] for step in applied.document["steps"]]
    assert titles == ["write root:1000:1 into /etc/subuid"]
    assert made.node.run("cat /etc/subuid") == "root:100000:65536\nroot:1000:1\n"


def test_after_a_boot_of_the_node_only_what_does_not_start_with_it_is_started(made):
    node = made.node
    node.shut_down()
    node.start()
    node.wait()
    assert node.run("lxc-ls --running -1") == "951\n"

    applied = made.apply("--json")

    assert applied.status == 0, applied.told
    assert [step["title"] for step in applied.document["steps"]] == ["pct start 952, wait until it is ready"]
    assert made.inside(951, "cat /etc/chat.conf") == "port = 8000\n"


def test_what_can_be_changed_while_it_runs_is_and_the_rest_waits_for_a_restart(made):
    init = made.node.run("lxc-info -n 951 -pH")
    made.declare("951-chat", "memory: 64M", "memory: 96M")
    made.declare("951-chat", "port = 8000", "port = 9000")

    applied = made.apply()

    assert applied.status == 0, applied.told
    assert made.node.run("sed -n 's/^memory: //p' /etc/pve/lxc/951.conf") == "96\n"
    assert made.inside(951, "cat /etc/chat.conf") == "port = 9000\n"
    assert made.node.run("lxc-info -n 951 -pH") == init

    made.declare("951-chat", "SAID=raw", "SAID=more")
    made.declare("951-chat", "restart: auto", "restart: manual")
    waits = made.apply()
    assert made.node.run("lxc-info -n 951 -pH") == init
    assert waits.status == 1, waits.told
    assert "pending" in waits.told
    asked = "tr '\\0' '\\n' </proc/1/environ | grep SAID"
    assert made.inside(951, asked) == "SAID=raw\n"

    made.declare("951-chat", "restart: manual", "restart: auto")
    restarted = made.apply()
    assert restarted.status == 0, restarted.told
    assert made.inside(951, asked) == "SAID=more\n"


def test_a_container_that_does_not_come_up_reports_what_lxc_said(made):
    made.declare("952-web", "  mounts:", "  raw: { lxc.hook.pre-start: /bin/false }\n  mounts:")

    applied = made.apply()

    assert applied.status == 1, applied.told
    assert 'Failed to run lxc.hook.pre-start for container "952"' in applied.told
    assert made.node.run("lxc-ls --running -1") == "951\n"

    made.declare("952-web", "  raw: { lxc.hook.pre-start: /bin/false }\n", "")
    mended = made.apply()
    assert mended.status == 0, mended.told
    assert made.node.run("lxc-ls --running -1") == "951\n952\n"


def test_a_container_that_shall_not_be_is_destroyed_with_our_leave_only(made):
    made.inside(951, "su chat -c 'echo film >/mnt/ours/film'; echo gone >/data/kept")
    made.declare("952-web", "lxc:", "lxc:\n  state: stopped")
    stopped = made.apply()
    assert stopped.status == 0, stopped.told
    assert made.node.run("lxc-ls --running -1") == "951\n"
    made.declare("951-chat", "lxc:", "lxc:\n  state: absent\n  destroy_volumes: true")

    refused = made.apply()

    assert refused.status == 1, refused.told
    assert "--allow-destroy lxc:951" in refused.told
    assert made.inside(951, "cat /data/kept") == "gone\n"

    destroyed = made.apply("--allow-destroy", "lxc:951")

    assert destroyed.status == 0, destroyed.told
    assert made.node.run(
        "cat /tank/ours/film; ls /etc/pve/lxc; zfs list -H -o name | grep -c -- -951- || :"
    ) == ("film\n900.conf\n952.conf\n0\n")
