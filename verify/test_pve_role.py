"""Roles of Proxmox: there, with exactly the declared privileges."""

from phoenix_hypervisor.dialects import user_cfg
from phoenix_hypervisor.resource import made

NOTES = f"ls {made('pve_role', '')} 2>/dev/null || :"


def test_present(host, pve_role):
    assert (pve_role.name in _roles(host)) == pve_role.present


def test_privileges(host, pve_role):
    assert _roles(host)[pve_role.name] == pve_role.privileges


def owned(host):
    """Roles we noted as made by us that are still there."""
    return set(host.run_expect([0], NOTES).stdout.split()) & set(_roles(host))


def _roles(host):
    return user_cfg.parse(host.run_expect([0], user_cfg.QUESTION).stdout).roles
