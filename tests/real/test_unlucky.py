"""Nodes that cannot be reached, runs that are cut, two runs at once: on systemd nodes over ssh."""

import re
import signal

import pytest

pytestmark = pytest.mark.real

CONTENT = "pvesm set tank-iso --content iso"


def drift(*nodes):
    for node in nodes:
        node.run(CONTENT)
        assert not repaired(node)


def repaired(*nodes):
    """Whether the storage takes what it is declared to take, in whatever order."""
    shown = [set(node.run("sed -n 's/^.content //p' /etc/pve/storage.cfg").split()) for node in nodes]
    return all(words & {"iso,vztmpl", "vztmpl,iso"} for words in shown)


def said(process):
    out, err = process.communicate(timeout=600)
    return out + err


@pytest.mark.parametrize("cut", ["unplug", "kill"])
def test_a_node_lost_in_the_middle_stops_no_other(converged, cut):
    alpha, beta, gamma = converged
    drift(*converged)
    converged.hold("beta", "pvesm", "set")

    apply = converged.site.start("apply", "--yes")
    converged.until_held("beta")
    getattr(beta, cut)()
    told = said(apply)

    assert apply.returncode == 3, told
    assert told.count("host `beta`") == 1, told
    assert "host `beta`: the connection broke" in told
    assert repaired(alpha, gamma)
    if cut == "unplug":
        beta.plug_in()
    else:
        beta.start()
        beta.wait()
    converged.let_go()
    again = converged.apply()
    assert (again.status, repaired(beta)) == (0, True), again


WRONG = {
    "host-key": (
        {"host_keys": {"beta": "stranger"}},
        "Host key verification failed.",
        "the host's key is not",
    ),
    "client-key": (
        {"identities": {"beta": "stranger"}},
        "root@10.77.0.12: Permission denied (publickey,password).",
        "the node refused our keys",
    ),
    "name": (
        {"hostnames": {"beta": "beta.invalid"}},
        "ssh: Could not resolve hostname beta.invalid: ",
        "check `hostname`",
    ),
    "nobody-there": (
        {"hostnames": {"beta": "10.77.0.99"}},
        "ssh: connect to host 10.77.0.99 port 22: No route to host",
        "the node does not answer",
    ),
    "no-sshd": (
        {"hostnames": {"beta": "10.77.0.1"}},
        "ssh: connect to host 10.77.0.1 port 22: Connection refused",
        "nothing listens there",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_node_that_cannot_be_reached_is_said_once_with_what_to_do(converged, wrong):
    reach, words, hint = WRONG[wrong]
    drift(converged["alpha"])
    converged.site.forget_connections()
    converged.site.reach(**reach)
    try:
        applied = converged.apply()
    finally:
        converged.site.reach()

    assert applied.status == 3, applied
    lines = (applied.out + applied.err).splitlines()
    found = [n for n, line in enumerate(lines) if "beta" in line]
    assert len(found) == 1, applied
    assert lines[found[0]].startswith(f"? host `beta` cannot be reached: {words}")
    assert lines[found[0] + 1].startswith(f"  hint: {hint}")
    assert repaired(converged["alpha"])
    converged.settled = True  # beta never saw any of it


def test_of_two_applies_the_second_is_told_who_is_at_work(converged):
    alpha, beta, _ = converged
    drift(alpha)
    converged.hold("alpha", "pvesm", "set")
    first = converged.site.start("apply", "--yes")
    converged.until_held("alpha")
    drift(beta)
    before = beta.state()

    second = converged.apply()

    assert second.status == 1
    assert second.out == ""
    assert re.fullmatch(
        rf"error: host `alpha` is being changed by another run: \S+@\S+, process {first.pid}, "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n"
        r"  hint: wait for it; a run that has died frees the lock with its connection "
        r"\(on the node: `fuser -v /run/lock/phoenix\.lock` says which process holds it\)\n",
        second.err,
    ), second.err
    assert beta.state() == before

    first.send_signal(signal.SIGKILL)
    said(first)
    converged.let_go()
    third = converged.apply()
    assert third.status == 0, third


def test_a_run_that_is_killed_in_the_middle_is_taken_up_by_the_next(fresh):
    fresh.hold("beta", "zfs", "create")
    killed = fresh.site.start("apply", "--yes")
    fresh.until_held("beta")
    killed.send_signal(signal.SIGKILL)
    said(killed)
    fresh.let_go()

    applied = fresh.apply()

    assert applied.status == 0, applied
    assert applied.out.endswith(" steps run; 39 resources as declared\n")
    assert f"{applied.err.count('✓')} steps run;" in applied.out
    assert fresh.apply("--json").document["steps"] == []
