"""The datacenter's firewall: as declared, loaded, and open to those who administer."""

import pytest

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall import sight


def test_present(host, firewall_cluster):
    assert (fw.CLUSTER in _files(host).texts) == firewall_cluster.present


@pytest.mark.precondition
def test_makes_no_lock_out(host, firewall_cluster):
    """Neither this connection nor a management network would be cut off."""
    assert {"lockout": _proof(host, firewall_cluster).reason} == {"lockout": ""}


def test_lock_out(host, firewall_cluster):
    """Neither this connection nor a management network would be cut off."""
    assert {"lockout": _proof(host, firewall_cluster).reason} == {"lockout": ""}


def test_foreign(host, firewall_cluster):
    """A file of somebody else, or one whose mark is gone, is not ours to change."""
    found = sight.foreign(_files(host), fw.CLUSTER, firewall_cluster.own_mark)
    assert {"foreign": "" if firewall_cluster.overwrite else found} == {"foreign": ""}


def test_confirmed(host, firewall_cluster):
    """No change waits to be taken back: it was confirmed through a new connection."""
    assert {"unconfirmed": "cluster" in _files(host).armed} == {"unconfirmed": False}


def test_settings(host, firewall_cluster):
    assert sight.shown(_files(host).firewall(fw.CLUSTER)) == sight.shown(firewall_cluster.firewall)


def test_rules(host, firewall_cluster):
    actual = [str(rule) for rule in _files(host).firewall(fw.CLUSTER).rules]
    assert {"rules": actual} == {"rules": [str(rule) for rule in firewall_cluster.firewall.rules]}


def test_understood(host, firewall_cluster):
    """Proxmox skips lines it does not understand: they would do nothing."""
    assert {"skipped": list(_files(host).firewall(fw.CLUSTER).faults)} == {"skipped": []}


def test_effective(host, firewall_cluster):
    """The firewall runs, and with these rules: declared and off is not possible."""
    said = _daemon(host).status
    on = "enabled" if firewall_cluster.enable else "disabled"
    actual = said if firewall_cluster.enable else said.partition(" ")[0]
    assert {"firewall": actual} == {"firewall": f"{on}/running"}


@pytest.mark.probe
def test_lets_in_and_keeps_out(host, firewall_cluster):
    """Proxmox's own simulation lets those in who administer, and nobody from anywhere else."""
    if not firewall_cluster.enable:
        pytest.skip("the firewall is declared off")
    found = _files(host)
    probes = (*sight.probes(found, firewall_cluster.management), *sight.strangers())
    answers = sight.simulated(host, probes)
    assert answers == {probe: sight.expected(found, probe, _daemon(host)) for probe in answers}


def seen(host, firewall_cluster):
    """Whose file it is, the proof, what to simulate when it is there, and all files as they are."""
    found = _files(host)
    ours = sight.ours(found, fw.CLUSTER, firewall_cluster.own_mark)
    probes = sight.probes(found, firewall_cluster.management)
    return sight.Sight(ours, _proof(host, firewall_cluster), probes, found, _daemon(host).local_network)


def owned(host):
    """The one file, when it is ours."""
    return {"cluster"} if sight.ours(_files(host), fw.CLUSTER, "firewall_cluster") else set()


def _proof(host, firewall_cluster):
    return sight.proof_for_cluster(
        firewall_cluster.firewall, _files(host), _daemon(host).local_network, firewall_cluster.management
    )


def _files(host):
    return sight.files(host.run_expect([0], sight.FILES).stdout)


def _daemon(host):
    return sight.daemon(host.run_expect([0], sight.DAEMON).stdout)
