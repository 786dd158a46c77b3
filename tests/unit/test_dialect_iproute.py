"""What `ip` and `bridge` say in JSON, and what of it should be otherwise."""

import json

import pytest

from phoenix_hypervisor.dialects import iproute
from phoenix_hypervisor.dialects.interface_definitions import Bond, Bridge, Definition
from phoenix_hypervisor.dialects.iproute import SEPARATOR, live, running

UP = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
ADDRESSES = [
    {"family": "inet", "local": "10.0.0.13", "prefixlen": 24, "scope": "global", "label": "vmbr0"},
    {"family": "inet", "local": "10.0.0.77", "prefixlen": 24, "scope": "global", "dynamic": True},
    {},
    {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
]
INFO = {"forward_delay": 0, "stp_state": 0, "vlan_filtering": 1, "vlan_default_pvid": 1}
LINKS = [
    {"ifname": "eno1", "flags": UP, "mtu": 1500, "master": "vmbr0", "addr_info": []},
    {"ifname": "veth101i0", "flags": UP, "mtu": 1500, "master": "vmbr0", "linkinfo": {"info_kind": "veth"}},
    {"ifname": "tap102i0", "flags": UP, "mtu": 1500, "master": "vmbr0", "linkinfo": {"info_kind": "tun"}},
    {
        "ifname": "vmbr0",
        "flags": UP,
        "mtu": 1500,
        "linkinfo": {"info_kind": "bridge", "info_data": INFO},
        "addr_info": ADDRESSES,
    },
    {
        "ifname": "vmbr0.20",
        "link": "vmbr0",
        "flags": ["BROADCAST"],
        "mtu": 1400,
        "linkinfo": {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 20}},
    },
    {
        "ifname": "bond0",
        "flags": UP,
        "mtu": 1500,
        "linkinfo": {"info_kind": "bond", "info_data": {"mode": "802.3ad"}},
    },
    {"ifname": "eno2", "flags": UP, "mtu": 1500, "master": "bond0"},
]
ROUTES = [{"dst": "default", "gateway": "10.0.0.1", "dev": "vmbr0", "flags": []}]
VLANS = [{"ifname": "eno1", "vlans": [{"vlan": 1, "flags": ["PVID"]}, {"vlan": 2, "vlanEnd": 99}]}]
SAID = SEPARATOR.join([json.dumps(LINKS), json.dumps(ROUTES), "[ ]\n", json.dumps(VLANS)])


def test_links_are_read_without_what_was_leased_or_learnt():
    found = live(SAID)
    assert found.links["vmbr0"].addresses == ("10.0.0.13/24", "fe80::1/64")
    assert (found.ports("vmbr0"), found.guests("vmbr0")) == (["eno1"], ("tap102i0", "veth101i0"))
    assert found.gateways == {("vmbr0", "10.0.0.1")}
    assert (found.links["vmbr0.20"].up, found.links["vmbr0.20"].parent) == (False, "vmbr0")


@pytest.mark.parametrize("said", ["", "[]", f"[]{SEPARATOR}[]"])
def test_an_answer_that_is_not_whole_is_no_answer(said):
    with pytest.raises(ValueError, match="something unknown"):
        live(said)


BRIDGE = Definition("vmbr0", True, "static", "", ("10.0.0.13/24",), "10.0.0.1")
RIGHT = {
    "vmbr0": BRIDGE._replace(bridge=Bridge(("eno1",), True, ((2, 99),), False, 0), mtu=1500),
    "vmbr0.20": Definition("vmbr0.20", parent="vmbr0", tag=20),
    "bond0": Definition("bond0", bond=Bond(("eno2",), "802.3ad")),
}
WRONG = [
    ("vmbr0", {"addresses": ("10.0.0.13/24", "10.0.0.14/24")}, {"running_addresses"}),
    ("vmbr0", {"gateway": "10.0.0.2"}, {"running_gateways"}),
    ("vmbr0", {"mtu": 9000}, {"running_mtu"}),
    ("vmbr0", {"bridge": Bridge(("eno1", "eno3"), True, (), False, 0)}, {"running_ports"}),
    ("vmbr0", {"bridge": Bridge(("eno1",), False, (), False, 0)}, {"running_vlan_aware"}),
    ("vmbr0", {"bridge": Bridge(("eno1",), True, (), True, 4)}, {"running_stp", "running_fd"}),
    ("vmbr0", {"bridge": Bridge(("eno1",), True, ((2, 50),), False, 0)}, {"running_vids"}),
    ("vmbr0.20", {"tag": 30}, {"running_vlan"}),
    ("vmbr0.20", {"parent": "eno1"}, {"running_vlan"}),
    ("bond0", {"bond": Bond(("eno2",), "active-backup")}, {"running_mode"}),
    ("bond0", {"bond": Bond(("eno2", "eno3"), "802.3ad")}, {"running_members"}),
]  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_kernel_has_is_right(name):
    found = live(SAID)
    actual, desired = running(found, found.links[name], RIGHT[name])
    assert actual == desired


@pytest.mark.parametrize(("name", "changed", "names"), WRONG)
def test_each_part_that_the_kernel_has_otherwise_is_named(name, changed, names):
    found = live(SAID)
    actual, desired = running(found, found.links[name], RIGHT[name]._replace(**changed))
    assert {key for key in desired if actual[key] != desired[key]} == names
    assert actual.keys() == desired.keys()


def test_a_port_of_a_guest_is_known_by_its_name():
    names = ["tap100i0", "veth101i12", "fwpr101p0", "eno1", "tapir", "veth0"]
    assert [one for one in names if iproute.GUESTS.fullmatch(one)] == names[:3]
