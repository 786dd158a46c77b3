"""Proxmox's property strings: read, written as Proxmox writes them, compared in meaning."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import lxc_conf, property_string
from phoenix_hypervisor.dialects.property_string import DEVICE, FEATURES, MOUNT, NET, ROOTFS, STARTUP, Form

from .recorded_confs import Recorded, load, name

# what was given to `pct set`, and what Proxmox made of it (recorded: 07-running-pending 52, 53, 74)
GIVEN = (
    "bridge=vmbr0,ip=dhcp,name=eth0,hwaddr=02:00:00:00:01:10,tag=5,firewall=1,mtu=1500,link_down=1,rate=5.5,"
    "trunks=10;20,ip6=fd00::2/64,gw6=fd00::1,type=veth"
)
SORTED = (
    "name=eth0,bridge=vmbr0,firewall=1,gw6=fd00::1,hwaddr=02:00:00:00:01:10,ip=dhcp,ip6=fd00::2/64,"
    "link_down=1,mtu=1500,rate=5.5,tag=5,trunks=10;20,type=veth"
)
WRITTEN = [
    (NET, GIVEN, SORTED),
    (
        MOUNT,
        "ro=1,mp=/media,volume=/srv/bind/media,shared=1,replicate=0,acl=1",
        "/srv/bind/media,mp=/media,acl=1,replicate=0,ro=1,shared=1",
    ),
    (DEVICE, "uid=1000,mode=0660,/dev/fuse", "/dev/fuse,mode=0660,uid=1000"),
    (ROOTFS, "size=1G,volume=tank:subvol-110-disk-0", "tank:subvol-110-disk-0,size=1G"),
    (MOUNT, "volume=/srv/a=b,mp=/x", "volume=/srv/a=b,mp=/x"),
    (STARTUP, "5", "5"),
    (FEATURES, "nesting=1,mount=nfs;cifs", "mount=nfs;cifs,nesting=1"),
]


@pytest.mark.parametrize(("form", "given_text", "written"), WRITTEN)
def test_it_is_written_as_proxmox_writes_it(form: Form, given_text: str, written: str) -> None:
    assert property_string.write(property_string.parse(given_text, form), form) == written


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("net0", "name=eth0,bridge=vmbr0,ip=dhcp", "ip=dhcp,type=veth,name=eth0,bridge=vmbr0,firewall=0"),
        ("net0", "name=eth0,hwaddr=bc:24:11:00:00:0a", "name=eth0,hwaddr=BC:24:11:00:00:0A"),
        ("net3", "name=eth0,ip6=fd00:0:0::2/64,gw6=FD00::1", "name=eth0,ip6=fd00::2/64,gw6=fd00::1"),
        ("net3", "name=eth0,trunks=20;10;20,tag=05,rate=5.50", "name=eth0,trunks=10;20,tag=5,rate=5.5"),
        ("net0", "name=eth0,ip=manual", "name=eth0"),
        ("net0", ",name=eth0,, bridge=vmbr0 ,", "name=eth0,bridge=vmbr0"),
        ("features", "nesting=1,keyctl=0,mount=nfs;cifs", "mount=cifs nfs,nesting=on"),
        ("features", "nesting=0", "fuse=no"),
        ("mp0", "/srv/a,mp=/a,ro=yes,backup=0,replicate=1", "volume=/srv/a,mp=/a,ro=1"),
        ("mp11", "tank:x,mp=/a,size=1024M,mountoptions=noatime;nodev", "tank:x,size=1G,mp=/a,mountoptions=nodev;noatime"),  # noqa: E501
        ("rootfs", "size=1G,volume=tank:x,quota=0", "tank:x,size=1G"),
        ("startup", "5", "order=5"),
        ("startup", "up=5,order=2", "order=02,up=5"),
        ("dev0", "/dev/fuse", "path=/dev/fuse,mode=0660,uid=0,deny-write=0"),
        ("unused0", "tank:x", "volume=tank:x"),
    ],
)  # fmt: skip
def test_what_means_the_same(key: str, one: str, other: str) -> None:
    assert property_string.same(one, other, key)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("net0", "name=eth0,bridge=vmbr0", "name=eth0,bridge=vmbr1"),
        ("net0", "name=eth0,firewall=1", "name=eth0"),
        ("net0", "name=eth0,rate=5.05", "name=eth0,rate=5.5"),
        ("net0", "name=eth0,rate=50", "name=eth0,rate=5"),
        ("net0", "name=eth0,ip=10.0.0.1/24", "name=eth0,ip=10.0.0.1/25"),
        ("net0", "name=eth0,ip=10.0.0.1/24", "name=eth0"),
        ("mp0", "/srv/a,mp=/a,replicate=0", "/srv/a,mp=/a"),
        ("mp0", "/srv/a,mp=/a,acl=0", "/srv/a,mp=/a"),
        ("mp0", "tank:x,mp=/a,size=1G", "tank:x,mp=/a,size=1025M"),
        ("rootfs", "tank:x", "tank:y"),
        ("startup", "order=1", "order=1,up=0"),
        ("features", "nesting=1,nonsense", "nesting=1"),
    ],
)
def test_what_does_not(key: str, one: str, other: str) -> None:
    assert not property_string.same(one, other, key)


@pytest.mark.parametrize("conf", load(), ids=name)
def test_every_recorded_property_string_reads_back(conf: Recorded) -> None:
    for key, text in lxc_conf.parse(conf.text).keys.items():
        form = property_string.form_of(key)
        if form is None:
            continue
        values = property_string.parse(text, form)
        written = property_string.write(values, form)
        assert property_string.parse(written, form) == values
        assert property_string.same(written, text, key)
        if key.startswith(("net", "mp", "dev")) and not text.startswith("ip="):
            assert sorted(written.split(",")) == sorted(text.split(","))


@pytest.mark.parametrize(
    ("written", "size", "spelled"),
    [("8G", 8 << 30, "8G"), ("2560M", 2560 << 20, "2560M"), ("0T", 0, "0T"), ("0", 0, "0T"),
     ("1024G", 1 << 40, "1T"),
     ("1000", 1000, "1000"), ("2048T", 2 << 50, "2048T"), ("1.5G", 3 << 29, "1536M")],
)  # fmt: skip
def test_a_disk_size_is_spelled_as_proxmox_spells_it(written: str, size: int, spelled: str) -> None:
    assert property_string.size(written) == spelled
    assert property_string.spelled_size(size) == spelled


@pytest.mark.parametrize(
    ("values", "why"),
    [({"a": "1,2"}, "1,2"), ({"a": ""}, "``"), ({"a": "x\ny"}, "x\ny"), ({"a": " x"}, "` x`")],
)
def test_what_a_property_string_cannot_hold(values: Mapping[str, str], why: str) -> None:
    with pytest.raises(ValueError, match="a property string holds no commas") as told:
        property_string.write(values, Form())
    assert why in str(told.value)


def test_a_word_too_many_is_kept() -> None:
    assert property_string.parse("/a,/b,mp=/c", MOUNT) == {"volume": "/a", "/b": "", "mp": "/c"}


def test_what_has_no_form() -> None:
    assert property_string.form_of("hostname") is None
    assert property_string.form_of("memory") is None
    assert property_string.form_of("mp255") is MOUNT


words = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters=",="), min_size=1, max_size=6)
anything = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters=","), min_size=1, max_size=6
)
KEYS = {
    "net0": ["name", "bridge", "firewall", "hwaddr", "ip", "tag", "rate", "trunks", "nonsense"],
    "mp0": ["volume", "mp", "size", "ro", "backup", "acl"],
    "rootfs": ["volume", "size", "quota"],
    "dev0": ["path", "mode", "deny-write"],
    "features": ["nesting", "mount"],
    "startup": ["order", "up"],
}


@st.composite
def properties(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    key = draw(st.sampled_from(sorted(KEYS)))
    switches = st.sampled_from(["0", "1", "yes", "off", "8G", "8192M", "10.0.0.1/24", "020", "b;a"])
    return key, draw(st.dictionaries(st.sampled_from(KEYS[key]), anything | switches))


@given(properties())
def test_what_is_written_reads_back(case: tuple[str, dict[str, str]]) -> None:
    key, values = case
    form = property_string.form_of(key)
    assert form is not None
    assert property_string.parse(property_string.write(values, form), form) == values


@given(properties(), st.randoms())
def test_order_does_not_matter(case: tuple[str, dict[str, str]], chance: st.DataObject) -> None:
    key, values = case
    form = property_string.form_of(key)
    assert form is not None
    parts = [f"{name}={value}" for name, value in values.items()]
    chance.shuffle(parts)  # type: ignore[attr-defined]
    assert property_string.same(",".join(parts), property_string.write(values, form), key)


@given(properties())
def test_one_spelling_stays_as_it_is(case: tuple[str, dict[str, str]]) -> None:
    key, values = case
    form = property_string.form_of(key)
    assert form is not None
    once = property_string.canonical(values, form)
    assert property_string.canonical(once, form) == once


@given(st.text())
def test_no_value_is_too_strange(text: str) -> None:
    for key in (*KEYS, "hostname"):
        assert property_string.meaning(text, key) == property_string.meaning(text, key)
    for spelled in (
        property_string.size,
        property_string.number,
        property_string.integer,
        property_string.address,
    ):
        assert spelled(spelled(text)) == spelled(text)
