"""Access lists of Proxmox: exactly the declared roles, for somebody who exists."""

import pytest

from phoenix_hypervisor.dialects import user_cfg
from phoenix_hypervisor.resource import made

NOTES = f"cat {made('pve_acl', '*')} 2>/dev/null || :"
BUILT_IN = ("Administrator", "NoAccess")


def test_present(host, pve_acl):
    assert (pve_acl.access in _config(host).access) == pve_acl.present


@pytest.mark.precondition
def test_who_and_roles_are_there(host, pve_acl):
    assert _missing(host, pve_acl) == {}


def test_who_and_roles_exist(host, pve_acl):
    assert _missing(host, pve_acl) == {}


def test_roles(host, pve_acl):
    actual = dict(_config(host).access[pve_acl.access])
    assert {"roles": actual} == {"roles": pve_acl.wanted}


def seen(host, pve_acl):
    """Everybody: who the last administrator is depends on all."""
    return _config(host)


def owned(host):
    """Lists we noted as made by us that are still there."""
    there = {f"{access.path} {access.who}" for access in _config(host).access}
    return set(host.run_expect([0], NOTES).stdout.splitlines()) & there


def _missing(host, pve_acl):
    """What the list is about and Proxmox does not know, by the word for it."""
    config, who = _config(host), pve_acl.access.who
    known = {*config.users, *config.tokens, *(f"@{group}" for group in config.groups), *pve_acl.promised}
    # Proxmox brings its own roles, and keeps the names that begin like theirs for them
    roles = pve_acl.roles - {*config.roles, *BUILT_IN, *pve_acl.promised}
    unknown = sorted(role for role in roles if not role.startswith("PVE"))
    return {
        **({} if who in known else {"who": f"there is no {who}"}),
        **({"role": f"there is no role {', '.join(unknown)}"} if unknown else {}),
    }


def _config(host):
    return user_cfg.parse(host.run_expect([0], user_cfg.QUESTION).stdout)
