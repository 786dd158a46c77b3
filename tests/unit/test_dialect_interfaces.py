"""interfaces(5): which stanzas there are, what they mean, how a meaning is written, how one is taken out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import interface_definitions as written
from phoenix_hypervisor.dialects import interfaces
from phoenix_hypervisor.dialects.interface_definitions import Bond, Bridge, Definition
from phoenix_hypervisor.dialects.interfaces import FOLDER, MAIN, Lines

INSTALLER = """\
auto lo
iface lo inet loopback

iface eno1 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress 10.0.0.13/24
\tgateway 10.0.0.1
\tbridge-ports eno1
\tbridge-stp off
\tbridge-fd 0

source /etc/network/interfaces.d/*
"""
BRIDGE = Definition(
    "vmbr0", True, "static", "", ("10.0.0.13/24",), "10.0.0.1", bridge=Bridge(("eno1",), fd=0)
)

names = st.sampled_from(["eno1", "eno2", "enp5s0f1", "vmbr0", "vmbr12", "bond0", "services", "x9"])
ports = st.lists(names, max_size=3, unique=True).map(tuple)
four = st.builds("10.{}.{}.{}/{}".format, *[st.integers(0, 255)] * 3, st.integers(8, 30))
six = st.builds("fd00:{:x}::{:x}/{}".format, st.integers(1, 9), st.integers(1, 9), st.integers(48, 64))
vids = st.lists(st.tuples(st.integers(1, 2000), st.integers(0, 90)), max_size=3).map(
    lambda found: written.joined((low, low + more) for low, more in found)
)
bridges = st.builds(Bridge, ports, st.booleans(), vids, st.booleans(), st.integers(0, 30))
bonds = st.builds(
    Bond,
    ports,
    st.sampled_from(written.BOND_MODES),
    st.sampled_from([(), (("miimon", "100"),), (("lacp-rate", "fast"), ("miimon", "50"))]),
)


@st.composite
def definitions(draw):
    old = draw(st.lists(four, max_size=2, unique=True))
    new = draw(st.lists(six, max_size=2, unique=True))
    sort = draw(st.sampled_from(["plain", "bridge", "bond", "vlan"]))
    tag = draw(st.integers(1, 4094))
    parent = draw(names)
    return Definition(
        f"{parent}.{tag}" if sort == "vlan" and draw(st.booleans()) else draw(names),
        draw(st.booleans()),
        "static" if old else draw(st.sampled_from(["manual", "dhcp"])),
        "static" if new else draw(st.sampled_from(["", "manual", "auto"])),
        tuple(written.address(one) for one in [*old, *new]),
        "10.0.0.1" if old and draw(st.booleans()) else "",
        "fd00::1" if new and draw(st.booleans()) else "",
        draw(st.none() | st.integers(576, 9216)),
        draw(bridges) if sort == "bridge" else None,
        draw(bonds) if sort == "bond" else None,
        *((parent, tag) if sort == "vlan" else ("", None)),
        draw(st.sampled_from([(), (("post-up", "ip route add 10.7.0.0/16 dev eno1"), ("alias", "up link"))])),
    )


@given(definitions())
def test_what_is_written_reads_back_the_same(definition):
    name = definition.name
    by_name = written.vlan_of(name)
    if definition.tag is not None and by_name:  # the name says it
        definition = definition._replace(parent=by_name[0], tag=by_name[1])
    text = written.write(definition)
    assert written.definition(interfaces.parse(text), name) == definition
    assert text == written.write(definition)


@given(definitions(), definitions())
def test_what_is_taken_out_is_gone_and_nothing_else_is_changed(one, other):
    if one.name == other.name:
        return
    theirs = f"# theirs\n\n{written.write(other)}\n# the end\n"
    lines = (theirs + written.write(one)).splitlines()
    for old, new in interfaces.removed("\n".join(lines), one.name):
        at = next(n for n in range(len(lines)) if tuple(lines[n : n + len(old)]) == old)
        lines[at : at + len(old)] = new
    assert "\n".join(lines).rstrip("\n") + "\n" == theirs  # what was empty between its stanzas is still there


SAME = {
    "as the installer writes it": INSTALLER,
    "a netmask": INSTALLER.replace("10.0.0.13/24", "10.0.0.13\n\tnetmask 255.255.255.0"),
    "underscores": INSTALLER.replace("bridge-", "bridge_"),
    "a line that is continued": INSTALLER.replace("bridge-ports eno1", "bridge-ports \\\n\t\teno1"),
    "comments and spaces": INSTALLER.replace("\tbridge-fd 0", "# a note\n    bridge-fd   0\n#another"),
    "one auto for several": INSTALLER.replace("auto vmbr0\n", "").replace("auto lo", "auto lo vmbr0"),
    "in two stanzas": INSTALLER.replace(
        "\tgateway 10.0.0.1\n", "iface vmbr0 inet static\n\tgateway 10.0.0.1\n"
    ),
}


@pytest.mark.parametrize("how", SAME)
def test_what_means_the_same_is_the_same(how):
    assert written.definition(interfaces.parse(SAME[how]), "vmbr0") == BRIDGE


def test_two_families_are_one_interface():
    text = INSTALLER + "\niface vmbr0 inet6 static\n\taddress FD00:0::13/64\n\tgateway fd00::1\n"
    found = written.definition(interfaces.parse(text), "vmbr0")
    assert found == BRIDGE._replace(
        method6="static", addresses=("10.0.0.13/24", "fd00::13/64"), gateway6="fd00::1"
    )


def test_without_a_family_it_is_what_its_addresses_are():
    found = written.definition(
        interfaces.parse("iface a\n\taddress 10.1.0.1/24\n\taddress fd00::1/64\n"), "a"
    )
    assert (found.method, found.method6, found.addresses) == (
        "static",
        "static",
        ("10.1.0.1/24", "fd00::1/64"),
    )
    assert written.definition(interfaces.parse("iface a\n"), "a").method == "manual"


@pytest.mark.parametrize(
    ("text", "name", "vlan"),
    [
        ("iface vmbr0.20 inet manual\n", "vmbr0.20", ("vmbr0", 20)),
        ("iface vlan20 inet manual\n\tvlan-raw-device eno1\n", "vlan20", ("eno1", 20)),
        ("iface lab inet manual\n\tvlan_raw_device eno1\n\tvlan-id 7\n", "lab", ("eno1", 7)),
    ],
)
def test_a_vlan_is_known_by_its_name_or_by_its_options(text, name, vlan):
    found = written.definition(interfaces.parse(text), name)
    assert (found.parent, found.tag) == vlan


def test_a_bond_s_mode_has_a_number_or_a_name():
    for mode in ("4", "802.3ad"):
        text = f"iface bond0 inet manual\n\tbond-slaves eno1 eno2\n\tbond-mode {mode}\n\tbond-miimon 100\n"
        bond = written.definition(interfaces.parse(text), "bond0").bond
        assert bond == Bond(("eno1", "eno2"), "802.3ad", (("miimon", "100"),))


def test_a_bridge_without_ports_and_with_what_is_not_said():
    text = "iface vmbr9 inet manual\n\tbridge-ports none\n\tbridge-vlan-aware yes\n\tbridge-vids 2-4 5,9\n"
    bridge = written.definition(interfaces.parse(text), "vmbr9").bridge
    assert bridge == Bridge((), True, ((2, 5), (9, 9)), False, 15)


def test_files_are_read_where_they_are_sourced_each_once_and_by_name():
    files = {
        MAIN: "source /etc/network/interfaces.d/*\nsource interfaces.d/b\niface eno1 inet manual\n",
        f"{FOLDER}/b": "iface b inet manual\n",
        f"{FOLDER}/a": "auto a\niface a inet manual\n",
        f"{FOLDER}/.a.new": "iface hidden inet manual\n",
        "/etc/other": "iface other inet manual\n",
    }
    found = interfaces.read(files)
    assert [(one.name, str(one.at)) for one in found.stanzas] == [
        ("eno1", f"{MAIN}:3"),
        ("a", f"{FOLDER}/a:2"),
        ("b", f"{FOLDER}/b:1"),
    ]
    assert found.without(f"{FOLDER}/a").marks == ()


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        (f"{FOLDER}/*", f"{FOLDER}/phoenix-vmbr0.20", True),
        (f"{FOLDER}/*.cfg", f"{FOLDER}/50-a.cfg", True),
        (f"{FOLDER}/[!p]*", f"{FOLDER}/q", False),
        (f"{FOLDER}/*", f"{FOLDER}/a/b", False),
        (f"{FOLDER}/?", f"{FOLDER}/a", True),
        (f"{FOLDER}/*", f"{FOLDER}/.hidden", False),
    ],
)
def test_patterns_of_source(pattern, path, fits):
    if "!" not in pattern:
        assert interfaces.matches(pattern, path) is fits


def test_lines_of_a_stanza_are_known_to_its_last_option():
    (stanza,) = interfaces.parse(INSTALLER).of("vmbr0")
    assert stanza.at == Lines(MAIN, 7, 12)
    assert list(interfaces.removed(INSTALLER, "vmbr0")) == [
        (tuple(INSTALLER.splitlines()[6:12]), ()),
        (("auto vmbr0",), ()),
    ]


def test_somebody_else_s_auto_line_keeps_its_other_names():
    text = "auto lo vmbr0 eno2\niface vmbr0 inet manual\n"
    assert list(interfaces.removed(text, "vmbr0"))[-1] == (("auto lo vmbr0 eno2",), ("auto lo eno2",))


def test_what_differs_is_said_in_words():
    theirs = BRIDGE._replace(bridge=Bridge((), fd=15), mtu=1400, auto=False)
    wanted = BRIDGE._replace(addresses=("10.0.0.13/24", "10.0.0.14/24"))
    assert written.differing(theirs, wanted) == ["addresses 10.0.0.13/24", "ports none", "auto no", "fd 15"]
    assert written.differing(theirs, BRIDGE._replace(bridge=theirs.bridge), auto=False) == []


@pytest.mark.parametrize(
    ("said", "ranges"), [("2-4094", "2-4094"), (20, "20"), ("5 2,3 4", "2-5"), ("30-39 10", "10 30-39")]
)
def test_vlans_have_one_spelling(said, ranges):
    assert written.vlans(said) == ranges


@pytest.mark.parametrize("said", ["", "0-5", "7-3", "5000", "a-b"])
def test_what_are_no_vlans_is_refused(said):
    with pytest.raises(ValueError, match="from 1 to 4094"):
        written.vlans(said)
