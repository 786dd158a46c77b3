"""A guest's firewall: as declared, and in effect on its interfaces."""

import pytest

from phoenix_hypervisor.dialects import firewall_fw as fw
from phoenix_hypervisor.firewall import sight

CONNECT = """\
timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' %s %s 2>/dev/null
case $? in
    0) echo open ;;
    124) ip neigh show %s | grep -Eq 'FAILED|INCOMPLETE' && echo absent || echo silence ;;
    *) echo refused ;;
esac
"""
"""Neighbours are asked below the firewall: an address that nobody has is not one that is kept from us."""


def test_present(host, firewall_guest):
    assert (firewall_guest.file in _files(host).texts) == firewall_guest.present


def test_foreign(host, firewall_guest):
    """A file of somebody else, or one whose mark is gone, is not ours to change."""
    found = sight.foreign(_files(host), firewall_guest.file, firewall_guest.own_mark)
    assert {"foreign": "" if firewall_guest.overwrite else found} == {"foreign": ""}


def test_settings(host, firewall_guest):
    assert sight.shown(_files(host).firewall(firewall_guest.file)) == sight.shown(firewall_guest.firewall)


def test_rules(host, firewall_guest):
    actual = [str(rule) for rule in _files(host).firewall(firewall_guest.file).rules]
    assert {"rules": actual} == {"rules": [str(rule) for rule in firewall_guest.firewall.rules]}


def test_understood(host, firewall_guest):
    """Proxmox skips lines it does not understand: they would do nothing."""
    assert {"skipped": list(_files(host).firewall(firewall_guest.file).faults)} == {"skipped": []}


def test_effective(host, firewall_guest):
    """Without the datacenter's firewall none of this does anything."""
    wanted = "on" if firewall_guest.enable else ""
    assert {"datacenter": sight.switched(_files(host)) if wanted else ""} == {"datacenter": wanted}


def test_filtered(host, firewall_guest):
    """Nor does it without an interface that is under the firewall."""
    assert {"filtered": _filtered(host, firewall_guest)} == {"filtered": ""}


@pytest.mark.probe
def test_lets_in_and_keeps_out(host, firewall_guest):
    """Proxmox has rules for it; and from the node, a port answers or is silent as they say."""
    if not firewall_guest.enable:
        pytest.skip("its firewall is declared off")
    compiled = f"create veth{firewall_guest.name}i" in host.run_expect([0], "pve-firewall compile").stdout
    answers = {"compiled": "yes" if compiled else "no"}
    wanted = {"compiled": "yes"}
    for address, port, expected in sight.tries(_files(host), firewall_guest, host.backend.get_hostname()):
        said = host.run_expect([0], CONNECT, address, port, address).stdout.strip()
        if said in ("open", "silence"):
            answers[f"{address} {port}"] = sight.LET_IN if said == "open" else sight.KEPT_OUT
            wanted[f"{address} {port}"] = expected
    assert answers == wanted


def seen(host, firewall_guest):
    """Whose file it is."""
    return sight.Sight(
        sight.ours(_files(host), firewall_guest.file, firewall_guest.own_mark), sight.Proof(), ()
    )


def owned(host):
    """Guests whose file is ours: the name in its first line is theirs."""
    found = _files(host)
    vmids = {sight.short(file) for file in found.texts} - {"cluster", "host"}
    return {vmid for vmid in vmids if sight.ours(found, f"{fw.FOLDER}/{vmid}.fw", f"firewall_guest:{vmid}")}


def _filtered(host, firewall_guest):
    found = sight.interfaces(host.run_expect([0], sight.INTERFACES).stdout, firewall_guest.name)
    if any(found.values()) or not firewall_guest.enable:
        return ""
    return f"none of its interfaces ({', '.join(found) or 'it has none'}) is under the firewall"


def _files(host):
    return sight.files(host.run_expect([0], sight.FILES).stdout)
