"""Proxmox storages: registered as declared, and active."""

import pytest

from phoenix_hypervisor.dialects import storage_cfg
from phoenix_hypervisor.resource import made

# A node that has never written the file has none; that Proxmox is there at all, /etc/pve shows.
CONFIG = "test -d /etc/pve && { test ! -e /etc/pve/storage.cfg || cat /etc/pve/storage.cfg; }"
NOTES = f"ls {made('pve_storage', '')} 2>/dev/null || :"


def test_present(host, pve_storage):
    assert (pve_storage.name in _storages(host)) == pve_storage.present


def test_type(host, pve_storage):
    assert _storages(host)[pve_storage.name].type == pve_storage.type


def test_place(host, pve_storage):
    actual = _storages(host)[pve_storage.name].options
    assert {name: actual.get(name) for name in pve_storage.place} == pve_storage.place


def test_options(host, pve_storage):
    actual = _storages(host)[pve_storage.name].options
    assert {name: actual.get(name, "0") for name in pve_storage.options} == pve_storage.options


@pytest.mark.probe
def test_active(host, pve_storage):
    """Proxmox itself finds the storage usable; one of other nodes only is not in its list."""
    # one question for all storages: each `pvesm` costs half a second of Perl's start
    status = storage_cfg.states(host.run_expect([0], "pvesm status").stdout)
    desired = "disabled" if pve_storage.disable else "active"
    assert status.get(pve_storage.name, desired) == desired


def owned(host):
    """Storages we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_storages(host))


def _storages(host):
    return storage_cfg.parse(host.run_expect([0], CONFIG).stdout)
