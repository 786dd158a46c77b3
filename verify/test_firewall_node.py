"""A node's own firewall: as declared, in effect, and open to those who administer."""

import pytest

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall import sight


def test_present(host, firewall_node):
    assert (sight.NODE_FILE in _files(host).texts) == firewall_node.present


@pytest.mark.precondition
def test_makes_no_lock_out(host, firewall_node):
    """Neither this connection nor a management network would be cut off."""
    assert {"lockout": _proof(host, firewall_node).reason} == {"lockout": ""}


def test_lock_out(host, firewall_node):
    """Neither this connection nor a management network would be cut off."""
    assert {"lockout": _proof(host, firewall_node).reason} == {"lockout": ""}


def test_foreign(host, firewall_node):
    """A file of somebody else, or one whose mark is gone, is not ours to change."""
    found = sight.foreign(_files(host), sight.NODE_FILE, firewall_node.own_mark)
    assert {"foreign": "" if firewall_node.overwrite else found} == {"foreign": ""}


def test_confirmed(host, firewall_node):
    """No change waits to be taken back: it was confirmed through a new connection."""
    assert {"unconfirmed": "host" in _files(host).armed} == {"unconfirmed": False}


def test_settings(host, firewall_node):
    assert sight.shown(_files(host).firewall(sight.NODE_FILE)) == sight.shown(firewall_node.firewall)


def test_rules(host, firewall_node):
    actual = [str(rule) for rule in _files(host).firewall(sight.NODE_FILE).rules]
    assert {"rules": actual} == {"rules": [str(rule) for rule in firewall_node.firewall.rules]}


def test_understood(host, firewall_node):
    """Proxmox skips lines it does not understand: they would do nothing."""
    assert {"skipped": list(_files(host).firewall(sight.NODE_FILE).faults)} == {"skipped": []}


def test_effective(host, firewall_node):
    """Without the datacenter's firewall none of this does anything."""
    wanted = "on" if firewall_node.enable else ""
    assert {"datacenter": sight.switched(_files(host)) if wanted else ""} == {"datacenter": wanted}


@pytest.mark.probe
def test_lets_in_and_keeps_out(host, firewall_node):
    """Proxmox's own simulation does with what is served what the rules say."""
    if not firewall_node.enable:
        pytest.skip("the node's firewall is declared off")
    found = _files(host)
    probes = (*sight.clients(firewall_node.firewall), *sight.strangers())
    answers = sight.simulated(host, probes)
    assert answers == {probe: sight.expected(found, probe, _daemon(host)) for probe in answers}


def seen(host, firewall_node):
    """Whose file it is, the proof, what to simulate when it is there, and all files as they are."""
    found = _files(host)
    ours = sight.ours(found, sight.NODE_FILE, firewall_node.own_mark)
    cluster = found.firewall(fw.CLUSTER) or fw.Firewall()
    probes = sight.probes(found, sight.managed(cluster))
    return sight.Sight(ours, _proof(host, firewall_node), probes, found, _daemon(host).local_network)


def owned(host):
    """The one file, when it is ours."""
    return {"host"} if sight.ours(_files(host), sight.NODE_FILE, "firewall_node") else set()


def _proof(host, firewall_node):
    return sight.proof_for_node(firewall_node.firewall, _files(host), _daemon(host).local_network)


def _files(host):
    return sight.files(host.run_expect([0], sight.FILES).stdout)


def _daemon(host):
    return sight.daemon(host.run_expect([0], sight.DAEMON).stdout)
