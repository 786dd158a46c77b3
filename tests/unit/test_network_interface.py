"""Interfaces of a node as they are declared: what holds together, and what is refused."""

import re

import pytest
from tests.unit.site_files import HOSTS, NODE, loaded, problems

from phoenix_hypervisor import registry
from phoenix_hypervisor.resource import CREATE, REMOVE, Change, Difference, Ref, Refusal

GUEST = "configs/guests/950-work.yaml"


def interface(name="vmbr0", **settings):
    return registry.kind("network_interface").model_validate({"name": name, **settings})


WRONG_ALONE = {
    "a bridge without a word of its ports": ("vmbr0", {}, "a bridge says its `ports`, and `[]` for none"),
    "VLANs of what is no bridge": ("eno1", {"vids": "2-9"}, "are of bridges: say its `ports`"),
    "VLANs of a bridge that knows none": ("vmbr0", {"ports": [], "vids": "2-9"}, "`vids` need `vlan_aware"),
    "a spanning tree without time": ("vmbr0", {"ports": [], "stp": True}, "`fd` from 2 to 30 seconds"),
    "half a VLAN": ("services", {"parent": "eno1"}, "both a `parent` and a `tag`"),
    "a bridge that is a VLAN": ("x.20", {"ports": []}, "one of a bridge (`ports`), a bond and a VLAN"),
    "an address of one that asks for one": (
        "eno1",
        {"method": "dhcp", "addresses": ["10.0.0.2/24"]},
        "`method: dhcp` has no addresses: take out `10.0.0.2/24`",
    ),
    "static without an address": ("eno1", {"method6": "static"}, "`method6: static` needs an address"),
    "an address without its length": ("eno1", {"addresses": ["10.0.0.2"]}, "needs the length of its network"),
    "a gateway of the other family": (
        "eno1",
        {"addresses": ["10.0.0.2/24"], "gateway": "fd00::1"},
        "`gateway` must be an IPv4 address",
    ),
    "a gateway outside of the network": (
        "eno1",
        {"addresses": ["10.0.0.2/24"], "gateway": "10.0.1.1"},
        "the gateway 10.0.1.1 lies outside of 10.0.0.0/24",
    ),
    "a gateway of one without an address": ("eno1", {"gateway": "10.0.0.1"}, "lies in no network of it"),
    "a VLAN beyond the last": ("eno1", {"parent": "eno2", "tag": 4095}, "less than or equal to 4094"),
    "a name that is too long": ("interface-of-16c", {}, "should match pattern"),
}


@pytest.mark.parametrize("what", WRONG_ALONE)
def test_what_does_not_hold_together_is_refused(what):
    name, settings, said = WRONG_ALONE[what]
    with pytest.raises(ValueError, match=re.escape(said)):
        interface(name, **settings)


def test_a_gateway_of_the_link_itself_is_in_every_network():
    assert interface("eno1", addresses="FD00::2/64", gateway6="fe80::1").addresses == ("fd00::2/64",)


def test_what_it_is_follows_from_what_it_has():
    assert interface("vmbr0.20").vlan == ("vmbr0", 20)
    assert interface("vmbr0", ports=["eno1"], addresses=["10.0.0.2/24"]).definition.method == "static"
    assert interface("eno1").definition.method == "manual"
    assert [interface("eno1").minds_auto, interface("eno1", auto=True).minds_auto] == [False, True]
    assert interface("vmbr0", ports=[]).minds_auto


BRIDGES = "network_interface:\n  vmbr0: {ports: [eno1], addresses: [10.0.0.13/24], gateway: 10.0.0.1}\n"
WRONG = {
    "V-01 two interfaces of one address": (
        {NODE: BRIDGES + "  vmbr1: {ports: [], addresses: [10.0.0.13/30]}\n"},
        f"{NODE}:3:34: network_interface:vmbr1: 10.0.0.13 belongs to network_interface:vmbr0 [V-01]",
    ),
    "V-01 another node's address": (
        {
            NODE: BRIDGES,
            "configs/nodes/pve2.yaml": "{}\n",
            HOSTS: "pve: {hostname: 10.0.0.12}\npve2: {hostname: 10.0.0.13}\n",
        },
        f"{NODE}:2:38: network_interface:vmbr0: 10.0.0.13 belongs to the node `pve2` [V-01]",
    ),
    "V-01 a guest's address": (
        {NODE: BRIDGES, GUEST: "lxc:\n  net: {eth0: {bridge: vmbr0, ip: 10.0.0.13/24}}\n"},
        f"{GUEST}:2:31: lxc:950: 10.0.0.13 belongs to network_interface:vmbr0 [V-01]",
    ),
    "a VLAN of what is not declared": (
        {NODE: BRIDGES + "  vmbr1.20: {}\n"},
        (
            f"{NODE}:3:3: network_interface:vmbr1.20: its parent `vmbr1` is not declared\n"
            "  hint: did you mean `vmbr0`?"
        ),
    ),
    "a port of two": (
        {NODE: BRIDGES + "  bond0: {bond: {members: [eno2, eno1], mode: 802.3ad}}\n"},
        (
            f"{NODE}:3:34: network_interface:bond0: `eno1` is taken by network_interface:vmbr0\n"
            "  hint: an interface is a port of one bridge, or in one bond"
        ),
    ),
    "two default gateways": (
        {NODE: BRIDGES + "  eno2: {addresses: [10.1.0.2/24], gateway: 10.1.0.1}\n"},
        (
            f"{NODE}:3:36: network_interface:eno2: a second default gateway: network_interface:vmbr0 has "
            "10.0.0.1\n  hint: keep the one that leads out; a route to a single network is no gateway"
        ),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_together_is_refused(what, tmp_path):
    files, said = WRONG[what]
    assert problems(tmp_path, files) == said


@pytest.mark.parametrize(
    "files",
    [
        {NODE: BRIDGES, HOSTS: "pve: {hostname: 10.0.0.13}\n"},  # that is how we get there
        {NODE: BRIDGES + "  vmbr0.20: {addresses: [10.0.0.13/24]}\n"},  # another VLAN is another network
        {NODE: BRIDGES + '  eno2: {addresses: ["fd00::2/64"], gateway6: "fd00::1"}\n'},
    ],
)
def test_what_fits_together_is_not(files, tmp_path):
    assert problems(tmp_path, files) == ""


def test_two_nodes_may_have_networks_that_no_other_one_sees(tmp_path):
    inner = "network_interface: {vmbr9: {ports: [], addresses: [192.168.9.1/24]}}\n"
    files = {NODE: inner, "configs/nodes/pve2.yaml": inner, HOSTS: "pve: {}\npve2: {}\n"}
    site = loaded(tmp_path, files)
    one = site.resources[Ref("pve", "network_interface", "vmbr9")]
    assert one.declared == {"vmbr9": ("192.168.9.1/24",)}
    assert site.needs[Ref("pve", "network_interface", "vmbr9")] == ()


def test_interfaces_do_not_wait_for_each_other_and_are_loaded_by_one_and_the_same_step():
    first, second = interface("vmbr0", ports=["eno1"]), interface("vmbr0.20")
    steps = [list(one.converge(CREATE))[-1] for one in (first, second)]
    assert steps[0] == steps[1]
    assert steps[0].once
    assert (steps[0].confirm.arm[-2:], steps[0].confirm.disarm[-1]) == (("arm", "60"), "disarm")
    assert (list(first.needs()), list(second.needs())) == ([], [])


def test_lines_of_somebody_else_are_sent_with_what_comes_instead_of_them():
    from phoenix_hypervisor.kinds.network_interface import Foreign, Seen

    seen = Seen((Foreign("/etc/network/interfaces", 7, ("auto lo vmbr0",), ("auto lo",)),), ("tap100i0",))
    change = Change({"foreign": Difference("x", ""), "ports": Difference([], ["eno1"])}, seen)
    take, put, _ = interface(ports=["eno1"], overwrite=True).converge(change)
    assert take.title == "take vmbr0 out of /etc/network/interfaces, line 7; it is kept"
    assert take.arguments == ("take", "vmbr0", "/etc/network/interfaces")
    assert str(take.stdin) == ("auto lo vmbr0\n-- and instead of it --\nauto lo\n-- the file ends here --\n")
    assert put.interrupts == "tap100i0"


def test_a_bridge_with_guests_is_not_taken_from_under_them():
    from phoenix_hypervisor.kinds.network_interface import Seen

    (said,) = interface(ports=[]).converge(Change(REMOVE.attributes, Seen((), ("veth101i0",))))
    assert said == Refusal("present", "guests hang on it, and would be cut off: veth101i0")
