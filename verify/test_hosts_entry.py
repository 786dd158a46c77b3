"""Lines of /etc/hosts: there, with the declared names, and contradicted by no other."""

import pytest

from phoenix_hypervisor.dialects import hosts
from phoenix_hypervisor.resource import made

FILE = "cat /etc/hosts"
NOTES = f"grep -sh '' {made('hosts_entry', '*')} || :"


def test_present(host, hosts_entry):
    found = _ours(host, hosts_entry) is not None or (
        hosts_entry.present and _said_by_others(host, hosts_entry)
    )
    assert found == hosts_entry.present


def test_names(host, hosts_entry):
    ours = _ours(host, hosts_entry) or hosts_entry.line
    assert {"names": list(ours.names)} == {"names": list(hosts_entry.names)}


@pytest.mark.precondition
def test_names_are_free(host, hosts_entry):
    assert {"foreign": _foreign(host, hosts_entry)} == {"foreign": ""}


def test_foreign(host, hosts_entry):
    """No other line gives a name to another address."""
    assert {"foreign": _foreign(host, hosts_entry)} == {"foreign": ""}


def owned(host):
    """Addresses of lines that we noted as ours and that are still there."""
    return {line.address for line in hosts.parse("\n".join(_noted(host)))}


def _lines(host):
    return host.run_expect([0], FILE).stdout.splitlines()


def _noted(host):
    """Our lines, as they are in the file."""
    noted = host.run_expect([0], NOTES).stdout.splitlines()
    return [line for line in _lines(host) if line in noted] if noted else []


def _ours(host, hosts_entry):
    found = hosts.parse("\n".join(_noted(host)))
    return next((line for line in found if line.address == hosts_entry.name), None)


def _others(host, hosts_entry):
    own = [line for line in _noted(host) if line.split()[0] == hosts_entry.name]
    return hosts.parse("\n".join(line for line in _lines(host) if line not in own))


def _said_by_others(host, hosts_entry):
    others = _others(host, hosts_entry)
    lines = [hosts.first(others, name, hosts_entry.name) for name in hosts_entry.names]
    return all(line is not None and line.address == hosts_entry.name for line in lines)


def _foreign(host, hosts_entry):
    found = hosts.elsewhere(_others(host, hosts_entry), hosts_entry.line)
    return ", ".join(f"{name} is {address}" for name, address in found.items())
