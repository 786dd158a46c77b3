"""A host's own name, and its line in /etc/hosts."""

import ipaddress

import pytest

from phoenix_hypervisor.dialects import hosts
from phoenix_hypervisor.resource import made

NAME = f"""\
set -e
cat /etc/hostname
if [ -d /etc/pve ]; then echo proxmox; else echo other; fi
if [ -e {made("hostname", "line")} ]; then echo noted; else echo foreign; fi
"""
FILE = "cat /etc/hosts"


def test_present(host, hostname):
    name, _, noted = _found(host)
    right = hostname.present and name == hostname.label and _line(host, hostname) == _wanted(hostname)
    assert (noted or right) == hostname.present


@pytest.mark.precondition
def test_name_is_to_be_changed(host, hostname):
    assert _name(host) == dict.fromkeys(_name(host), hostname.label)


def test_name(host, hostname):
    """A Proxmox node's name has a word of its own, for nobody may change it."""
    assert _name(host) == dict.fromkeys(_name(host), hostname.label)


@pytest.mark.precondition
def test_address_is_usable(host, hostname):
    assert {"node_address": _loopback(host, hostname)} == {"node_address": "reachable"}


def test_address(host, hostname):
    assert {"node_address": _loopback(host, hostname)} == {"node_address": "reachable"}


def test_line(host, hostname):
    assert _line(host, hostname) == _wanted(hostname)


def owned(host):
    """The host's line, if we changed it. There is one for each host, whatever it is called."""
    return {"line"} if _found(host)[2] else set()


def _found(host):
    name, sort, noted = host.run_expect([0], NAME).stdout.splitlines()
    return name, sort == "proxmox", noted == "noted"


def _name(host):
    """Today's name, by the word for it."""
    name, proxmox, _ = _found(host)
    return {"node_name" if proxmox else "static": name}


def _loopback(host, hostname):
    proxmox = _found(host)[1]
    loopback = bool(hostname.address) and ipaddress.ip_address(hostname.address).is_loopback
    return "a loopback address" if proxmox and loopback else "reachable"


def _wanted(hostname):
    declared = {"address": hostname.address, "domain": hostname.domain}
    return {name: value for name, value in declared.items() if value is not None}


def _line(host, hostname):
    """What the line says that answers for the name: of what is declared."""
    if hostname.address is None:
        return {}
    line = hosts.first(hosts.parse(host.run_expect([0], FILE).stdout), hostname.label, hostname.address)
    prefix = f"{hostname.label}."
    name = line.names[0] if line else ""
    found = {
        "address": line.address if line else "",
        "domain": name.removeprefix(prefix) if name.startswith(prefix) else "",
    }
    return {key: value for key, value in found.items() if key in _wanted(hostname)}
